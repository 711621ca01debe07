"""Accumulation: however rows are cut into micro-batches, the step is that of all rows at once."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from interactive_training import Recipe, Run, Step, Task, train

MODEL = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def run_of(rows: int, recipe: Recipe) -> Run:
    generator = torch.Generator().manual_seed(rows)
    inputs = torch.randn(rows, 3, generator=generator)
    return Run(Task.of(MODEL, inputs, (inputs[:, 0] > 0).long(), batch_size=1), recipe)


def group(run: Run) -> list[Step]:
    """The micro-batches up to the next optimizer step, that one included."""
    found: list[Step] = []
    for step in train(run, 10_000):
        found.append(step)
        if step.updated:
            return found
    raise AssertionError("no group ended")


cuts = st.tuples(st.integers(1, 64), st.integers(1, 64), st.integers(1, 80))


@settings(max_examples=60, deadline=None)
@given(cuts, st.sampled_from(["mean", "sum"]), st.sampled_from([None, "MSELoss"]))
@example((10, 3, 80), "mean", None)  # more micro-batches than there are
@example((10, 3, 1), "mean", None)
@example((7, 3, 2), "mean", None)  # a tail that is a group of one micro-batch of one row
@example((64, 64, 1), "sum", None)
def test_any_partition_has_the_gradient_of_its_rows_at_once(
    cut: tuple[int, int, int], reduction: str, loss: str | None
) -> None:
    """Means are weighted by rows, also in the tail; sums are not divided at all."""
    rows, size, accumulate = cut
    size = min(size, rows)
    recipe = Recipe(lr=1e-9, accumulate=accumulate, batch_size=size, reduction=reduction, loss=loss)
    run = run_of(rows, recipe)
    loss_fn = (nn.MSELoss if loss else nn.CrossEntropyLoss)(reduction=reduction)
    groups = 0
    while run.epoch == 0:
        steps = group(run)
        groups += 1
        drawn = run.feed.order[run.feed.start : run.feed.end]
        assert sum(step.rows for step in steps) == len(drawn)
        assert len(steps) == math.ceil(len(drawn) / size) <= accumulate
        ours = [p.grad.clone() for p in run.model.parameters() if p.grad is not None]
        model = run.task.new_model(run.generator)
        loss_fn(model(run.inputs[drawn]), run.targets[drawn]).backward()
        for mine, whole in zip(ours, model.parameters(), strict=True):
            assert whole.grad is not None
            torch.testing.assert_close(mine, whole.grad, rtol=1e-5, atol=1e-6)
    assert groups == math.ceil(rows / (size * accumulate))
    assert run.index == math.ceil(rows / size)


def test_one_micro_batch_a_group_is_no_accumulation_bitwise() -> None:
    plain, grouped = run_of(50, Recipe(batch_size=50)), run_of(50, Recipe(batch_size=50))
    grouped.recipe = replace(grouped.recipe, accumulate=7)  # the epoch is one micro-batch anyway
    for one, other in zip(train(plain, 5), train(grouped, 5), strict=True):
        assert one.loss == other.loss and other.updated


def test_a_mean_of_means_would_be_wrong() -> None:
    """The negative control: with a tail of another size, equal weights give another gradient."""
    run = run_of(10, Recipe(lr=1e-9, batch_size=4, accumulate=3))
    group(run)
    ours = next(run.model.parameters()).grad
    model = run.task.new_model(run.generator)
    parts = run.feed.order.split(4)
    for rows in parts:
        loss = nn.functional.cross_entropy(model(run.inputs[rows]), run.targets[rows])
        (loss / len(parts)).backward()
    naive = next(model.parameters()).grad
    assert ours is not None and naive is not None
    assert (ours - naive).norm() > 0.01 * naive.norm()


@pytest.mark.parametrize("change", [{"accumulate": 2}, {"batch_size": 3}, {"accumulate": 1}])
def test_a_group_that_has_begun_keeps_its_size(change: dict[str, int]) -> None:
    run = run_of(60, Recipe(batch_size=5, accumulate=4))
    steps = list(train(run, 6))  # one group, and half of the next
    wanted = replace(run.recipe, **change, lr=0.05)
    run.recipe = wanted
    assert run.recipe == wanted and run.in_force.lr == 0.05
    rest = list(train(run, 2))
    assert [s.rows for s in steps + rest] == [5] * 8
    assert [s.updated for s in steps + rest] == [False, False, False, True] * 2
    assert run.recipe == wanted
    size, count = change.get("batch_size", 5), change.get("accumulate", 4)
    following = list(train(run, count))
    assert run.in_force == wanted
    assert [s.rows for s in following] == [size] * count
    assert [s.updated for s in following] == [False] * (count - 1) + [True]


def test_a_bowl_has_one_row_and_so_one_micro_batch_a_group() -> None:
    plain, grouped = Run("bowl"), Run("bowl", Recipe(accumulate=5))
    for one, other in zip(train(plain, 9), train(grouped, 9), strict=True):
        assert (one.loss, one.updated) == (other.loss, other.updated)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_forgetting_the_weights_is_another_learning_rate_only_for_sgd(optimizer: str) -> None:
    """A sum is 20 times the mean: Adam does not care, SGD takes steps 20 times as large."""
    mean = run_of(60, Recipe(optimizer=optimizer, lr=1e-3, batch_size=5, accumulate=4))
    total = run_of(60, replace(mean.recipe, reduction="sum"))
    moved = []
    for run in (mean, total):
        before = [p.detach().clone() for p in run.model.parameters()]
        group(run)
        pairs = zip(run.model.parameters(), before, strict=True)
        moved.append(torch.cat([(p.detach() - q).flatten() for p, q in pairs]))
    assert (moved[1] / moved[0]).median() == pytest.approx(
        1 if optimizer == "Adam" else 20, rel=0.01
    )
