"""A schedule that is made anew stands where the old one stood, in every order of the lines."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from interactive_training import Recipe, Run

from .runs import FP16, small, take, without

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")

FIRST = ("schedule", *without("schedule"))
MIDDLE = ("zero_grad", "forward", "schedule", "backward", "unscale", "clip", "step")
TWICE = ("zero_grad", "forward", "backward", "unscale", "clip", "schedule", "step", "schedule")
ORDERS = [without(), FIRST, MIDDLE, TWICE, without("schedule")]
STAIRS = Recipe(lr=0.5, schedule="StepLR", schedule_options={"step_size": 2, "gamma": 0.9})


def overflowing(run: Run) -> None:
    run.scaler.scale(torch.zeros(()))
    run.scaler.update(2.0**22)


@pytest.mark.parametrize("stages", ORDERS, ids=["last", "first", "middle", "twice", "dropped"])
@pytest.mark.parametrize("every", ["batch", "epoch", "validation"])
def test_ticks_are_what_the_schedule_counted(stages: tuple[str, ...], every: str) -> None:
    for accumulate, amp in product((1, 2, 3), ("off", "float16")):
        recipe = replace(
            STAIRS,
            stages=stages,
            accumulate=accumulate,
            amp=amp,
            schedule_every=every,
            validate_every=2,
        )
        run = Run(small(), recipe)
        if amp == "float16":
            overflowing(run)
        for _ in range(14):
            take(run, 1)
            assert run.scheduler.last_epoch == run.ticks[every]
        lr = run.optimizer.param_groups[0]["lr"]
        # Made anew for another length, which StepLR does not look at: nothing moves.
        run.recipe = replace(recipe, steps=77)
        assert run.scheduler.last_epoch == run.ticks[every]
        assert run.optimizer.param_groups[0]["lr"] == pytest.approx(lr, rel=1e-12)


def test_a_skipped_update_does_not_tick() -> None:
    run = Run(small(), replace(FP16, schedule="StepLR"))
    overflowing(run)
    steps = take(run, 12)
    skips = sum(step.skipped for step in steps)
    assert 0 < skips < 12 and run.ticks["batch"] == 12 - skips


def test_validation_does_not_tick_when_it_is_off() -> None:
    """What was validated once would else count at every step from then on."""
    run = Run(small(), Recipe(validate_every=1))
    take(run, 3)
    run.recipe = replace(run.recipe, validate_every=None)
    take(run, 6)
    assert run.ticks["validation"] == 3 and not run.validated
    assert run.ticks["batch"] == 9


def test_ticks_are_counted_before_there_is_a_schedule() -> None:
    usual, later = (Run(small(), STAIRS) for _ in range(2))
    later.recipe = replace(STAIRS, schedule=None, schedule_options={})
    take(usual, 7)
    take(later, 7)
    later.recipe = STAIRS
    assert later.scheduler.last_epoch == 7
    assert [s.lr for s in take(later, 5)] == pytest.approx([s.lr for s in take(usual, 5)], rel=1e-9)
