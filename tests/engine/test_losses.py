"""Losses: what a mean divides by, what a sum does not, and the slopes of both."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch
from torch import nn

from interactive_training import Recipe, RecipeError, Run, Task, train
from interactive_training.engine.build import make_loss
from interactive_training.engine.choices import LOSSES

ROWS, CLASSES = 7, 3
CASES: list[tuple[str, dict[str, Any]]] = [
    ("CrossEntropyLoss", {}),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}),
    ("BCEWithLogitsLoss", {}),
    ("MSELoss", {}),
    ("L1Loss", {}),
]


def batch(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and targets in float64, as the loss takes them."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(ROWS, CLASSES, generator=generator, dtype=torch.float64)
    ids = torch.arange(ROWS) % CLASSES
    hot = nn.functional.one_hot(ids, CLASSES).double()
    return outputs, ids if LOSSES[name].targets == "ids" else hot


def loss_of(name: str, options: dict[str, Any], reduction: str) -> nn.Module:
    return make_loss(name, Recipe(loss=name, loss_options=options), reduction)


def by_hand(name: str, options: dict[str, Any]) -> float:
    """The sum, from the formula."""
    outputs, targets = (part.tolist() for part in batch(name))
    total = 0.0
    for row, target in zip(outputs, targets, strict=True):
        if name == "CrossEntropyLoss":
            soft = options.get("label_smoothing", 0.0)
            top = math.log(sum(math.exp(z) for z in row))
            wanted = [soft / CLASSES + (1 - soft) * (i == target) for i in range(CLASSES)]
            total += sum(w * (top - z) for w, z in zip(wanted, row, strict=True))
        else:
            for z, y in zip(row, target, strict=True):
                total += {
                    "BCEWithLogitsLoss": math.log1p(math.exp(z)) - y * z,
                    "MSELoss": (z - y) ** 2,
                    "L1Loss": abs(z - y),
                }[name]
    return total


@pytest.mark.parametrize(("name", "options"), CASES)
def test_sum_and_mean_differ_by_the_divisor_that_the_row_names(
    name: str, options: dict[str, Any]
) -> None:
    outputs, targets = batch(name)
    total, mean = (loss_of(name, options, r)(outputs, targets).item() for r in ("sum", "mean"))
    divisor = {"rows": ROWS, "elements": ROWS * CLASSES}[LOSSES[name].divisor]
    assert total == pytest.approx(by_hand(name, options), rel=1e-12)
    assert mean == pytest.approx(total / divisor, rel=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_slope_is_that_of_finite_differences(
    name: str, options: dict[str, Any], reduction: str
) -> None:
    outputs, targets = batch(name)
    loss = loss_of(name, options, reduction)
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), outputs.requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_every_field_has_torchs_name_and_default(name: str) -> None:
    row = LOSSES[name]
    torchs = inspect.signature(row.make).parameters
    assert row.make is getattr(nn, name)
    assert all(field.default == torchs[field.name].default for field in row.fields)
    assert row.notice.endswith(".")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [5, 32])
def test_per_sample_is_on_one_scale_for_every_reduction(loss: str, batch_size: int) -> None:
    """The loss that is drawn does not jump when the reduction does, whatever the batch."""
    found = []
    for reduction in ("mean", "sum"):
        recipe = Recipe(loss=loss, reduction=reduction, batch_size=batch_size, lr=1e-12)
        found.append(list(train(Run(Task.named("blobs", n=61), recipe), 9)))
    for mean, total in zip(*found, strict=True):
        assert mean.per_sample == mean.loss
        assert total.per_sample == pytest.approx(mean.loss, rel=1e-5)
        divisor = mean.rows * (1 if LOSSES[loss].divisor == "rows" else 3)
        assert total.loss == pytest.approx(divisor * mean.loss, rel=1e-5)


@pytest.mark.parametrize("loss", ["BCEWithLogitsLoss", "MSELoss", "L1Loss"])
def test_class_numbers_become_one_hot_rows(loss: str) -> None:
    run = Run("blobs", Recipe(loss=loss))
    assert run.targets.shape == (len(run.inputs), 3) and run.targets.dtype == torch.float32
    data = run.task.data
    assert data is not None and torch.equal(run.targets.argmax(1), data.targets)
    before, *_, after = [step.loss for step in train(run, 150)]
    assert after < before / 2


def test_a_loss_changed_live_changes_the_targets_with_it() -> None:
    run = Run("blobs", Recipe(validate_every=1))
    for loss in ("MSELoss", "CrossEntropyLoss", "L1Loss", None):
        run.recipe = Recipe(validate_every=1, loss=loss, reduction="sum")
        (step,) = train(run, 1)
        alone = getattr(nn, loss or "CrossEntropyLoss")()
        with torch.no_grad():
            wanted = alone(run.model(run.validation[0]), run.validation[1]).item()
        assert step.metrics["validation_loss"] == pytest.approx(wanted, rel=1e-5)


def test_guessing_costs_the_logarithm_of_the_number_of_classes() -> None:
    outputs, targets = torch.zeros(4, 10), torch.arange(4)
    assert loss_of("CrossEntropyLoss", {}, "mean")(outputs, targets).item() == pytest.approx(
        math.log(10)
    )


def test_values_cannot_be_learned_as_classes() -> None:
    run = Run("regression")
    with pytest.raises(RecipeError, match=r"takes class numbers of type int64; use targets.long"):
        run.recipe = Recipe(loss="CrossEntropyLoss")
    assert run.recipe == Recipe()
