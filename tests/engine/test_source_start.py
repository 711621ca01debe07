"""Scripts that go on from a captured state print the losses that follow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from interactive_training import Recipe, RecipeError, Run, export, source, train
from interactive_training.engine.choices import STAGES

from .examples import task_named

Printed = Callable[[Path], list[float]]
AT, STEPS = 13, 20
ZERO, FORWARD, BACKWARD, UNSCALE, CLIP, STEP, SCHEDULE = STAGES
ONE_CYCLE = {"schedule": "OneCycleLR", "steps": 60}

RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "momentum and a cycle": ("digits", {"momentum": 0.9, "nesterov": True, **ONE_CYCLE}),
    "cosine by epoch": ("dropout", {"schedule": "CosineAnnealingLR", "schedule_every": "epoch"}),
    "scaler": ("digits", {"amp": "float16", "clip": "norm", "clip_at": 0.1, **ONE_CYCLE}),
    "scaler that skips": (
        "linear",
        {"amp": "float16", "reduction": "sum", "loss": "MSELoss", "lr": 1e-4, "batch_size": 60},
    ),
    "plateau": (
        "residual",
        {
            "validate_every": 2,
            "schedule": "ReduceLROnPlateau",
            "schedule_options": {"patience": 0, "threshold": 0.1},
        },
    ),
    "plateau one group late": (
        "residual",
        {
            "validate_every": 2,
            "schedule": "ReduceLROnPlateau",
            "schedule_options": {"patience": 0, "threshold": 0.1},
            "stages": (SCHEDULE, ZERO, FORWARD, BACKWARD, STEP),
        },
    ),
    "schedule before the scaler's step": (
        "digits",
        {
            "amp": "float16",
            "lr": 3.0,
            "schedule": "StepLR",
            "schedule_options": {"step_size": 2, "gamma": 0.9},
            "stages": (ZERO, FORWARD, BACKWARD, SCHEDULE, STEP),
        },
    ),
    "gradients kept": ("digits", {"keep_grad": 0.7}),
    "one batch late": ("digits", {"stages": (STEP, ZERO, FORWARD, BACKWARD), "momentum": 0.5}),
    "adam and running statistics": ("batchnorm", {"optimizer": "Adam", "lr": 0.01}),
    "radam past its plain steps": ("layernorm", {"optimizer": "RAdam", "lr": 0.01}),
    "groups": ("dropout", {"accumulate": 2, "batch_size": 17, "validate_every": 3}),
    "frozen parts": ("sequential", {"optimizer": "RMSprop", "lr": 0.001, "momentum": 0.9}),
    "draws": ("draws", {"optimizer": "AdamW", "lr": 0.01}),
    "double": ("double", {"momentum": 0.9}),
    "in order": ("class", {"shuffle": False}),
    "lambda": ("lambda", {"momentum": 0.5, "schedule": "StepLR"}),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_script_goes_on_where_the_state_was_captured(
    name: str, tmp_path: Path, printed: Printed
) -> None:
    task, fields = RECIPES[name]
    run = Run(task_named(task), Recipe(**fields), seed=3)
    for _ in train(run, AT):
        pass
    while not run.feed.between_groups:
        for _ in train(run, 1):
            pass
    start = run.capture()
    losses = [step.loss for step in train(run, STEPS)]
    run.recipe = replace(run.recipe, lr=0.5)  # a change after the state does not belong to it
    script = export(run, tmp_path, STEPS, start=start)
    assert printed(script) == losses, script.read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 0.02},
        {"optimizer": "Adam", "lr": 0.01},
        {"schedule": "StepLR", "schedule_options": {"step_size": 5}},
        {"batch_size": 50},
        {"amp": "float16", "clip": "norm"},
        {"stages": (STEP, ZERO, FORWARD, BACKWARD)},
        {"accumulate": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_after_a_live_change_the_script_goes_on_from_it(
    change: dict[str, Any], tmp_path: Path, printed: Printed
) -> None:
    run = Run(task_named("dropout"), Recipe(momentum=0.9, accumulate=2, validate_every=4))
    for _ in train(run, 14):
        pass
    run.recipe = replace(run.recipe, **change)
    start = run.capture()
    losses = [step.loss for step in train(run, STEPS)]
    assert printed(export(run, tmp_path, STEPS, start=start)) == losses


def test_validations_keep_their_count_when_groups_become_single(
    tmp_path: Path, printed: Printed
) -> None:
    """After groups of two, the number of a group is not that of its micro-batch."""
    cuts = {"patience": 0, "threshold": 0.5, "factor": 0.7}
    plateau = {"schedule": "ReduceLROnPlateau", "schedule_options": cuts}
    run = Run(task_named("dropout"), Recipe(lr=0.5, accumulate=2, validate_every=3, **plateau))
    for _ in train(run, 10):
        pass
    run.recipe = replace(run.recipe, accumulate=1)
    start = run.capture()
    steps = list(train(run, STEPS))
    assert len({step.lr for step in steps}) > 2
    assert printed(export(run, tmp_path, STEPS, start=start)) == [step.loss for step in steps]


def test_a_state_inside_a_group_is_refused_with_nothing_written(tmp_path: Path) -> None:
    run = Run("moons", Recipe(accumulate=3))
    for _ in train(run, 4):
        pass
    with pytest.raises(RecipeError, match=r"inside a group .*; take the last of them first\.$"):
        export(run, tmp_path / "new", start=run.capture())
    assert not (tmp_path / "new").exists()


def test_gradients_unscaled_and_not_used_are_refused() -> None:
    order = (ZERO, FORWARD, BACKWARD, STEP, UNSCALE)
    run = Run("moons", Recipe(lr=1e-7, amp="float16", stages=order))
    for _ in train(run, 3):
        pass
    with pytest.raises(RecipeError, match=r"; put unscale before step\.$"):
        source(run, start=run.capture())


def test_start_pt_holds_tensors_and_plain_values_only(tmp_path: Path) -> None:
    run = Run(task_named("draws"), Recipe(amp="float16"))
    for _ in train(run, 3):
        pass
    export(run, tmp_path, start=run.capture())
    assert "inputs" in torch.load(tmp_path / "start.pt", weights_only=True)
    export(Run("moons"), tmp_path / "named")
    assert not (tmp_path / "named" / "start.pt").exists()
