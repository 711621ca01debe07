"""The script that a run shows is the run: run on its own, it prints the same losses."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from interactive_training import Recipe, RecipeError, Run, StepError, Task, export, source, train
from interactive_training.engine.choices import LOSSES, OPTIMIZERS, SCHEDULES, STAGES
from tests.engine.pairwise import pairwise

Printed = Callable[[Path], list[float]]
STEPS = 25

# Tasks ------------------------------------------------------------------------------------------

HIDDEN = 12


def squashed(x: torch.Tensor) -> torch.Tensor:
    return F.relu(x) / math.pi


class Net(nn.Module):
    """Needs from around it: a constant, a function with needs of its own, two modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, HIDDEN)
        self.last = nn.Linear(HIDDEN, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(squashed(self.first(x)))


class Noisy(nn.Module):
    """Draws from torch, from numpy and from a layer that takes no generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.RReLU(), nn.Linear(8, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x = x + 0.1 * torch.rand_like(x) + 0.01 * float(np.random.rand())
        return self.layers(x)


class Sized(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def rows(n: int = 60, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 2, generator=generator)
    return inputs, (inputs.prod(1) > 0).long()


def own(model: nn.Module, **options: Any) -> Task:
    return Task.of(model, *rows(), validation=rows(20, 2), batch_size=25, **options)


def partly_frozen() -> nn.Module:
    model = nn.Sequential(
        nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6)),
        nn.Dropout(0.3),
        nn.Linear(6, 4, bias=False),
        nn.GELU(approximate="tanh"),
        nn.LayerNorm(4),
        nn.Linear(4, 2),
    )
    model[0].requires_grad_(False)
    model[0].eval()
    model[5].bias.requires_grad_(False)
    return model


def saddle(w: torch.Tensor) -> torch.Tensor:
    return w[0] ** 2 - w[1] ** 2 + 0.1 * w[1] ** 4


def loss(w: torch.Tensor) -> torch.Tensor:
    return (w**2).sum() * STEEP


STEEP = 3

TASKS: dict[str, Callable[[], Task]] = {
    "digits": lambda: Task.named("digits"),
    "dropout": lambda: Task.named("moons", n=100, dropout=0.3, init="he"),
    "batchnorm": lambda: Task.named("blobs", n=100, norm="BatchNorm1d", classes=4, init="xavier"),
    "layernorm": lambda: Task.named("circles", n=100, norm="LayerNorm", activation="GELU"),
    "residual": lambda: Task.named(
        "spirals", n=100, residual=True, depth=3, width=8, dropout=0.1, activation="Tanh"
    ),
    "too_large": lambda: Task.named("xor", n=100, init="too_large", activation="Sigmoid"),
    "too_small": lambda: Task.named("moons", n=100, init="too_small", activation="LeakyReLU"),
    "linear": lambda: Task.named("regression", n=100, depth=0, noise=0.3),
    "regression": lambda: Task.named("regression", n=100, residual=True, norm="LayerNorm"),
    "bowl": lambda: Task.named("bowl"),
    "def": lambda: Task.surface(saddle, (1.0, -0.5)),
    "taken name": lambda: Task.surface(loss, (1.0, -0.5)),
    "lambda": lambda: Task.surface(lambda w: w[0] ** 2 + STEEP * w[1] ** 2, start=(3, 2)),
    "sequential": lambda: own(partly_frozen()),
    "class": lambda: own(Net(), loss="MSELoss"),
    "draws": lambda: own(Noisy()),
    "double": lambda: Task.of(
        Net().double(), rows()[0].double(), rows()[1], validation=(rows()[0].double(), rows()[1])
    ),
}
MIXED = ("digits", "dropout", "batchnorm", "residual", "regression", "lambda", "sequential", "draws")
task_named = cache(lambda name: TASKS[name]())

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
    """The script, written before the run has taken a step, prints the run's losses."""
    script = export(run, folder, steps)
    assert printed(script) == pytest.approx(taken(run, steps), abs=0, rel=0, nan_ok=True)


def taken(run: Run, steps: int) -> list[float]:
    return [step.loss for step in train(run, steps)]


# Fresh runs -------------------------------------------------------------------------------------


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
        assert run.index == STEPS


