"""A NaN is noticed before it reaches the weights and named; the last finite state comes back."""

from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
import torch
from torch import nn

from interactive_training import NonFiniteError, Recipe, Run, Task, rewind, train, walk
from interactive_training.engine import measure, state

from .runs import FP16, different, model_of, noisy, same_bits, small, take, weights, without

BAD = pytest.mark.parametrize("bad", [nan, inf, -inf])
RECIPE = Recipe(optimizer="AdamW", lr=0.01, accumulate=2, schedule="StepLR")


def caught(run: Run, steps: int = 6, *, record: bool = True) -> NonFiniteError:
    with pytest.raises(NonFiniteError) as found:
        take(run, steps, record=record)
    assert "\n" not in str(found.value)
    return found.value


def into_input(run: Run, bad: float) -> None:
    run.inputs[:, 1] = bad


def into_parameter(run: Run, bad: float) -> None:
    with torch.no_grad():
        run.model[0].weight[2, 1] = bad  # type: ignore[index,union-attr,operator]


def into_bias(run: Run, bad: float) -> None:
    with torch.no_grad():
        run.model[-1].bias[0] = bad  # type: ignore[index,union-attr,operator]


def into_gradient(run: Run, bad: float) -> None:
    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        spoilt = gradient.clone()
        spoilt.view(-1)[3] = bad
        return spoilt

    run.hook = run.model[-1].weight.register_hook(spoil)  # type: ignore[attr-defined,index,union-attr,operator]


def into_mean(run: Run, bad: float) -> None:
    model_of(run, nn.BatchNorm1d).running_mean[0] = bad


def into_variance(run: Run, bad: float) -> None:
    model_of(run, nn.BatchNorm1d).running_var[1] = bad


PLANTED = {
    "input": into_input,
    "parameter 0.weight": into_parameter,
    "parameter 8.bias": into_bias,
    "gradient of 8.weight": into_gradient,
    "buffer 1.running_mean": into_mean,
    "buffer 1.running_var": into_variance,
}


def mend(run: Run) -> None:
    """What a learner would mend: the data, or what spoils a gradient."""
    assert run.task.data is not None
    run.inputs.copy_(run.task.data.inputs)
    if hasattr(run, "hook"):
        run.hook.remove()


@BAD
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_named_and_the_last_finite_state_comes_back(
    name: str, bad: float
) -> None:
    run = Run(noisy(), RECIPE, seed=1)
    take(run, 7)
    before = run.fork()
    run.inputs = run.inputs.clone()
    PLANTED[name](run, bad)
    error = caught(run)
    assert (error.step, error.tensor) == (7, name)
    assert f"at step 7 the {name} was not finite; the run is back before step 7" in str(error)
    assert different(run, before) == []

    mend(run)
    take(run, 8)
    take(before, 8)
    assert different(run, before) == []


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("index", [0, 50])
def test_a_state_kept_with_a_nan_in_it_is_passed_over(name: str, index: int) -> None:
    """It was planted just before a state was to be kept."""
    run = Run(noisy(), RECIPE)
    take(run, index)
    before = run.fork()
    run.inputs = run.inputs.clone()
    if index == 0:
        run.timeline.keep(run.capture())
    PLANTED[name](run, nan)
    error = caught(run)
    assert (error.step, error.tensor) == (index, name)
    assert different(run, before) == []
    mend(run)
    take(run, 3)


class Averaging(nn.Module):
    """Keeps a moving average of its inputs, in a new tensor at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what a linear layer makes of `x`."""
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        answer: torch.Tensor = self.layer(x)
        return answer


def test_a_buffer_that_the_model_replaces_is_looked_at_as_it_is() -> None:
    run = Run(Task.of(Averaging(), torch.randn(20, 2), torch.arange(20) % 2))
    take(run, 3)
    before = run.fork()
    run.model.mean[1] = nan  # type: ignore[index,operator]
    error = caught(run)
    assert (error.step, error.tensor) == (3, "buffer mean")
    assert different(run, before) == []


