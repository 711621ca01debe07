"""Wherever in a step an interrupt arrives, the run stands before the step or after it."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

import interactive_training.engine as engine
from interactive_training import Recipe, Run, train
from interactive_training.engine import loop
from interactive_training.engine.loop import advance

from .resumed import own
from .runs import FP16, different, noisy, small, take

ENGINE = str(Path(engine.__file__).parent)


@pytest.fixture(autouse=True)
def grad_mode_is_left_alone() -> Iterator[None]:
    """End here what an interrupt left half-open: thrown away later, it would set another test's."""
    yield
    gc.collect()
    torch.set_grad_enabled(True)


@contextmanager
def interrupted_at(number: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at the `number`-th moment in this block at which a signal may arrive.

    Python looks for signals where a function begins and where a call into C comes back, so these
    moments within the engine's files are counted; but a generator expression that is being thrown
    away swallows whatever is raised in it.
    """
    seen = [0]

    def profile(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        ours = code.co_filename.startswith(ENGINE) and code.co_name != "<genexpr>"
        if ours and event in ("call", "c_return"):
            seen[0] += 1
            if seen[0] == number:
                sys.setprofile(None)
                raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def moments_of_a_step(run: Run) -> int:
    """At how many moments a signal may arrive in one step."""
    twin = run.fork()
    with interrupted_at(-1) as seen:
        advance(twin)
    return seen[0]


def unfinished(run: Run, before: Run, after: Run) -> list[str]:
    """What is wrong with a run that was interrupted between two states."""
    stands = before if run.index == before.index else after
    return different(run, stands) + ["busy"] * run.busy


RECIPES = {
    "dropout, BatchNorm, AdamW, OneCycle": Recipe(
        optimizer="AdamW", lr=0.01, schedule="OneCycleLR", clip="norm", accumulate=2
    ),
    "float16, validation": replace(FP16, validate_every=1, schedule="ReduceLROnPlateau"),
    "own model that draws": Recipe(lr=0.01, momentum=0.9),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("steps", [0, 5], ids=["first step", "later, inside a group"])
def test_an_interrupt_at_any_moment_leaves_a_whole_step(name: str, steps: int) -> None:
    start = Run(own() if "own" in name else noisy(), RECIPES[name])
    take(start, steps)
    after = start.fork()
    take(after, 1)
    stood = set()
    for number in range(1, moments_of_a_step(start) + 1):
        run = start.fork()
        with pytest.raises(KeyboardInterrupt), interrupted_at(number):
            advance(run)
        assert unfinished(run, start, after) == [], number
        stood.add(run.index)
    assert steps in stood


def test_without_the_way_back_an_interrupt_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "rewind", lambda *_, **__: None)
    start = Run(noisy(), Recipe())
    after = start.fork()
    take(after, 1)
    wrong = 0
    for number in range(1, moments_of_a_step(start) + 1, 7):
        run = start.fork()
        with pytest.raises(KeyboardInterrupt), interrupted_at(number):
            advance(run)
        wrong += bool(unfinished(run, start, after))
    assert wrong > 3


def test_an_interrupt_while_a_change_comes_into_force() -> None:
    """The change was asked for, so it is in force in whatever step is taken next."""
    changed = Recipe(optimizer="AdamW", lr=0.01, schedule="StepLR", reduction="sum", accumulate=3)
    start = Run(noisy(), Recipe(accumulate=2))
    take(start, 1)
    start.recipe = changed  # its accumulate waits for the group's end
    take(start, 1)
    after = start.fork()
    take(after, 1)
    for number in range(1, moments_of_a_step(start) + 1, 3):
        run = start.fork()
        with pytest.raises(KeyboardInterrupt), interrupted_at(number):
            advance(run)
        assert run.recipe == changed
        take(run, 3 - run.index)
        assert different(run, after) == [], number


def test_what_is_interrupted_can_be_trained_to_the_same_end() -> None:
    plain, run = (Run(noisy(), RECIPES["float16, validation"]) for _ in range(2))
    take(plain, 29)
    with interrupted_at(-1) as seen:  # in a step like most, which does not have to look ahead
        advance(plain)
    for number in range(5, 3 * seen[0] // 2, 11):
        with pytest.raises(KeyboardInterrupt), interrupted_at(number):
            advance(run)
            advance(run)
    assert run.index < 30
    take(run, 30 - run.index)
    assert different(run, plain) == []


def test_an_interrupt_in_the_body_of_the_loop() -> None:
    run, plain = (Run(small(), Recipe()) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        for step in train(run, 10):
            if step.index == 4:
                raise KeyboardInterrupt
    take(plain, 5)
    assert different(run, plain) == []
