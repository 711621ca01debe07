"""The known wrong orders of a step: what each does, and that none of them loses the run."""

import math
from dataclasses import replace

import pytest
import torch

from interactive_training import NonFiniteError, Recipe, Run, StepError, rewind, train

from .runs import FP16, different, same_bits, same_weights, small, take, weights, without

USUAL = Recipe(lr=0.05)
ORDER = ("zero_grad", "forward", "backward", "step")


def ordered(*stages: str, base: Recipe = USUAL) -> Recipe:
    return replace(base, stages=stages)


# Each row: the recipe, the step that torch refuses, torch's words, and ours.
REFUSED = {
    "forward, step, backward": (
        ordered("forward", "step", "backward"),
        1,  # at step 0 there is no gradient yet, so step moves nothing
        "modified by an inplace operation",
        "step moved the weights that backward still needed; put backward before step.",
    ),
    "zeroed in place, forward, step, backward": (
        replace(ordered("zero_grad", "forward", "step", "backward"), set_to_none=False),
        1,  # a gradient of zeros is a gradient: step touches every weight
        "modified by an inplace operation",
        "step moved the weights that backward still needed; put backward before step.",
    ),
    "two backward": (
        ordered("zero_grad", "forward", "backward", "backward", "step"),
        0,
        "backward through the graph a second time",
        "backward stands twice, and the first one used up the graph; drop one of them.",
    ),
    "backward before forward": (
        ordered("zero_grad", "backward", "forward", "step"),
        0,
        "'NoneType' object has no attribute 'backward'",
        "there is no loss to go back from; put forward before backward.",
    ),
    "forward dropped": (
        replace(USUAL, stages=without("forward")),
        0,
        "'NoneType' object has no attribute 'backward'",
        "there is no loss to go back from; put forward before backward.",
    ),
    "forward dropped, two micro-batches": (
        replace(USUAL, stages=without("forward"), accumulate=2),
        0,
        "unsupported operand type(s) for *: 'NoneType'",
        "there is no loss to go back from; put forward before backward.",
    ),
    "grad off": (
        replace(USUAL, grad=False),
        0,
        "does not require grad",
        "there is no graph to go back through; turn grad on and put forward before backward.",
    ),
    "fp16, step dropped": (
        replace(FP16, stages=without("step")),
        1,
        "unscale_() has already been called",
        "unscale_ ran twice with no scaler.update() between; put step back, which ends with it.",
    ),
    "fp16, step before backward": (
        ordered("zero_grad", "forward", "step", "backward", base=FP16),
        0,
        "_scale is None",
        "nothing has been scaled yet; put backward before unscale and step.",
    ),
    "fp16, unscale before backward": (
        ordered("zero_grad", "forward", "unscale", "backward", "step", base=FP16),
        0,
        "_scale is None",
        "nothing has been scaled yet; put backward before unscale and step.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_explained_and_nothing_is_lost(name: str) -> None:
    recipe, step, torchs, ours = REFUSED[name]
    run = Run(small(dropout=0.2), recipe, seed=1)
    take(run, step)
    before = run.fork()
    with pytest.raises(StepError) as caught:
        take(run, 3)
    assert caught.value.step == step == run.index
    assert torchs in str(caught.value)
    assert ours in str(caught.value)
    assert "\n" not in str(caught.value)
    assert different(run, before) == []

    # The same order is refused again, a mended one goes on as if nothing had happened.
    with pytest.raises(StepError):
        take(run, 1)
    run.recipe = before.recipe = USUAL
    take(run, 5)
    take(before, 5)
    assert run.index == step + 5
    assert different(run, before) == []


def test_a_float16_step_without_gradients_is_refused_later_on_as_well() -> None:
    run = Run(small(), FP16)
    take(run, 2)
    run.recipe = ordered("zero_grad", "forward", "step", "backward", base=FP16)
    before = run.fork()
    with pytest.raises(StepError, match="No inf checks were recorded") as caught:
        take(run, 1)
    assert "step found no gradients to check; put backward before step." in str(caught.value)
    assert different(run, before) == []


def test_a_refused_step_with_batchnorm_gives_its_buffers_back() -> None:
    """Forward has already moved them when backward fails."""
    run = Run(small(norm="BatchNorm1d"), USUAL)
    take(run, 3)
    before = run.fork()
    run.recipe = before.recipe = ordered("zero_grad", "forward", "backward", "backward")
    with pytest.raises(StepError):
        take(run, 1)
    assert different(run, before) == []


def test_a_step_before_backward_never_moves_a_weight() -> None:
    run = Run(small(), ordered("zero_grad", "forward", "step", "backward"))
    start = weights(run)
    steps = take(run, 20)
    assert all(same_bits(a, b) for a, b in zip(start, weights(run), strict=True))
    assert not any(step.updated for step in steps)
    assert all(math.isfinite(step.loss) for step in steps)

    normal = Run(small(), ordered(*ORDER))
    assert all(step.updated for step in take(normal, 20))
    assert not all(same_bits(a, b) for a, b in zip(start, weights(normal), strict=True))


def test_a_step_at_the_front_is_one_batch_late() -> None:
    """Its step k applies the gradient of batch k - 1, taken at weights one update older."""
    late = Run(small(), ordered("step", "zero_grad", "forward", "backward"))
    normal = Run(small(), ordered(*ORDER))
    first, *updates = take(late, 21)
    take(normal, 20)
    assert not first.updated and all(step.updated for step in updates)
    # The same losses in the same order, as each batch meets the weights of the batches before.
    assert same_weights(late, normal)
    late.recipe = ordered("step")
    take(late, 1)
    take(normal, 1)
    assert same_weights(late, normal)


def test_one_batch_late_sees_the_same_losses() -> None:
    late = Run(small(), ordered("step", "zero_grad", "forward", "backward"))
    normal = Run(small(), ordered(*ORDER))
    assert [s.loss for s in take(late, 20)] == [s.loss for s in take(normal, 20)]
    assert not same_weights(late, normal)


def test_unscale_after_step_runs_silently_wrong() -> None:
    """From the second step on the weights move by gradients 65,536 times too long."""
    task = small()
    wrong = Run(task, ordered("zero_grad", "forward", "backward", "step", "unscale", base=FP16))
    right = Run(task, ordered("zero_grad", "forward", "backward", "unscale", "step", base=FP16))
    runs = (wrong, right)
    start = [weights(run) for run in runs]
    take(wrong, 1)
    take(right, 1)
    assert same_weights(wrong, right)  # step unscales by itself if nobody has done so

    start = [weights(run) for run in runs]
    (bad,), (good,) = take(wrong, 1), take(right, 1)
    moved = [
        max(float((a - b).abs().max()) for a, b in zip(weights(run), old, strict=True))
        for run, old in zip(runs, start, strict=True)
    ]
    assert moved[0] / moved[1] == pytest.approx(65536, rel=1e-3)
    assert bad.grad_norm / good.grad_norm == pytest.approx(65536, rel=1e-3)
    assert not bad.skipped and bad.updated


def test_an_order_without_backward_or_step_only_watches() -> None:
    for stages in (("forward",), ("zero_grad", "forward"), ("zero_grad", "step"), ("schedule",)):
        run = Run(small(), ordered(*stages))
        start = weights(run)
        steps = take(run, 5)
        assert run.index == 5 and not any(step.updated for step in steps)
        assert all(same_bits(a, b) for a, b in zip(start, weights(run), strict=True))
        assert ("forward" in stages) == math.isfinite(steps[0].loss)


def test_backward_dropped_decays_nothing() -> None:
    """A weight without a gradient is left out of the update, decay and all."""
    run = Run(small(), Recipe(optimizer="AdamW", stages=without("backward")))
    start = weights(run)
    assert not any(step.updated for step in take(run, 5))
    assert all(same_bits(a, b) for a, b in zip(start, weights(run), strict=True))


def test_grad_off_can_still_look() -> None:
    run = Run(small(), replace(USUAL, grad=False, stages=("forward",)))
    (step,) = take(run, 1)
    assert math.isfinite(step.loss)
    assert not run.loss.requires_grad


def test_no_graph_crosses_a_step() -> None:
    run = Run(small(), USUAL)
    for _ in train(run, 2):
        assert run.loss.grad_fn is None and run.output is None
    run.recipe = ordered("zero_grad", "forward", "backward", "backward")
    with pytest.raises(StepError):
        take(run, 1)
    assert run.loss is None and run.output is None


def test_two_steps_a_step_are_two_updates() -> None:
    twice = Run(small(), ordered("zero_grad", "forward", "backward", "step", "step"))
    start = weights(twice)
    take(twice, 1)
    for p, old in zip(twice.model.parameters(), start, strict=True):
        assert p.grad is not None
        moved = old.add(p.grad, alpha=-0.05).add(p.grad, alpha=-0.05)
        assert same_bits(p, moved)


def test_a_failed_step_far_from_a_kept_state_comes_back_as_well() -> None:
    run = Run(small(dropout=0.1), replace(USUAL, momentum=0.9))
    take(run, 73)
    before = run.fork()
    run.recipe = before.recipe = ordered("zero_grad", "forward", "backward", "backward")
    with pytest.raises(StepError):
        take(run, 1)
    assert different(run, before) == []
    rewind(run, 20)
    fresh = Run(small(dropout=0.1), replace(USUAL, momentum=0.9))
    take(fresh, 20)
    assert different(run, fresh) == []


def test_losses_that_explode_are_told_apart_from_orders() -> None:
    run = Run("bowl", Recipe(lr=1e6))
    with pytest.raises(NonFiniteError):
        for _ in train(run, 10_000):
            pass
    assert torch.isfinite(run.model.w).all()  # type: ignore[arg-type]