def test_a_run_that_was_never_finite_says_so_and_stays() -> None:
    run = Run(noisy(), RECIPE)
    into_parameter(run, nan)
    assert caught(run).tensor == "parameter 0.weight"
    assert run.index == 0 and not run.busy
    run.place({"0.weight": torch.zeros(16, 2)})
    take(run, 3)


class Exploding(nn.Module):
    """Its output is multiplied by `factor` in the one row whose first input is above 5."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x[:, :1] > 5, self.factor, 1.0) * self.layer(x)


@pytest.mark.parametrize(("factor", "tensor"), [(1e25, "loss"), (inf, "output"), (nan, "output")])
def test_a_loss_that_overflows_is_told_from_an_output_that_did(factor: float, tensor: str) -> None:
    inputs = torch.linspace(0, 1, 40).reshape(20, 2)
    inputs[17, 0] = 6
    task = Task.of(Exploding(factor), inputs, inputs[:, :1], loss="MSELoss", batch_size=5)
    run = Run(task, Recipe(lr=0.01, momentum=0.9, shuffle=False))
    before = Run(task, run.recipe)
    take(before, 3)
    error = caught(run)
    assert (error.step, error.tensor) == (3, tensor)
    assert different(run, before) == []


def test_a_target_is_told_from_an_input() -> None:
    task = Task.of(nn.Linear(2, 1), torch.rand(20, 2), torch.rand(20, 1), loss="MSELoss")
    run = Run(task, Recipe(batch_size=20))
    take(run, 1)
    run.targets = run.targets.clone()
    run.targets[3] = nan
    assert caught(run).tensor == "target"


def test_a_gradient_too_long_to_be_squared_is_noticed() -> None:
    """Every number in it is finite; its length is not."""
    run = Run(small(), Recipe())
    run.model[0].weight.register_hook(lambda g: torch.full_like(g, 2e22))  # type: ignore[index,union-attr,operator]
    assert caught(run).tensor == "gradient norm"


def test_nothing_is_noticed_without_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the NaN reaches every weight."""
    monkeypatch.setattr(measure, "broken", lambda *_: False)
    run = Run(noisy(), RECIPE)
    take(run, 7)
    into_parameter(run, nan)
    take(run, 2)
    assert not any(torch.isfinite(p).all() for p in run.model.parameters())


def test_in_slow_motion_as_well() -> None:
    run = Run(noisy(), RECIPE)
    take(run, 6)
    before = run.fork()
    into_parameter(run, nan)
    seen = []
    with pytest.raises(NonFiniteError):
        for line in walk(run):
            seen.append(line)
    assert "step" not in seen
    assert different(run, before) == []


@pytest.mark.parametrize("unseen", [1, 3, 60])
def test_without_records_it_is_noticed_at_the_next_record(unseen: int) -> None:
    """The run goes back to where it was finite, past all the steps that nobody looked at."""
    run = Run(noisy(), replace(RECIPE, lr=0.005), seed=2)
    take(run, 7)
    plain = run.model.state_dict()["0.weight"].clone()
    run.place({"0.weight": plain * 1e20})  # the outputs stay finite, their loss does not
    take(run, unseen, record=False)
    error = caught(run, 1)
    assert error.step == 7 + unseen
    assert f"the run is back before step {run.index}" in str(error)
    assert state.finite(run.capture())
    assert 7 <= run.index < 7 + unseen
    # One step further, it is not finite.
    further = run.fork()
    take(further, 1, record=False)
    assert not state.finite(further.capture())


def test_without_records_nothing_is_noticed_at_all() -> None:
    run = Run(small(), Recipe())
    take(run, 2)
    into_parameter(run, nan)
    take(run, 5, record=False)
    assert not state.finite(run.capture())


def test_an_update_that_overflows_is_taken_back() -> None:
    """Loss and gradient were finite in every step, until the decay made a weight infinite."""
    surface = Task.surface(lambda w: torch.cos(w * 1e-300).sum(), start=(1, 1))
    run = Run(surface, Recipe(optimizer="AdamW", lr=1e6, weight_decay=1e3))
    error = caught(run, 1_000)
    assert error.tensor == "parameter w"
    assert error.step == run.index + 1 > 1
    assert torch.isfinite(run.model.w).all()  # type: ignore[arg-type]
    before = Run(surface, run.recipe)
    take(before, run.index)
    assert different(run, before) == []
    run.recipe = replace(run.recipe, lr=0.1, weight_decay=0.0)
    take(run, 3)


