"""Watching changes nothing: with every look taken at every step, the run ends on the same bits."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from interactive_training import (
    Recipe,
    RecipeError,
    Run,
    Step,
    Task,
    TaskError,
    export,
    first_difference,
    source,
    train,
)

from .resumed import own
from .runs import FP16, different, noisy, take, without

Look = Callable[[Run, Step | None], object]


def everything_of_a_record(_: Run, step: Step | None) -> None:
    assert step is not None
    repr(step), hash(step.loss), dict(step.layer_norms), dict(step.metrics)


def compared(run: Run, _: Step | None) -> None:
    assert first_difference(run, run.fork()) is None


def trained_elsewhere(run: Run, _: Step | None) -> None:
    twin = run.fork()
    twin.recipe = replace(twin.recipe, lr=0.5, optimizer="RMSprop")
    take(twin, 3)


def refused(run: Run, _: Step | None) -> None:
    with pytest.raises(TaskError):
        run.place([1.0])
    with pytest.raises(RecipeError):
        run.recipe = replace(run.recipe, batch_size=1000)


LOOKS: dict[str, Look] = {
    "record": everything_of_a_record,
    "capture": lambda run, _: run.capture(),
    "fork": lambda run, _: run.fork(),
    "train a fork": trained_elsewhere,
    "compare": compared,
    "accuracy": lambda run, _: run.accuracy(),
    "source": lambda run, _: source(run),
    "keep a state": lambda run, _: run.timeline.keep(run.capture()),
    "set the same recipe": lambda run, _: setattr(run, "recipe", replace(run.recipe)),
    "a change that is refused": refused,
}
RECIPES = {
    "dropout, BatchNorm, AdamW, groups": (
        noisy,
        Recipe(optimizer="AdamW", lr=0.01, accumulate=2, schedule="OneCycleLR", clip="norm"),
    ),
    "float16": (noisy, replace(FP16, momentum=0.9)),
    "gradients kept": (noisy, Recipe(lr=0.01, stages=without("zero_grad"))),
    "own model that draws": (own, Recipe(lr=0.05, validate_every=2)),
}


def watched(task: Task, recipe: Recipe, look: Look | None, *, record: bool = True) -> Run:
    run = Run(task, recipe, seed=3)
    for step in train(run, 14, record=record):
        if look is not None:
            look(run, step)
    return run


@pytest.mark.parametrize("name", RECIPES)
def test_no_look_leaves_a_trace(name: str) -> None:
    make, recipe = RECIPES[name]
    task = make()
    unseen = watched(task, recipe, None, record=False)
    traces = {look: different(watched(task, recipe, LOOKS[look]), unseen) for look in LOOKS}
    assert traces == {look: [] for look in LOOKS}


def test_saving_and_exporting_leave_none_either(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("out")
    make, recipe = RECIPES["float16"]
    task = make()
    unseen = watched(task, recipe, None, record=False)
    assert different(watched(task, recipe, lambda run, _: run.save(folder / "a.pt")), unseen) == []
    assert different(watched(task, recipe, lambda run, _: export(run, folder)), unseen) == []


@pytest.mark.parametrize("name", ["dropout, BatchNorm, AdamW, groups", "float16"])
def test_validation_changes_nothing_but_what_it_found(name: str) -> None:
    make, recipe = RECIPES[name]
    task = make()
    unseen = watched(task, recipe, None)
    seen = watched(task, replace(recipe, validate_every=1), None)
    assert seen.validated and seen.validation_loss > 0
    found = [where for where in different(seen, unseen) if "validat" not in where]
    assert set(found) == {"/recipe", "/in_force"}


def test_a_naive_look_does_leave_a_trace() -> None:
    """What a cell would write: one forward in train mode moves BatchNorm's averages."""
    make, recipe = RECIPES["float16"]
    task = make()

    def naive(run: Run, _: Step | None) -> None:
        with torch.no_grad():
            run.model(run.inputs)

    unseen = watched(task, recipe, None)
    assert "/buffers/1.running_mean" in different(watched(task, recipe, naive), unseen)
