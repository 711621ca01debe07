"""What `zero_grad` keeps is momentum, bitwise, and stops being it where something comes between."""

from dataclasses import replace

import pytest
import torch

from interactive_training import Recipe, Run

from .runs import different, same_bits, same_weights, small, take, weights, without

STEPS = 30
SLOW = Recipe(lr=0.02)


def pair(kept: Recipe, momentum: Recipe, *, first: int = 0) -> tuple[Run, Run]:
    """Two runs that are the same for `first` steps and then go on with these recipes."""
    runs = []
    for recipe in (kept, momentum):
        run = Run(small(), SLOW if first else recipe, seed=3)
        take(run, first)
        run.recipe = recipe
        take(run, STEPS)
        runs.append(run)
    return runs[0], runs[1]


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_a_kept_gradient_is_momentum(share: float) -> None:
    kept, momentum = pair(replace(SLOW, keep_grad=share), replace(SLOW, momentum=share), first=0)
    assert same_weights(kept, momentum)
    for p, buffer in zip(kept.model.parameters(), momentum.optimizer.state.values(), strict=True):
        assert p.grad is not None and same_bits(p.grad, buffer["momentum_buffer"])


def test_another_share_is_another_momentum() -> None:
    assert not same_weights(*pair(replace(SLOW, keep_grad=0.9), replace(SLOW, momentum=0.5)))


# Each row: what comes between, and why a kept gradient is then no momentum.
EXCLUDED = [
    (
        {"accumulate": 2},
        "zero_grad runs once a group: the gradient it shrinks is the whole group's, but the first "
        "micro-batch's loss is added to it before the second's, so sums are rounded otherwise",
    ),
    (
        {"weight_decay": 0.1},
        "the optimizer adds the decay to a copy of the gradient, so the kept gradient holds none "
        "of it, while the momentum buffer keeps every decay there was",
    ),
    (
        {"clip": "norm", "clip_at": 0.05},
        "clipping shortens the kept sum as a whole, while the buffer sums gradients that were "
        "each clipped for itself",
    ),
    (
        {"clip": "value", "clip_at": 0.01},
        "each number of the kept sum is cut off, while the buffer sums numbers cut off one by one",
    ),
    (
        {"amp": "float16"},
        "backward adds a gradient multiplied by the loss scale to one that unscale has divided by "
        "it, so unscale then divides the kept part by the scale: almost nothing is kept",
    ),
]


@pytest.mark.parametrize(("between", "why"), EXCLUDED, ids=lambda value: str(value)[:30])
def test_a_kept_gradient_is_not_momentum_when(between: dict[str, object], why: str) -> None:
    kept, momentum = pair(
        replace(SLOW, keep_grad=0.9, **between),  # type: ignore[arg-type]
        replace(SLOW, momentum=0.9, **between),  # type: ignore[arg-type]
    )
    assert not same_weights(kept, momentum), why


def test_in_groups_it_differs_by_nothing_but_rounding() -> None:
    kept, momentum = pair(
        replace(SLOW, keep_grad=0.9, accumulate=2), replace(SLOW, momentum=0.9, accumulate=2)
    )
    for a, b in zip(weights(kept), weights(momentum), strict=True):
        torch.testing.assert_close(a, b)


def test_a_kept_gradient_is_not_momentum_from_a_later_step() -> None:
    """The gradient of the step before is still there to be kept; the momentum buffer is empty."""
    assert not same_weights(
        *pair(replace(SLOW, keep_grad=0.9), replace(SLOW, momentum=0.9), first=5)
    )


def test_float16_divides_the_kept_gradient_by_the_scale() -> None:
    run = Run(small(), replace(SLOW, amp="float16", keep_grad=1.0), seed=3)
    take(run, 1)
    before = [p.grad.clone() for p in run.model.parameters() if p.grad is not None]
    fresh = Run(small(), replace(SLOW, amp="float16"), seed=3)
    take(fresh, 2)
    take(run, 1)
    assert run.scaler.get_scale() == 65536.0
    for p, clean, old in zip(run.model.parameters(), fresh.model.parameters(), before, strict=True):
        assert p.grad is not None and clean.grad is not None
        torch.testing.assert_close(p.grad, clean.grad + old / 65536, rtol=1e-2, atol=1e-6)


