"""The script that a run shows is the run: on its own, it prints the same losses, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from interactive_training import (
    NonFiniteError,
    Recipe,
    RecipeError,
    Run,
    StepError,
    export,
    train,
)
from interactive_training.engine.choices import STAGES

from .examples import TASKS, task_named
from .pairwise import pairwise

Printed = Callable[[Path], list[float]]
STEPS = 25
MIXED = (
    *("digits", "dropout", "batchnorm", "residual", "regression"),
    *("lambda", "sequential", "draws"),
)

# Recipes ----------------------------------------------------------------------------------------

PLATEAU = {"factor": 0.5, "patience": 0, "threshold": 0.05, "cooldown": 1}
ZERO, FORWARD, BACKWARD, UNSCALE, CLIP, STEP, SCHEDULE = STAGES
SWITCHES: dict[str, list[dict[str, Any]]] = {
    "task": [{"task": name} for name in MIXED],
    "optimizer": [
        {"lr": 0.05},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"lr": 0.02, "momentum": 0.8, "optimizer_options": {"dampening": 0.3}},
        {"lr": 0.01, "optimizer_options": {"maximize": True}},
        {
            "optimizer": "RMSprop",
            "lr": 0.001,
            "momentum": 0.5,
            "optimizer_options": {"centered": True, "alpha": 0.9},
        },
        {
            "optimizer": "Adagrad",
            "optimizer_options": {"lr_decay": 0.01, "initial_accumulator_value": 0.1},
        },
        {"optimizer": "Adam", "lr": 0.001, "optimizer_options": {"amsgrad": True, "eps": 1e-4}},
        {"optimizer": "AdamW", "lr": 0.01, "betas": (0.8, 0.9)},
        {
            "optimizer": "RAdam",
            "lr": 0.01,
            "weight_decay": 0.1,
            "optimizer_options": {"decoupled_weight_decay": True},
        },
    ],
    "loss": [
        {},
        {"loss": "CrossEntropyLoss", "loss_options": {"label_smoothing": 0.1}},
        {"loss": "BCEWithLogitsLoss"},
        {"loss": "MSELoss"},
        {"loss": "L1Loss"},
    ],
    "reduction": [{}, {"reduction": "sum"}],
    "clip": [{}, {"clip": "norm", "clip_at": 0.5}, {"clip": "value", "clip_at": 0.05}],
    "amp": [{}, {"amp": "bfloat16"}, {"amp": "float16"}],
    "accumulate": [{}, {"accumulate": 3}],
    "batch_size": [{}, {"batch_size": 17}, {"batch_size": 58}],
    "shuffle": [{}, {"shuffle": False}],
    "keep_grad": [{}, {"keep_grad": 0.5}, {"keep_grad": 1.0}],
    "set_to_none": [{}, {"set_to_none": False}],
    "mode": [{}, {"mode": "eval"}],
    "schedule": [
        {},
        {"schedule": "StepLR"},
        {"schedule": "StepLR", "schedule_options": {"step_size": 3, "gamma": 0.5}},
        {"schedule": "CosineAnnealingLR", "steps": 8},
        {"schedule": "CosineAnnealingLR", "schedule_options": {"T_max": 5, "eta_min": 0.001}},
        {"schedule": "OneCycleLR", "steps": 40},
        {
            "schedule": "OneCycleLR",
            "schedule_options": {
                "max_lr": 0.02,
                "total_steps": 50,
                "pct_start": 0.5,
                "anneal_strategy": "linear",
                "cycle_momentum": False,
            },
        },
        {"schedule": "ReduceLROnPlateau", "schedule_options": PLATEAU},
    ],
    "schedule_every": [{}, {"schedule_every": "epoch"}, {"schedule_every": "validation"}],
    "validate_every": [{}, {"validate_every": 2}],
    "stages": [
        {},
        {"stages": (FORWARD, BACKWARD, UNSCALE, CLIP, STEP, SCHEDULE)},
        {"stages": (ZERO, FORWARD, BACKWARD, UNSCALE, STEP, CLIP, SCHEDULE)},
        {"stages": (FORWARD, ZERO, BACKWARD, CLIP, UNSCALE, STEP, SCHEDULE)},
        {"stages": (FORWARD, BACKWARD, ZERO, UNSCALE, CLIP, STEP)},
        {"stages": (SCHEDULE, FORWARD, BACKWARD, UNSCALE, CLIP, STEP, ZERO)},
        {"stages": (CLIP, STEP, ZERO, FORWARD, BACKWARD, SCHEDULE)},
        {"stages": (ZERO, FORWARD, BACKWARD, UNSCALE, CLIP, SCHEDULE, STEP, SCHEDULE)},
        {"stages": (ZERO, FORWARD, BACKWARD, CLIP)},
    ],
}


def recipe_of(combination: dict[str, dict[str, Any]]) -> Recipe:
    given = {key: value for part in combination.values() for key, value in part.items()}
    given.pop("task", None)
    return Recipe(**given)


@cache
def run_of(task: str) -> Run:
    return Run(task_named(task))


@cache
def can_be_taken(recipe: Recipe) -> bool:
    """Whether torch takes two groups in this order of lines."""
    try:
        for _ in train(Run(task_named("lambda" if recipe.amp == "off" else "linear"), recipe), 6):
            pass
    except StepError:
        return False
    return True


def is_legal(combination: dict[str, dict[str, Any]]) -> bool:
    """Whether a run of the task takes the recipe, and torch the order of its lines."""
    try:
        recipe = recipe_of(combination)
        run_of(combination["task"]["task"]).check(recipe)
    except RecipeError:
        return False
    order = ("stages", "amp", "accumulate", "clip")
    return can_be_taken(Recipe(**{name: getattr(recipe, name) for name in order}))


@cache
def combinations() -> list[dict[str, dict[str, Any]]]:
    return pairwise(SWITCHES, is_legal)


def check(run: Run, folder: Path, printed: Printed, steps: int = STEPS) -> None:
    """The script, written before the run goes on, prints the run's losses."""
    script = export(run, folder, steps)
    losses = taken(run, steps)
    assert losses
    assert printed(script)[: len(losses)] == losses, script.read_text()


