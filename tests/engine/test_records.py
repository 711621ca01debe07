"""What a record says of a step, against the same numbers computed by hand."""

from dataclasses import replace
from math import hypot, nan
from typing import Any

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Step, Task, train
from interactive_training.engine.choices import STAGES

from .runs import FP16, noisy, same_bits, small, take, weights, without


def by_hand(run: Run) -> tuple[float, dict[str, float], list[torch.Tensor]]:
    """Loss, gradient length by parameter, and gradients of the step that a run will take next."""
    twin = run.fork()
    twin.fetch()
    loss_fn = getattr(nn, run.recipe.loss or run.task.loss)(reduction=run.recipe.reduction)
    twin.optimizer.zero_grad()
    loss = loss_fn(twin.model(twin.x), twin.y)
    loss.backward()
    gradients = {n: p.grad for n, p in twin.model.named_parameters() if p.grad is not None}
    return loss.item(), {n: g.norm().item() for n, g in gradients.items()}, list(gradients.values())


def one(run: Run) -> Step:
    return take(run, 1)[0]


def test_loss_and_lengths() -> None:
    run = Run(small(norm="BatchNorm1d"), Recipe(lr=0.05, momentum=0.9))
    for index in range(7):
        loss, lengths, _ = by_hand(run)
        step = one(run)
        assert (step.index, step.loss, step.per_sample) == (index, loss, loss)
        assert step.rows == (4 if index == 4 else 8)
        assert step.grad_norm == pytest.approx(hypot(*lengths.values()))
        assert set(step.layer_norms) == {"0", "1", "3", "4", "6"}
        for layer, length in step.layer_norms.items():
            both = lengths[f"{layer}.weight"], lengths[f"{layer}.bias"]
            assert length == pytest.approx(hypot(*both))
        assert (step.clip_scale, step.amp_scale, step.skipped, step.updated) == (1, 1, False, True)
        assert step.recipe is run.recipe and step.metrics == {}


def test_a_record_is_frozen() -> None:
    step = one(Run(small(), Recipe()))
    with pytest.raises(AttributeError):
        step.loss = 0.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        step.metrics["loss"] = 0.0  # type: ignore[index]


@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss", "L1Loss"])
def test_per_sample_is_one_scale_for_mean_and_sum(loss: str) -> None:
    mean, total = (Run(small(), Recipe(loss=loss, reduction=r)) for r in ("mean", "sum"))
    for _ in range(6):  # the fifth batch is shorter
        a = one(mean)
        total.restore(mean.capture())
        total.recipe = replace(total.recipe, reduction="sum")
        mean_next, sum_next = one(mean), one(total)
        assert a.per_sample == a.loss
        assert sum_next.per_sample == pytest.approx(mean_next.per_sample, rel=1e-6)
        divisor = sum_next.rows * (1 if loss == "CrossEntropyLoss" else 2)
        assert sum_next.per_sample == sum_next.loss / divisor
        assert sum_next.loss > mean_next.loss


def test_per_sample_with_a_value_for_each_row() -> None:
    run = Run("regression", Recipe(reduction="sum", lr=1e-4))
    loss, _, _ = by_hand(run)
    step = one(run)
    assert step.loss == loss and step.per_sample == loss / step.rows


def test_lr_is_that_of_the_step_and_not_of_the_next() -> None:
    recipe = Recipe(lr=0.1, schedule="StepLR", schedule_options={"step_size": 2, "gamma": 0.5})
    expected = [0.1, 0.1, 0.05, 0.05, 0.025]
    assert [s.lr for s in take(Run(small(), recipe), 5)] == expected
    early = replace(recipe, stages=("schedule", *without("schedule")))
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        assert [s.lr for s in take(Run(small(), early), 4)] == [*expected, 0.0][1:5]