def test_float16_keeps_one_overflow_for_ever() -> None:
    """Infinity times any share is infinity, so every later update is skipped."""
    run = Run(small(), replace(SLOW, amp="float16", keep_grad=0.5), seed=3)
    take(run, 1)
    next(run.model.parameters()).grad.fill_(float("inf"))  # type: ignore[union-attr]
    before = weights(run)
    assert [step.skipped for step in take(run, 8)] == [True] * 8
    assert all(same_bits(a, b) for a, b in zip(before, weights(run), strict=True))


def test_a_forgotten_zero_grad_is_momentum_one() -> None:
    forgotten, momentum = pair(
        replace(SLOW, stages=without("zero_grad")), replace(SLOW, momentum=1.0)
    )
    assert same_weights(forgotten, momentum)
    kept, _ = pair(replace(SLOW, keep_grad=1.0), replace(SLOW, momentum=1.0))
    assert same_weights(forgotten, kept)


def test_on_the_bowl_as_well() -> None:
    runs = [
        Run("bowl", recipe)
        for recipe in (
            Recipe(lr=0.1, stages=without("zero_grad")),
            Recipe(lr=0.1, momentum=1.0),
            Recipe(lr=0.1),
        )
    ]
    for run in runs:
        take(run, 50)
    forgotten, momentum, usual = runs
    assert same_weights(forgotten, momentum)
    assert not same_weights(forgotten, usual)


# Where zero_grad may stand: anywhere between a step and the next backward.
HARMLESS = [
    ("zero_grad", "forward", "backward", "unscale", "clip", "step", "schedule"),
    ("forward", "zero_grad", "backward", "unscale", "clip", "step", "schedule"),
    ("forward", "backward", "unscale", "clip", "step", "zero_grad", "schedule"),
    ("forward", "backward", "unscale", "clip", "step", "schedule", "zero_grad"),
]
HARMFUL = [
    ("forward", "backward", "zero_grad", "unscale", "clip", "step", "schedule"),
    ("forward", "backward", "unscale", "clip", "zero_grad", "step", "schedule"),
    without("zero_grad"),
]


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad_may_stand_anywhere_between_step_and_backward(
    set_to_none: bool, accumulate: int
) -> None:
    usual = Recipe(optimizer="AdamW", lr=0.01, clip="norm", clip_at=0.1, accumulate=accumulate)
    runs = {
        stages: Run(small(), replace(usual, stages=stages, set_to_none=set_to_none))
        for stages in HARMLESS + HARMFUL
    }
    for run in runs.values():
        take(run, STEPS)
    first = runs[HARMLESS[0]]
    assert [same_weights(first, runs[order]) for order in HARMLESS] == [True] * 4
    assert [same_weights(first, runs[order]) for order in HARMFUL] == [False] * 3


def test_set_to_none_changes_nothing_for_plain_sgd() -> None:
    one, other = pair(replace(SLOW, momentum=0.9), replace(SLOW, momentum=0.9, set_to_none=False))
    assert same_weights(one, other)


def test_set_to_none_matters_where_no_backward_follows() -> None:
    """A zero gradient still decays the weights; a missing one leaves them out."""
    order = ("forward", "backward", "zero_grad", "step")
    recipe = Recipe(optimizer="AdamW", lr=0.01, stages=order)
    none, zeros = (Run(small(), replace(recipe, set_to_none=choice)) for choice in (True, False))
    start = weights(none)
    take(none, 5)
    take(zeros, 5)
    assert all(same_bits(a, b) for a, b in zip(start, weights(none), strict=True))
    assert not same_weights(none, zeros)


def test_clip_after_step_is_no_clip() -> None:
    """What it shortens is cleared before anybody uses it."""
    late = (*without("clip", "schedule"), "clip", "schedule")
    runs = [
        Run(small(), replace(SLOW, clip="norm", clip_at=1e-3, stages=late)),
        Run(small(), SLOW),
        Run(small(), replace(SLOW, clip="norm", clip_at=1e-3)),
    ]
    for run in runs:
        take(run, STEPS)
    clipped_late, usual, clipped = runs
    assert same_weights(clipped_late, usual)
    assert not same_weights(clipped, usual)


def test_clip_after_step_bites_when_zero_grad_is_forgotten() -> None:
    late = (*without("clip", "schedule", "zero_grad"), "clip", "schedule")
    clipped = Run(small(), replace(SLOW, clip="norm", clip_at=1e-3, stages=late))
    usual = Run(small(), replace(SLOW, stages=without("zero_grad")))
    take(clipped, STEPS)
    take(usual, STEPS)
    assert "parameters/0.weight" in "".join(different(clipped, usual))
