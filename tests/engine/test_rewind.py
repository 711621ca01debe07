"""Any step can be gone back to: the state is that of a fresh run brought there the same way."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from interactive_training import Recipe, RecipeError, Run, Task, rewind, train
from interactive_training.engine import timeline
from interactive_training.engine.loop import advance
from interactive_training.engine.timeline import CAPACITY, SPACING

from .resumed import own
from .runs import FP16, different, noisy, small, take, weights, without

Event = Callable[[Run], None]


def change(**fields: object) -> Event:
    def event(run: Run) -> None:
        run.recipe = replace(run.recipe, **fields)  # type: ignore[arg-type]

    return event


def place(value: float) -> Event:
    def event(run: Run) -> None:
        run.place([torch.full_like(weight, value) for weight in weights(run)])

    return event


# A way of 130 steps on which everything changes, some of it inside an accumulation group.
START = Recipe(lr=0.02, momentum=0.9)
WAY: dict[int, list[Event]] = {
    0: [change(lr=0.03)],
    4: [change(accumulate=3)],
    6: [change(accumulate=2, batch_size=6, keep_grad=0.5)],  # waits for the group's end
    11: [place(0.1), change(lr=0.01), place(0.2)],
    23: [change(optimizer="AdamW", lr=0.005, momentum=None)],
    40: [change(schedule="CosineAnnealingLR", schedule_options={"T_max": 30})],
    50: [change(clip="norm", clip_at=0.5), place(0.05)],  # where a state is kept as well
    61: [change(amp="float16", keep_grad=0.0)],
    77: [change(reduction="sum", shuffle=False), change(reduction="mean")],
    90: [change(stages=without("schedule"), mode="eval")],
    100: [change(optimizer="SGD", lr=0.01), change(optimizer="AdamW")],
    115: [change(loss="MSELoss", amp="off")],
}


def go(run: Run, until: int) -> None:
    """Take the way up to before the changes at step `until`."""
    while run.index < until:
        for event in WAY.get(run.index, []):
            event(run)
        advance(run, recorded=run.index % 3 == 0)  # a new loop would keep a state at every step


@pytest.fixture(scope="module")
def states() -> list[Run]:
    """A fork before every step of the way, without the changes made there."""
    run = Run(noisy(), START, seed=6)
    found = []
    for index in range(131):
        go(run, index)
        found.append(run.fork())
    return found


@pytest.fixture
def run() -> Run:
    run = Run(noisy(), START, seed=6)
    go(run, 130)
    return run


@pytest.mark.parametrize(
    "index", [0, 1, 4, 5, 6, 7, 8, 11, 12, 23, 41, 49, 50, 51, 62, 78, 90, 99, 100, 116, 129, 130]
)
def test_rewound_to_any_step(index: int, run: Run, states: list[Run]) -> None:
    rewind(run, index)
    assert run.index == index
    assert different(run, states[index]) == []
    # It goes on as a run that was never further.
    take(run, 3)
    fresh = states[index].fork()
    take(fresh, 3)
    assert different(run, fresh) == []


def test_rewound_in_any_order_and_the_way_taken_again(run: Run, states: list[Run]) -> None:
    draw = random.Random(0)
    for _ in range(12):
        rewind(run, draw.randrange(run.index + 1))
        assert different(run, states[run.index]) == []
        go(run, min(130, run.index + draw.randrange(40)))
        assert different(run, states[run.index]) == []


def test_step_by_step_back_to_the_start(run: Run, states: list[Run]) -> None:
    for index in range(129, -1, -9):
        rewind(run, index)
        assert different(run, states[index]) == []


def test_what_was_changed_from_there_on_is_dropped() -> None:
    run = Run(small(), Recipe(lr=0.1))
    for lr in (0.2, 0.3, 0.4):
        take(run, 5)
        run.recipe = replace(run.recipe, lr=lr)
    take(run, 5)
    rewind(run, 10)
    assert run.recipe.lr == 0.2  # the change to 0.3 was made here, and is gone
    assert [step.lr for step in take(run, 12)] == [0.2] * 12
    assert [c.index for c in run.timeline.changes] == [5]
    rewind(run, 5)
    assert run.recipe.lr == 0.1 and run.timeline.changes == []


def test_a_rewind_may_keep_the_changes_made_there() -> None:
    run = Run(small(), Recipe(lr=0.1))
    take(run, 5)
    run.recipe = replace(run.recipe, lr=0.2)
    take(run, 5)
    rewind(run, 5, changed=True)
    assert run.recipe.lr == 0.2 and run.index == 5


def test_notes_are_gone_with_what_they_tell_of() -> None:
    run = Run(small(), Recipe())
    take(run, 5)
    run.recipe = replace(run.recipe, optimizer="Adam")
    take(run, 5)
    assert run.notes == [(5, "Adam starts with empty state")]
    rewind(run, 8)
    assert run.notes == [(5, "Adam starts with empty state")]
    rewind(run, 5)
    assert run.notes == []


@pytest.mark.parametrize("index", [6, 7, 1000])
def test_ahead_is_refused(index: int) -> None:
    run = Run(small(), Recipe())
    take(run, 5)
    before = run.fork()
    with pytest.raises(RecipeError, match=f"step {index} lies ahead of step 5; train on instead"):
        rewind(run, index)
    assert different(run, before) == []


def test_before_the_first_kept_state_is_refused() -> None:
    run = Run(small(), Recipe())
    take(run, 60)
    for later in (run.fork(), Run(small(), Recipe())):
        later.restore(run.capture())
        take(later, 5)
        with pytest.raises(RecipeError, match="nothing before step 60 is kept; choose 60 or later"):
            rewind(later, 59)
        rewind(later, 60)
        assert different(later, run) == []
    with pytest.raises(RecipeError, match="nothing before step 0 is kept"):
        rewind(run, -1)


def test_back_inside_a_loop_that_goes_on() -> None:
    run, plain = (Run(noisy(), Recipe()) for _ in range(2))
    seen = []
    for step in train(run, 10):
        seen.append(step.index)
        if len(seen) == 6:
            rewind(run, 2)
    assert seen == [0, 1, 2, 3, 4, 5, 2, 3, 4, 5]
    take(plain, 6)
    assert different(run, plain) == []


def test_what_was_changed_by_hand_between_two_loops_is_kept() -> None:
    """No replay could redo it, so the state is kept where the next loop begins."""
    run = Run(small(), Recipe())
    take(run, 5)
    with torch.no_grad():
        next(run.model.parameters()).add_(1.0)
    by_hand = run.fork()
    take(run, 4)
    rewind(run, 5)
    assert different(run, by_hand) == []


@pytest.mark.parametrize("make", [own, lambda: Task.named("bowl")], ids=["own model", "surface"])
def test_other_tasks_are_rewound_as_well(make: Callable[[], Task]) -> None:
    task = make()
    run, fresh = (Run(task, Recipe(lr=0.01, momentum=0.5)) for _ in range(2))
    take(run, 70)
    rewind(run, 37)
    take(fresh, 37)
    assert different(run, fresh) == []


def test_float16_is_rewound_with_its_scale() -> None:
    run = Run(small(), FP16)
    run.scaler.scale(torch.zeros(()))
    run.scaler.update(2.0**24)
    states = []
    for _ in range(15):
        states.append(run.fork())
        take(run, 1)
    for index in (14, 7, 3, 0):
        rewind(run, index)
        assert different(run, states[index]) == []


def test_a_replay_that_forgets_a_change_is_found_out(
    run: Run, states: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "redo", lambda *_: None)
    rewind(run, 45)
    assert different(run, states[45]) != []


def test_few_states_are_kept_however_long_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "SPACING", 2)
    monkeypatch.setattr(timeline, "CAPACITY", 8)
    run = Run("bowl", Recipe(lr=0.1, momentum=0.9))
    most = 0
    for _ in train(run, 600, record=False):
        most = max(most, len(run.timeline.kept))
    assert most == 8
    at = [kept.index for kept in run.timeline.kept]
    assert at[0] == 0 and run.index - at[-1] <= 2
    # The older, the sparser: a state is never further off than half its age.
    assert all(after - before <= run.index - before for before, after in pairwise(at))
    assert max(after - before for before, after in pairwise(at)) >= 8

    fresh = Run("bowl", run.recipe)
    for index in (599, 431, 77, 1):
        rewind(run, index)
        twin = fresh.fork()
        take(twin, index, record=False)
        assert different(run, twin) == []


def test_the_last_steps_are_near_a_kept_state_in_a_run_of_any_length() -> None:
    """So that coming back from a NaN or an interrupt takes no longer at step 1,000,000."""
    way = timeline.Timeline()
    state = Run("bowl").capture()
    for index in range(0, 1_000_000, SPACING):
        way.keep(state | {"counters": {"index": index}})
    at = [kept.index for kept in way.kept]
    assert len(at) == CAPACITY
    assert at[0] == 0
    assert at[-3:] == [999_700, 999_800, 999_900]
    ages = [1_000_000 - index for index in at]
    assert all(old - new <= 0.55 * old for old, new in pairwise(ages))


def test_large_states_are_kept_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "BYTES", 1)
    run = Run("bowl", Recipe(lr=0.1))
    take(run, 500, record=False)
    assert len(run.timeline.kept) == 2
    rewind(run, 20)
    fresh = Run("bowl", Recipe(lr=0.1))
    take(fresh, 20)
    assert different(run, fresh) == []