def test_clip_scale_by_norm_is_what_shortens_the_gradient() -> None:
    run = Run(small(), Recipe(clip="norm", clip_at=0.1))
    _, _, gradients = by_hand(run)
    step = one(run)
    assert step.clip_scale == pytest.approx(0.1 / (step.grad_norm + 1e-6))
    for p, gradient in zip(run.model.parameters(), gradients, strict=True):
        torch.testing.assert_close(p.grad, gradient * step.clip_scale)
    run.recipe = replace(run.recipe, clip_at=100.0)
    assert one(run).clip_scale == 1.0
    run.recipe = replace(run.recipe, clip_at=1e-3, stages=without("clip"))
    assert one(run).clip_scale == 1.0


def test_clip_scale_by_value_is_the_length_that_is_left() -> None:
    run = Run(small(), Recipe(clip="value", clip_at=0.02))
    _, _, gradients = by_hand(run)
    step = one(run)
    before = torch.cat([g.reshape(-1) for g in gradients])
    after = before.clamp(-0.02, 0.02)
    assert step.grad_norm == pytest.approx(before.norm().item())
    assert step.clip_scale == pytest.approx((after.norm() / before.norm()).item())


def test_lengths_are_taken_just_before_clip_or_step() -> None:
    """Not after zero_grad or clip have changed them; and if neither comes, at the end."""
    usual = one(Run(small(), Recipe()))
    for stages in (
        without("step"),
        ("forward", "backward", "step", "zero_grad"),
        ("zero_grad", "forward", "backward", "clip", "step"),
    ):
        step = one(Run(small(), Recipe(stages=stages, clip="norm", clip_at=1e-3)))
        assert step.grad_norm == usual.grad_norm
    cleared = one(Run(small(), Recipe(stages=("forward", "backward", "zero_grad"))))
    assert cleared.grad_norm == 0.0 and cleared.layer_norms == {}


def test_a_missing_gradient_counts_as_none() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)  # type: ignore[no-any-return]

    data = small().data
    assert data is not None
    run = Run(Task.of(Half(), data.inputs, data.targets, batch_size=9), Recipe())
    step = one(run)
    assert set(step.layer_norms) == {"used"}
    assert step.grad_norm == step.layer_norms["used"]


def test_a_frozen_layer_has_no_length() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    data = small().data
    assert data is not None
    run = Run(Task.of(model, data.inputs, data.targets, batch_size=9), Recipe())
    start = weights(run)
    assert set(one(run).layer_norms) == {"2"}
    moved = [not same_bits(a, b) for a, b in zip(start, weights(run), strict=True)]
    assert moved == [False, False, True, True]


def test_float16s_scale_skips_and_updates() -> None:
    run = Run(small(), replace(FP16, lr=0.05))
    run.scaler.scale(torch.zeros(()))
    run.scaler.update(2.0**21)
    scale = 2.0**21
    skips = 0
    for _ in range(12):
        before = weights(run)
        step = one(run)
        assert step.amp_scale == scale
        still = all(same_bits(a, b) for a, b in zip(before, weights(run), strict=True))
        assert step.skipped == still and step.updated != step.skipped
        scale = scale / 2 if step.skipped else scale
        assert run.scaler.get_scale() == scale
        skips += step.skipped
    assert 0 < skips < 12
    assert one(Run(small(), Recipe())).amp_scale == 1.0


def test_float16s_lengths_are_measured_after_unscale() -> None:
    """Just before clip, so that they can be compared with clip_at."""
    half, full = Run(small(), FP16), Run(small(), replace(FP16, amp="off"))
    assert one(half).grad_norm == pytest.approx(one(full).grad_norm, rel=1e-2)
    scaled = one(Run(small(), replace(FP16, stages=without("unscale"))))
    assert scaled.grad_norm == pytest.approx(65536 * one(Run(small(), FP16)).grad_norm, rel=1e-2)


def test_updated_in_a_group() -> None:
    run = Run(small(), Recipe(accumulate=2, validate_every=1))
    steps = take(run, 5)
    assert [s.updated for s in steps] == [False, True, False, True, True]  # the tail is a group
    assert [bool(s.metrics) for s in steps] == [False, True, False, True, True]
    assert [s.rows for s in steps] == [8, 8, 8, 8, 4]


