"""What a curve or an order of lines says, on runs that really went that way."""

from __future__ import annotations

import pytest

from interactive_training import History, Recipe, Run, train
from interactive_training.probes.patterns import of_curve, of_lines

USUAL = Recipe().stages


def without(stage: str) -> tuple[str, ...]:
    return tuple(one for one in USUAL if one != stage)


def trained(recipe: Recipe, steps: int, task: str = "moons") -> tuple[Run, History]:
    run, history = Run(task, recipe), History()
    for step in train(run, steps):
        history.append(step)
    return run, history


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stages": without("step")}, "step() is left out"),
        ({"stages": without("backward")}, "backward() is left out"),
        ({"stages": ("forward", "backward", "zero_grad", "step")}, "clears every gradient"),
        ({"stages": ("zero_grad", "forward", "step", "backward")}, "clears every gradient"),
        ({"grad": False, "stages": without("backward")}, "switched off"),
    ],
)
def test_weights_that_stand_still(change: dict[str, object], words: str) -> None:
    run, history = trained(Recipe(lr=0.05, **change), 25)
    found = of_lines(history, run.recipe, since=25)
    assert found is not None
    assert of_lines(history, run.recipe, since=3) is None
    assert found.pattern == "no weight has moved in 25 steps."
    assert words in found.diagnosis
    mended, later = trained(Recipe(**{"lr": 0.05, **change, **found.fields}), 25)
    if "grad" not in found.fields:  # that one has two faults
        assert of_lines(later, mended.recipe, since=25) is None


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"accumulate": 16},
        {"stages": without("zero_grad")},
        {"stages": ("step", "zero_grad", "forward", "backward")},
        {"amp": "float16"},
    ],
)
def test_weights_that_move(change: dict[str, object]) -> None:
    run, history = trained(Recipe(lr=0.05, **change), 60)
    assert of_lines(history, run.recipe, since=60) is None


def test_what_was_mended_is_not_blamed_before_it_could_act() -> None:
    run, history = trained(Recipe(lr=1e-4), 200, "digits")
    stuck = of_curve(history, run.recipe, 10, [], since=200)
    assert stuck is not None and stuck.short == "It still guesses."
    assert of_curve(history, run.recipe, 10, [], since=20) is None
