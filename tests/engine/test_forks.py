"""Cause and effect: an unchanged twin differs by nothing, a changed one where the change acts."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import pytest
import torch

from interactive_training import Recipe, Run, Task, TaskError, first_difference, rewind, walk

from .runs import FP16, different, noisy, small, take, weights, without

USUAL = Recipe(lr=0.05, momentum=0.9)
RECIPES = {
    "usual": USUAL,
    "group": replace(USUAL, accumulate=3),
    "AdamW, OneCycle": Recipe(optimizer="AdamW", lr=0.01, schedule="OneCycleLR", clip="norm"),
    "plateau": Recipe(
        validate_every=1,
        schedule="ReduceLROnPlateau",
        schedule_options={"patience": 0, "threshold": 0.5},
    ),
    "float16": replace(FP16, momentum=0.9),
    "forgotten": Recipe(lr=0.01, stages=without("zero_grad")),
}


@pytest.mark.parametrize("name", RECIPES)
def test_an_unchanged_twin_differs_by_nothing_wherever_it_was_forked(name: str) -> None:
    """At every step of two epochs: inside a group, at an epoch's edge, after a plateau cut."""
    run = Run(noisy(), RECIPES[name], seed=4)
    for _ in range(11):
        twin = run.fork()
        assert different(run, twin) == []
        take(run, 1)
        take(twin, 6)
        ahead = run.fork()
        take(ahead, 5)
        assert different(ahead, twin) == []
        assert first_difference(ahead, twin) is None
        assert first_difference(run, twin) is None


def test_a_fork_after_a_skipped_step() -> None:
    run = Run(noisy(), FP16)
    run.scaler.scale(torch.zeros(()))
    run.scaler.update(2.0**40)
    assert take(run, 2)[-1].skipped
    twin = run.fork()
    assert [s.skipped for s in take(run, 40)] == [s.skipped for s in take(twin, 40)]
    assert not run.skipped
    assert first_difference(run, twin) is None
    assert different(run, twin) == []


def test_a_fork_shares_nothing_with_its_run() -> None:
    run = Run(noisy(), USUAL)
    take(run, 3)
    before = run.capture()
    twin = run.fork()
    take(twin, 10)
    twin.recipe = Recipe(optimizer="AdamW")
    with torch.no_grad():
        for p in twin.model.parameters():
            p.zero_()
    fresh = Run(noisy(), USUAL)
    fresh.restore(before)
    assert different(run, fresh) == []
    assert {p.data_ptr() for p in run.model.parameters()}.isdisjoint(
        p.data_ptr() for p in twin.model.parameters()
    )


# Each row: what is changed before step 7, and what is the first thing to differ, and when.
GRADIENT, WEIGHT = "gradient of 0.weight", "parameter 0.weight"
CHANGED = {
    "lr": ({"lr": 0.06}, (7, WEIGHT)),
    "momentum": ({"momentum": 0.5}, (7, WEIGHT)),
    "weight decay": ({"weight_decay": 0.1}, (7, WEIGHT)),
    "clip": ({"clip": "norm", "clip_at": 1e-3}, (7, GRADIENT)),
    "reduction": ({"reduction": "sum"}, (7, GRADIENT)),
    "batch size": ({"batch_size": 4}, (7, GRADIENT)),
    "zero_grad dropped": ({"stages": without("zero_grad")}, (7, GRADIENT)),
    "zero_grad kept in part": ({"keep_grad": 0.5}, (7, GRADIENT)),
    "step dropped": ({"stages": without("step")}, (7, WEIGHT)),
    "eval mode (dropout)": ({"mode": "eval"}, (7, GRADIENT)),
    "loss": ({"loss": "MSELoss"}, (7, GRADIENT)),
    "bfloat16": ({"amp": "bfloat16"}, (7, GRADIENT)),
    "optimizer": ({"optimizer": "AdamW"}, (7, WEIGHT)),
    "schedule": ({"schedule": "CosineAnnealingLR", "steps": 10}, (7, WEIGHT)),
    # The order of an epoch is drawn when it begins: an epoch has 5 steps, so at step 10.
    "shuffle": ({"shuffle": False}, (10, GRADIENT)),
    # Nesterov looks ahead only in the update.
    "nesterov": ({"nesterov": True}, (7, WEIGHT)),
    # Watching, and a threshold that nothing reaches, change nothing at all.
    "validation": ({"validate_every": 1}, None),
    "clip that never bites": ({"clip": "norm", "clip_at": 1e9}, None),
}


@pytest.mark.parametrize("name", CHANGED)
def test_the_first_step_and_tensor_that_differ_are_named(name: str) -> None:
    fields, expected = CHANGED[name]
    run = Run(small(dropout=0.25), USUAL, seed=5)
    take(run, 7)
    twin = run.fork()
    twin.recipe = replace(twin.recipe, **fields)  # type: ignore[arg-type]
    take(run, 6)
    take(twin, 6)
    found = first_difference(run, twin)
    assert found == first_difference(twin, run)
    if expected is None:
        assert found is None
    else:
        assert found is not None and found[:2] == expected
        assert 0 < found[2] < inf