def test_updated_says_whether_weights_moved() -> None:
    for stages in (STAGES, without("step"), without("backward"), ("zero_grad", "step", "forward")):
        run = Run(small(), Recipe(stages=stages))
        start = weights(run)
        step = one(run)
        moved = not all(same_bits(a, b) for a, b in zip(start, weights(run), strict=True))
        assert step.updated == moved


def test_metrics_are_the_validation_rows_in_eval_mode() -> None:
    run = Run(noisy(), Recipe(validate_every=3))
    steps = take(run, 6)
    assert [index for index, step in enumerate(steps) if step.metrics] == [2, 5]
    inputs, targets = run.validation
    run.model.eval()
    with torch.no_grad():
        answers = run.model(inputs)
    assert steps[5].metrics == {
        "validation_loss": pytest.approx(nn.functional.cross_entropy(answers, targets).item()),
        "validation_accuracy": pytest.approx((answers.argmax(1) == targets).float().mean().item()),
    }


def test_metrics_are_means_whatever_the_reduction() -> None:
    mean = take(Run(small(), Recipe(validate_every=1, stages=("forward",))), 1)[0]
    total = Recipe(validate_every=1, stages=("forward",), reduction="sum")
    assert take(Run(small(), total), 1)[0].metrics == mean.metrics


def test_a_regression_has_no_accuracy() -> None:
    step = one(Run("regression", Recipe(validate_every=1)))
    assert set(step.metrics) == {"validation_loss"}


def test_a_loss_that_was_not_computed_is_nan() -> None:
    step = one(Run(small(), Recipe(stages=("zero_grad", "step"))))
    assert repr((step.loss, step.grad_norm)) == repr((nan, 0.0))


def test_the_bowls_record() -> None:
    step = one(Run("bowl", Recipe(lr=0.1)))
    assert (step.loss, step.per_sample, step.rows) == (25.0, 25.0, 1)  # 3^2 + 4 * 2^2
    assert step.grad_norm == hypot(6, 16) and step.layer_norms == {"w": hypot(6, 16)}


def test_without_records_the_loop_yields_none() -> None:
    run = Run(small(), Recipe())
    assert list(train(run, 3, record=False)) == [None] * 3
    assert run.last is None and run.index == 3
    assert one(run) is run.last


# Each row: the recipe before, the fields that change, what is noted, and whether memory stays.
SWITCHES: list[tuple[Recipe, dict[str, Any], list[str], bool]] = [
    (Recipe(optimizer="AdamW"), {"lr": 0.5, "betas": (0.5, 0.9)}, [], True),
    (Recipe(momentum=0.9), {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}, [], True),
    (Recipe(momentum=0.9), {"clip": "norm", "amp": "bfloat16", "accumulate": 2}, [], True),
    (Recipe(), {"optimizer": "AdamW"}, ["AdamW starts with empty state"], False),
    (
        Recipe(optimizer="AdamW"),
        {"optimizer_options": {"amsgrad": True}},
        ["AdamW starts with empty state"],
        False,
    ),
    (
        Recipe(momentum=0.9),
        {"schedule": "ReduceLROnPlateau", "validate_every": 5},
        ["ReduceLROnPlateau starts anew"],
        True,
    ),
    (
        Recipe(momentum=0.9, schedule="ReduceLROnPlateau", validate_every=5),
        {"optimizer": "RMSprop"},
        ["RMSprop starts with empty state", "ReduceLROnPlateau starts anew"],
        False,
    ),
    (Recipe(momentum=0.9), {"schedule": "CosineAnnealingLR"}, [], True),
]


@pytest.mark.parametrize(("recipe", "fields", "notes", "kept"), SWITCHES)
def test_what_a_switch_empties_is_noted(
    recipe: Recipe, fields: dict[str, Any], notes: list[str], kept: bool
) -> None:
    run = Run(small(), recipe)
    take(run, 5)
    before = run.capture()
    run.recipe = replace(recipe, **fields)
    assert run.notes == [(5, note) for note in notes]
    memory = run.optimizer.state_dict()["state"]
    assert bool(memory) == kept
    if kept:
        for number, values in before["optimizer"]["state"].items():
            for key, value in values.items():
                assert same_bits(torch.as_tensor(memory[number][key]), torch.as_tensor(value))
    take(run, 3)
