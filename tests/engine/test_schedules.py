"""Learning rates against closed forms: every schedule, every cadence, every switch between two."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interactive_training import Recipe, RecipeError, Run, Task, train
from interactive_training.engine.choices import CADENCES, OPTIMIZERS, SCHEDULES
from interactive_training.engine.difference import difference

LR, T = 0.02, 8


def stairs(t: int, lr: float = LR, step_size: int = 3, gamma: float = 0.5) -> float:
    return lr * gamma ** (t // step_size)


def cosine(t: int, lr: float = LR, length: int = T, low: float = 0.0) -> float:
    return low + (lr - low) * (1 + math.cos(math.pi * t / length)) / 2


def between(start: float, end: float, share: float, linear: bool) -> float:
    if linear:
        return start + (end - start) * share
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def cycle(
    t: int,
    lr: float = LR,
    length: int = T,
    up: float = 0.3,
    linear: bool = False,
    div: float = 25.0,
    final: float = 1e4,
) -> float:
    top = up * length - 1
    if t <= top:
        return between(lr / div, lr, t / top, linear)
    return between(lr, lr / div / final, (t - top) / (length - 1 - top), linear)


def constant(t: int, lr: float = LR) -> float:
    return lr


# A schedule, as a recipe has it and as a function of its ticks.
Closed = Callable[[int], float]
FORMS: dict[str, tuple[dict[str, Any], Closed]] = {
    "none": ({"schedule": None, "schedule_options": {}}, constant),
    "stairs": ({"schedule": "StepLR", "schedule_options": {"step_size": 3, "gamma": 0.5}}, stairs),
    "cosine": (
        {"schedule": "CosineAnnealingLR", "schedule_options": {"eta_min": 0.001}},
        lambda t: cosine(t, low=0.001),
    ),
    "cosine of its own length": (
        {"schedule": "CosineAnnealingLR", "schedule_options": {"T_max": 5}},
        lambda t: cosine(t, length=5),
    ),
    "cycle": ({"schedule": "OneCycleLR", "schedule_options": {}}, cycle),
    "linear cycle": (
        {
            "schedule": "OneCycleLR",
            "schedule_options": {
                "max_lr": 0.01,
                "total_steps": T,
                "pct_start": 0.5,
                "anneal_strategy": "linear",
                "div_factor": 10.0,
                "final_div_factor": 100.0,
            },
        },
        lambda t: cycle(t, 0.01, up=0.5, linear=True, div=10, final=100),
    ),
}
ENDS = ("cycle", "linear cycle")
BASE = Recipe(lr=LR, steps=T)


def recipe_of(form: str, **others: Any) -> Recipe:
    return replace(BASE, **FORMS[form][0], **others)


def rates(run: Run, steps: int) -> list[float]:
    return [step.lr for step in train(run, steps)]


def near(form: Closed, ticks: Any) -> Any:
    return pytest.approx([form(t) for t in ticks], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_field_has_torchs_name_and_default(name: str) -> None:
    """Where torch has none, the row has one: a length, or what follows the recipe."""
    row = SCHEDULES[name]
    assert row.make is getattr(torch.optim.lr_scheduler, name)
    torchs = inspect.signature(row.make).parameters
    for field in row.fields:
        default = torchs[field.name].default
        assert field.default == default or default is inspect.Parameter.empty, field.name


@pytest.mark.parametrize("form", FORMS)
def test_the_rate_of_every_step(form: str) -> None:
    steps = T if form in ENDS else 3 * T
    assert rates(Run("bowl", recipe_of(form)), steps) == near(FORMS[form][1], range(steps))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("every", CADENCES)
def test_the_rate_by_epochs_and_validations(form: str, every: str) -> None:
    task = Task.named("moons", n=50)  # 30 rows: three groups an epoch, of two, two and one
    run = Run(
        task, recipe_of(form, schedule_every=every, validate_every=2, batch_size=6, accumulate=2)
    )
    group = [i for epoch in range(3) for i in (0, 0, 1, 1, 2)]
    group = [g + 3 * (i // 5) for i, g in enumerate(group)]
    ticks = {
        "batch": group,
        "epoch": [g // 3 for g in group],
        "validation": [g // 2 for g in group],
    }
    wanted = [t for t in ticks[every] if form not in ENDS or t < T]
    assert rates(run, len(wanted)) == near(FORMS[form][1], wanted)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.floats(1e-4, 10), st.floats(0.05, 0.95), st.booleans())
def test_a_cycle_of_any_length(length: int, lr: float, up: float, linear: bool) -> None:
    assume(up * length != 1)  # torch divides by the steps of the way up, less one
    options = {"pct_start": up, "anneal_strategy": "linear" if linear else "cos"}
    recipe = Recipe(lr=lr, steps=length, schedule="OneCycleLR", schedule_options=options)
    task = Task.surface(lambda w: w.sum(), (0.0, 0.0))
    found = rates(Run(task, recipe), length)
    wanted = [cycle(t, lr, length, up, linear) for t in range(length)]
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-15)


def test_the_facts_of_a_cycle() -> None:
    recipe = Recipe(lr=0.1, steps=10, schedule="OneCycleLR")
    found = rates(Run("bowl", recipe), 10)
    facts = [0.004, 0.052, 0.1, 0.095048, 0.081175, 0.061126, 0.038874, 0.018826, 0.004952, 4e-7]
    assert found == pytest.approx(facts, abs=5e-7)


def test_a_cycle_moves_the_momentum_the_other_way() -> None:
    run = Run("bowl", recipe_of("cycle", momentum=0.9))
    group, found = run.optimizer.param_groups[0], []
    for _ in range(T):
        found.append(group["momentum"])
        rates(run, 1)
    top = 0.3 * T - 1
    wanted = [
        between(0.95, 0.85, t / top, False)
        if t <= top
        else between(0.85, 0.95, (t - top) / (T - 1 - top), False)
        for t in range(T)
    ]
    assert found == pytest.approx(wanted, rel=1e-12)


# Switches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), list(permutations(FORMS, 2)))
def test_a_switch_goes_on_at_the_same_tick(one: str, other: str) -> None:
    for at in (0, 1, T - 1, T, T + 1):
        if one in ENDS and at > T:
            continue
        run = Run("bowl", recipe_of(one))
        rates(run, at)
        if other in ENDS and at >= T:
            before = run.fork()
            with pytest.raises(RecipeError, match=f"ends after {T} ticks and {at} are done; raise"):
                run.recipe = recipe_of(other)
            assert run.recipe == before.recipe and difference(run, before) is None
            continue
        run.recipe = recipe_of(other)
        steps = T - at if other in ENDS else T
        assert rates(run, steps) == near(FORMS[other][1], range(at, at + steps))


@pytest.mark.parametrize("form", FORMS)
def test_a_schedule_through_the_same_schedule_is_itself(form: str) -> None:
    run = Run("bowl", recipe_of(form))
    found = rates(run, 3)
    run.recipe = recipe_of("none")
    run.recipe = recipe_of(form)
    assert found + rates(run, T - 3) == near(FORMS[form][1], range(T))


@pytest.mark.parametrize("form", FORMS)
def test_a_new_lr_is_the_new_height_of_the_same_schedule(form: str) -> None:
    run = Run("bowl", recipe_of(form))
    rates(run, 3)
    run.recipe = replace(run.recipe, lr=2 * LR)
    factor = 1 if form == "linear cycle" else 2  # it has a max_lr of its own
    low = 0.001 if form == "cosine" else 0.0
    wanted = [factor * (FORMS[form][1](t) - low) + low for t in range(3, T)]
    if form == "cosine":
        wanted = [cosine(t, 2 * LR, low=low) for t in range(3, T)]
    assert rates(run, T - 3) == pytest.approx(wanted, rel=1e-12)


def test_a_new_length_takes_the_ticks_along() -> None:
    run = Run("bowl", recipe_of("cosine of its own length"))
    rates(run, 3)
    run.recipe = replace(BASE, schedule="CosineAnnealingLR", steps=20)
    assert rates(run, 17) == near(lambda t: cosine(t, length=20), range(3, 20))


@pytest.mark.parametrize("change", [{"weight_decay": 0.1}, {"momentum": 0.9}, {"clip": "norm"}])
@pytest.mark.parametrize("form", FORMS)
def test_other_changes_leave_the_rate_alone(form: str, change: dict[str, Any]) -> None:
    run = Run("bowl", recipe_of(form))
    found = rates(run, 3)
    run.recipe = replace(run.recipe, **change)
    assert found + rates(run, T - 3) == near(FORMS[form][1], range(T))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("form", FORMS)
def test_another_optimizer_goes_on_at_the_same_tick(form: str, optimizer: str) -> None:
    run = Run("bowl", recipe_of(form, momentum=0.5))
    found = rates(run, 3)
    run.recipe = replace(run.recipe, optimizer=optimizer)
    assert found + rates(run, T - 3) == near(FORMS[form][1], range(T))


def test_a_cadence_changed_live_counts_its_own_ticks() -> None:
    task = Task.named("moons", n=50)
    run = Run(task, recipe_of("stairs", batch_size=10))  # three steps an epoch
    rates(run, 7)
    run.recipe = replace(run.recipe, schedule_every="epoch")
    assert rates(run, 8) == near(stairs, [2, 2, 3, 3, 3, 4, 4, 4])
    run.recipe = replace(run.recipe, schedule_every="batch")
    assert rates(run, 2) == near(stairs, [15, 16])


# The end of a cycle -----------------------------------------------------------------------------


@pytest.mark.parametrize("every", CADENCES)
def test_a_cycle_ends_in_words_and_with_nothing_lost(every: str) -> None:
    task = Task.named("moons", n=50)
    run = Run(task, recipe_of("cycle", schedule_every=every, batch_size=15, validate_every=2))
    steps = {"batch": T, "epoch": 2 * T, "validation": 2 * T}[every]
    rates(run, steps)
    before = run.fork()
    with pytest.raises(RecipeError, match=f"OneCycleLR ends after {T} ticks"):
        rates(run, 1)
    assert run.index == steps and difference(run, before) is None
    run.recipe = replace(run.recipe, steps=2 * T)  # the remedy
    wanted = {"batch": 1, "epoch": 2, "validation": 2}[every]
    assert rates(run, wanted) == near(lambda t: cycle(t, length=2 * T), [T] * wanted)


def test_a_cycle_without_its_line_never_ends() -> None:
    stages = tuple(s for s in BASE.stages if s != "schedule")
    assert len(rates(Run("bowl", recipe_of("cycle", stages=stages)), 2 * T)) == 2 * T


@pytest.mark.parametrize(("up", "length"), [(0.1, 10), (0.5, 2), (0.25, 4), (1.0, 10)])
def test_a_cycle_that_torch_cannot_compute_is_refused(up: float, length: int) -> None:
    """Its way up has no step, or its way down none: torch divides by 0."""
    with pytest.raises(RecipeError, match="pct_start"):
        Recipe(schedule="OneCycleLR", steps=length, schedule_options={"pct_start": up})


# Plateau ----------------------------------------------------------------------------------------


def plateau(**options: Any) -> Recipe:
    return Recipe(
        lr=0.1,
        validate_every=1,
        schedule="ReduceLROnPlateau",
        schedule_options={"patience": 2, **options},
        stages=("forward", "step", "schedule"),  # nothing moves: the validation loss is constant
    )


def test_a_plateau_cuts_after_patience_and_one_more_look() -> None:
    assert rates(Run("moons", plateau()), 9) == pytest.approx([0.1] * 4 + [0.01] * 3 + [0.001] * 2)


def test_a_plateau_looks_only_where_there_is_a_validation() -> None:
    run = Run("moons", replace(plateau(), validate_every=3))
    assert rates(run, 14) == pytest.approx([0.1] * 12 + [0.01] * 2)


@pytest.mark.parametrize("change", [{"lr": 0.2}, {"optimizer": "Adam", "lr": 0.2}])
def test_a_plateau_starts_anew_and_says_so(change: dict[str, Any]) -> None:
    run = Run("moons", plateau())
    assert rates(run, 5)[-1] == pytest.approx(0.01)
    run.recipe = replace(run.recipe, **change)
    assert (5, "ReduceLROnPlateau starts anew") in run.notes
    assert rates(run, 5) == pytest.approx([0.2] * 4 + [0.02])


def test_other_changes_leave_a_plateau_alone() -> None:
    run = Run("moons", plateau())
    rates(run, 2)
    run.recipe = replace(run.recipe, weight_decay=0.1, clip="norm")
    assert rates(run, 3) == pytest.approx([0.1, 0.1, 0.01]) and not run.notes


@pytest.mark.parametrize("form", FORMS)
def test_from_a_plateau_and_back(form: str) -> None:
    run = Run("moons", replace(plateau(), lr=LR, steps=T))
    rates(run, 5)
    run.recipe = replace(run.recipe, **FORMS[form][0])
    assert rates(run, 2) == near(FORMS[form][1], [5, 6])
    run.recipe = replace(plateau(), lr=LR, steps=T)
    assert rates(run, 5) == pytest.approx([LR] * 4 + [LR / 10])