def test_changes_made_on_the_way_are_made_again() -> None:
    run = Run(noisy(), RECIPE)
    take(run, 4)
    run.recipe = replace(RECIPE, lr=0.002, momentum=0.5)
    take(run, 2)
    run.place({"0.weight": torch.ones(16, 2)})
    take(run, 1)
    run.recipe = replace(RECIPE, lr=0.001)
    before = run.fork()
    into_parameter(run, nan)
    caught(run)
    assert different(run, before) == []
    rewind(run, 5)
    assert run.recipe.lr == 0.002


def test_the_recipe_that_was_asked_for_stays() -> None:
    run = Run("bowl", Recipe(lr=0.1))
    take(run, 3)
    run.recipe = replace(run.recipe, lr=1e6)
    assert "rewind further and lower lr" in str(caught(run, 10_000))
    assert run.recipe.lr == 1e6
    rewind(run, 4)
    run.recipe = replace(run.recipe, lr=0.1)
    assert [step.lr for step in take(run, 5)] == [0.1] * 5


def test_a_float16_overflow_is_no_error() -> None:
    run = Run(small(), FP16)
    run.scaler.scale(torch.zeros(()))
    run.scaler.update(2.0**24)
    start = weights(run)
    first, *others = take(run, 12)
    assert first.skipped and not first.updated
    assert first.grad_norm in (inf,) or first.grad_norm != first.grad_norm
    assert not others[-1].skipped and others[-1].updated
    assert not any(same_bits(a, b) for a, b in zip(start, weights(run), strict=True))


@pytest.mark.parametrize("name", ["input", "parameter 0.weight", "buffer 1.running_mean"])
def test_with_float16_a_nan_in_the_loss_or_a_buffer_is_one(name: str) -> None:
    run = Run(noisy(), FP16)
    take(run, 3)
    before = run.fork()
    run.inputs = run.inputs.clone()
    PLANTED[name](run, nan)
    assert caught(run).tensor == name
    assert different(run, before) == []


@pytest.mark.parametrize("clip", ["norm", "value"])
def test_clipping_does_not_hide_it(clip: str) -> None:
    """Torch's clipping would spread one NaN over all gradients without a word."""
    run = Run(noisy(), replace(RECIPE, clip=clip))
    take(run, 4)
    before = run.fork()
    into_gradient(run, nan)
    assert caught(run).tensor == "gradient of 8.weight"
    assert different(run, before) == []


@pytest.mark.parametrize(
    "stages",
    [
        ("step", "zero_grad", "forward", "backward"),
        ("forward", "backward", "step", "zero_grad"),
        without("zero_grad"),
        ("forward",),
    ],
)
def test_in_other_orders_as_well(stages: tuple[str, ...]) -> None:
    run = Run(noisy(), Recipe(lr=0.01, stages=stages))
    take(run, 5)
    before = run.fork()
    into_parameter(run, nan)
    assert caught(run).tensor == "parameter 0.weight"
    assert different(run, before) == []


def test_a_nan_in_a_kept_gradient_is_cleared_by_going_back() -> None:
    run = Run(small(), Recipe(lr=0.01, stages=without("zero_grad")))
    take(run, 5)
    before = run.fork()
    run.model[0].weight.grad[0, 0] = nan  # type: ignore[index,union-attr,operator]
    assert caught(run).tensor == "gradient of 0.weight"
    assert different(run, before) == []


def test_the_loop_can_be_left_and_entered_again() -> None:
    run = Run("bowl", Recipe(lr=0.3))
    losses: list[float] = []
    errors: list[Any] = []
    for _ in range(3):
        try:
            for step in train(run, 5_000):
                losses.append(step.loss)
        except NonFiniteError as error:
            errors.append(error)
    assert len(errors) == 3 and all(abs(loss) < inf for loss in losses)
    assert different(run.fork(), run) == []