def test_the_size_of_the_difference_is_that_of_the_tensors() -> None:
    run = Run(small(), USUAL)
    take(run, 3)
    twin = run.fork()
    twin.recipe = replace(USUAL, lr=0.06)
    take(run, 1)
    take(twin, 1)
    (one, *_), (other, *_) = weights(run), weights(twin)
    expected = float((one.double() - other.double()).abs().max())
    take(run, 5)
    take(twin, 9)
    assert first_difference(run, twin) == (3, WEIGHT, expected)


def test_a_change_only_of_the_optimizers_memory_is_seen_there_first() -> None:
    """Momentum's first step is the plain one; only the buffer shows that it has begun."""
    run = Run(small(), Recipe(lr=0.05))
    take(run, 3)
    twin = run.fork()
    twin.recipe = replace(twin.recipe, momentum=0.9)
    take(run, 4)
    take(twin, 4)
    assert first_difference(run, twin) == (3, "optimizer momentum_buffer of 0.weight", inf)


def test_a_placed_twin_differs_in_what_follows() -> None:
    run = Run(small(), USUAL)
    take(run, 4)
    twin, still = run.fork(), run.fork()
    weight = weights(run)[0] + 0.5
    twin.place({"0.weight": weight})
    still.place({"0.weight": weight})
    found = first_difference(run, still)
    assert found is not None and found == (4, WEIGHT, pytest.approx(0.5))
    take(run, 3)
    take(twin, 3)
    found = first_difference(run, twin)
    assert found is not None and found[:2] == (4, GRADIENT)


def test_another_seed_differs_from_the_start() -> None:
    runs = [Run("moons", Recipe(), seed=seed) for seed in (0, 1)]
    for run in runs:
        take(run, 3)
    found = first_difference(*runs)
    assert found is not None and found[:2] == (0, WEIGHT)


def test_a_change_that_was_taken_back_is_still_found() -> None:
    run = Run(small(), USUAL)
    take(run, 3)
    twin = run.fork()
    twin.recipe = replace(USUAL, lr=0.5)
    take(run, 6)
    take(twin, 1)
    twin.recipe = USUAL
    take(twin, 5)
    found = first_difference(run, twin)
    assert found is not None and found[:2] == (3, WEIGHT)


def test_a_change_that_has_not_come_into_force_yet_differs_by_nothing() -> None:
    run = Run(small(), USUAL)
    take(run, 3)
    twin = run.fork()
    twin.recipe = replace(USUAL, clip="norm")
    assert first_difference(run, twin) is None


def test_a_run_is_compared_with_a_twin_that_went_back() -> None:
    run = Run(noisy(), USUAL)
    take(run, 60)
    twin = run.fork()
    take(run, 10)
    take(twin, 10)
    rewind(twin, 62)
    twin.recipe = replace(USUAL, lr=1e-3)
    take(twin, 5)
    found = first_difference(run, twin)
    assert found is not None and found[:2] == (62, WEIGHT)


def test_comparing_changes_neither_run() -> None:
    run = Run(noisy(), RECIPES["plateau"])
    take(run, 8)
    twin = run.fork()
    twin.recipe = replace(twin.recipe, lr=0.5)
    take(twin, 5)
    states = [r.capture() for r in (run, twin)]
    before = [
        (r.timeline.next_at, len(r.timeline.kept), len(r.timeline.changes)) for r in (run, twin)
    ]
    first_difference(run, twin)
    for r, state, timeline in zip((run, twin), states, before, strict=True):
        fresh = r.fork()
        fresh.restore(state)
        assert different(r, fresh) == []
        assert (r.timeline.next_at, len(r.timeline.kept), len(r.timeline.changes)) == timeline


def test_runs_of_different_models_are_not_compared() -> None:
    with pytest.raises(TaskError, match="compare a run with its fork"):
        first_difference(Run("moons"), Run("digits"))


def leave_out(part: str) -> Callable[[pytest.MonkeyPatch], None]:
    def broken(patch: pytest.MonkeyPatch) -> None:
        from interactive_training.engine import state

        real: Any = state.restore

        def restore(run: Run, saved: dict[str, Any]) -> None:
            real(run, saved | {part: run.capture()[part]})

        patch.setattr(state, "restore", restore)

    return broken


@pytest.mark.parametrize("part", ["generator", "feed", "optimizer", "gradients"])
def test_a_fork_that_forgets_something_is_found_out(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(noisy(), RECIPES["group"])
    take(run, 7)
    leave_out(part)(monkeypatch)
    twin = run.fork()
    monkeypatch.undo()
    take(run, 5)
    take(twin, 5)
    assert different(run, twin) != []


def test_a_walk_may_be_watched_through_forks_between_its_steps() -> None:
    run, plain = (Run(noisy(), USUAL) for _ in range(2))
    for _ in range(4):
        for _ in walk(run):
            pass
        run.fork()
    take(plain, 4)
    assert different(run, plain) == []


def test_own_tasks_fork_like_named_ones() -> None:
    torch_state = torch.get_rng_state()
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    inputs, targets = torch.randn(20, 3), torch.arange(20) % 2
    torch.set_rng_state(torch_state)
    run = Run(Task.of(model, inputs, targets, batch_size=6), USUAL)
    take(run, 5)
    twin = run.fork()
    take(run, 9)
    take(twin, 9)
    assert different(run, twin) == [] and first_difference(run, twin) is None