def taken(run: Run, steps: int) -> list[float]:
    """The losses of the next steps, up to the first that is not finite."""
    losses: list[float] = []
    try:
        for step in train(run, steps):
            losses.append(step.loss)
    except NonFiniteError:
        pass
    return losses


@pytest.mark.parametrize("task", MIXED)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_script_prints_the_losses_of_the_run(
    task: str, tmp_path: Path, printed: Printed
) -> None:
    cases = [case for case in combinations() if case["task"]["task"] == task]
    assert cases
    for number, case in enumerate(cases):
        recipe = recipe_of(case)
        run = Run(task_named(task), recipe, seed=number)
        check(run, tmp_path / str(number), printed)


@pytest.mark.parametrize("task", sorted(set(TASKS) - set(MIXED)))
def test_the_other_tasks_print_their_losses_too(
    task: str, tmp_path: Path, printed: Printed
) -> None:
    surface = task_named(task).is_surface
    more = {} if surface else {"validate_every": 2, "amp": "bfloat16", "accumulate": 2}
    plateau = {"schedule": "ReduceLROnPlateau", "schedule_options": PLATEAU}
    recipes = [
        Recipe(lr=0.01),
        Recipe(optimizer="AdamW", lr=0.01, clip="norm", **({} if surface else more | plateau)),
    ]
    for number, recipe in enumerate(recipes):
        check(Run(task_named(task), recipe, seed=7), tmp_path / str(number), printed)


def test_without_gradients_nothing_is_learned_and_the_script_says_so(
    tmp_path: Path, printed: Printed
) -> None:
    run = Run("moons", Recipe(grad=False, stages=("forward",)))
    check(run, tmp_path, printed)
    assert "torch.set_grad_enabled(False)\n" in (tmp_path / "train.py").read_text()


@pytest.mark.parametrize(
    ("task", "recipe"),
    [
        ("digits", Recipe()),
        ("draws", Recipe(optimizer="Adam", lr=0.01, accumulate=3, validate_every=2)),
        pytest.param("lambda", Recipe(momentum=0.9), marks=pytest.mark.full),
    ],
    ids=["digits", "draws", "lambda"],
)
def test_a_fresh_interpreter_prints_the_same(task: str, recipe: Recipe, tmp_path: Path) -> None:
    run = Run(task_named(task), recipe)
    script = export(run, tmp_path, STEPS)
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    losses = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert losses == taken(run, STEPS)


@pytest.mark.parametrize(
    ("literal", "other"),
    [("lr=0.1", "lr=0.100001"), ("split(32)", "split(31)"), ("manual_seed(0)", "manual_seed(1)")],
)
def test_a_script_with_one_wrong_literal_prints_something_else(
    literal: str, other: str, tmp_path: Path, printed: Printed
) -> None:
    """The negative control: the comparison is not one that everything passes."""
    run = Run("digits")
    script = export(run, tmp_path, STEPS)
    code = script.read_text()
    assert code.count(literal) == 1
    script.write_text(code.replace(literal, other))
    assert printed(script) != taken(run, STEPS)


def test_numbers_drawn_outside_change_neither(tmp_path: Path, printed: Printed) -> None:
    run = Run(task_named("draws"), Recipe())
    script = export(run, tmp_path, STEPS)
    losses = []
    for step in train(run, STEPS):
        torch.rand(3)
        losses.append(step.loss)
    assert printed(script) == losses
