"""Slow motion is the same step: same bits, and closing it in the middle undoes the step."""

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from interactive_training import BusyError, Recipe, Run, rewind, train, walk
from interactive_training.engine.choices import STAGES
from interactive_training.engine.lines import step_lines
from interactive_training.engine.plan import IDLE, plan

from .resumed import own
from .runs import FP16, different, noisy, same_weights, small, take, without

RECIPES = {
    "usual": Recipe(lr=0.05, momentum=0.9),
    "one cycle": Recipe(
        optimizer="AdamW", lr=0.01, schedule="OneCycleLR", clip="norm", clip_at=0.5, accumulate=2
    ),
    "validation": Recipe(validate_every=2, schedule="ReduceLROnPlateau"),
    "float16": replace(FP16, schedule="StepLR", schedule_options={"step_size": 3}),
    "forgotten": Recipe(lr=0.01, stages=without("zero_grad", "clip")),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_walk_is_bitwise_a_train(name: str) -> None:
    walked, trained, unrecorded = (Run(noisy(), RECIPES[name], seed=2) for _ in range(3))
    for _ in walk(walked, 12):
        pass
    take(trained, 12)
    take(unrecorded, 12, record=False)
    assert different(walked, trained) == []
    assert different(unrecorded, trained) == []
    assert walked.last == trained.last
    take(trained, 1)
    assert "counters/index" in "".join(different(walked, trained))


def test_a_walk_names_the_lines_in_the_recipes_order() -> None:
    usual = Run(small(), Recipe())
    assert tuple(walk(usual)) == STAGES
    order = ("forward", "backward", "step", "zero_grad")
    assert tuple(walk(Run(small(), Recipe(stages=order)), 2)) == order * 2
    watched = Run(small(), Recipe(validate_every=1))
    assert tuple(walk(watched)) == (*STAGES[:-1], "validate", "schedule")
    assert watched.last is not None and "validation_loss" in watched.last.metrics


def test_a_walk_through_a_group_stops_at_the_lines_that_run() -> None:
    run = Run(small(), Recipe(accumulate=2))
    assert tuple(walk(run)) == ("zero_grad", "forward", "backward")
    assert tuple(walk(run)) == ("forward", "backward", "unscale", "clip", "step", "schedule")


@pytest.mark.parametrize("stop", range(1, 8))
def test_closing_a_walk_in_mid_step_undoes_the_step(stop: int) -> None:
    run = Run(noisy(), RECIPES["float16"])
    take(run, 5)
    before = run.fork()
    lines = walk(run)
    for _ in range(stop):
        next(lines)
    lines.close()
    assert different(run, before) == []
    assert not run.busy and not run.claimed
    take(run, 3)
    take(before, 3)
    assert different(run, before) == []


@pytest.mark.parametrize(
    "asked",
    [
        lambda run: run.capture(),
        lambda run: run.restore({}),
        lambda run: run.place([]),
        lambda run: run.fork(),
        lambda run: run.save("nowhere.pt"),
        lambda run: rewind(run, 0),
    ],
    ids=["capture", "restore", "place", "fork", "save", "rewind"],
)
def test_inside_a_walk_the_state_is_nobodys(asked: Callable[[Run], object]) -> None:
    run = Run(small(), Recipe())
    lines = walk(run)
    next(lines)
    with pytest.raises(BusyError, match="finish or close the walk first"):
        asked(run)
    assert len(list(lines)) == len(STAGES) - 1
    run.capture()


def test_a_recipe_set_inside_a_walk_waits_for_the_next_step() -> None:
    walked, plain = (Run(small(), Recipe(lr=0.05)) for _ in range(2))
    faster = replace(walked.recipe, lr=0.5)
    for line in walk(walked):
        if line == "forward":
            walked.recipe = faster
            assert walked.recipe is faster and walked.in_force.lr == 0.05
    take(plain, 1)
    plain.recipe = faster
    assert walked.last is not None and walked.last.lr == 0.05
    assert [s.lr for s in take(walked, 4)] == [0.5] * 4
    take(plain, 4)
    assert different(walked, plain) == []
    # The way back knows at which step the change came into force.
    rewind(walked, 3)
    rewind(plain, 3)
    assert different(walked, plain) == []


def test_a_recipe_set_inside_a_walk_that_is_closed_stays_asked_for() -> None:
    run = Run(small(), Recipe(lr=0.05))
    take(run, 2)
    lines = walk(run)
    next(lines)
    run.recipe = replace(run.recipe, lr=0.5)
    lines.close()
    assert run.index == 2 and run.recipe.lr == 0.5
    assert take(run, 1)[0].lr == 0.5
    take(run, 3)
    twin = run.fork()
    rewind(run, 6)
    assert different(run, twin) == []


@pytest.mark.parametrize("loops", [(train, train), (train, walk), (walk, train), (walk, walk)])
def test_a_second_live_loop_is_refused(loops: tuple[Callable, Callable]) -> None:  # type: ignore[type-arg]
    run = Run(small(), Recipe())
    first, second = (loop(run, 2) for loop in loops)
    next(first)
    before = run.index
    with pytest.raises(BusyError, match="still open; exhaust or close it, or fork the run"):
        next(second)
    assert run.index == before
    list(first)
    assert run.index == 2
    take(run, 1)


def test_two_forks_may_be_trained_in_turn() -> None:
    run = Run(small(), Recipe())
    twin = run.fork()
    for _ in zip(train(run, 5), train(twin, 5), strict=True):
        pass
    assert different(run, twin) == []


def test_after_a_break_the_run_is_free() -> None:
    run, plain = (Run(noisy(), Recipe()) for _ in range(2))
    for step in train(run, 100):
        if step.index == 3:
            break
    gc.collect()
    take(run, 4)
    take(plain, 8)
    assert different(run, plain) == []


def test_an_error_in_the_body_of_the_loop_leaves_the_step_taken() -> None:
    run, plain = (Run(noisy(), Recipe()) for _ in range(2))
    with pytest.raises(ZeroDivisionError):
        for step in train(run, 100):
            1 / (step.index - 3)
    gc.collect()
    take(plain, 4)
    assert different(run, plain) == []
    take(run, 1)


def test_a_loop_that_was_never_asked_claims_nothing() -> None:
    run = Run(small(), Recipe())
    waiting = train(run, 5)
    take(run, 3)
    assert [step.index for step in waiting] == [3, 4, 5, 6, 7]


IDLE_AND_NOT = {
    "unscale": Recipe(amp="float16", lr=0.01),
    "clip": Recipe(clip="value"),
    "schedule": Recipe(schedule="StepLR"),
}


@pytest.mark.parametrize("name", IDLE)
def test_only_lines_without_code_are_left_out_in_full_motion(name: str) -> None:
    for recipe in (Recipe(), IDLE_AND_NOT[name]):
        code = {line.stage: line.code for line in step_lines(recipe, small())}
        lines = plan(recipe, dropout=False)[True, True]
        for called in (lines.recorded, lines.unrecorded):
            assert (name in {call.__name__ for call in called}) == bool(code[name])
        assert name in {call.__name__ for call in lines.walked}
    assert code[name]


@pytest.mark.parametrize("around", [torch.no_grad, torch.enable_grad])
@pytest.mark.parametrize("own_random", [False, True])
def test_gradients_are_on_in_a_step_and_as_they_were_outside(
    around: Callable[[], Any], own_random: bool
) -> None:
    run, walked, plain = (Run(own() if own_random else small(), Recipe()) for _ in range(3))
    with around():
        was = torch.is_grad_enabled()
        for _ in train(run, 5):
            assert torch.is_grad_enabled() == was
        for _ in walk(walked, 5):
            assert torch.is_grad_enabled() == was
        run.recipe = replace(run.recipe, grad=False, stages=("forward",))
        take(run, 1)
        assert torch.is_grad_enabled() == was
    take(plain, 5)
    assert different(walked, plain) == []
    rewind(run, 5)
    assert different(run, plain) == []
    untrained = Run(plain.task, Recipe(lr=1e-9))
    take(untrained, 5)
    assert not same_weights(untrained, plain)
