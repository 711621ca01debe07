"""A run with its worker thread and no widget: what is asked of it, and what becomes of that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from interactive_training import (
    NonFiniteError,
    Recipe,
    RecipeError,
    Run,
    Session,
    StepError,
    Task,
    first_difference,
    train,
)
from interactive_training.engine.choices import STAGES
from interactive_training.engine.difference import difference
from interactive_training.engine.history import COLUMNS
from interactive_training.engine.session import SAME_DRAG, UNDOS

LONG = 20.0  # seconds after which something is stuck


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def sessions() -> Iterator[Callable[..., Session]]:
    """Makes sessions, and ends their workers."""
    made: list[Session] = []

    def make(task: str = "moons", recipe: Recipe | None = None, **options: Any) -> Session:
        made.append(Session(Run(task, recipe), **{"pace": "full", **options}))
        return made[-1]

    yield make
    for session in made:
        session.stop()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


def same(one: Run, other: Run) -> bool:
    return difference(one, other) is None


def losses(run: Run, steps: int) -> list[float]:
    return [step.loss for step in train(run, steps)]


Sessions = Callable[..., Session]

# Without a worker -------------------------------------------------------------------------------


def test_without_a_worker_commands_are_carried_out_at_once(sessions: Sessions) -> None:
    session = sessions()
    session.put("change", {"lr": 0.3})
    session.put("step", 3)
    assert (session.run.recipe.lr, session.run.index, len(session.history)) == (0.3, 3, 3)
    assert [(c.verb, c.index) for c in session.log] == [("change", 0), ("step", 0)]


def test_advance_is_train(sessions: Sessions) -> None:
    session, plain = sessions(), Run("moons")
    session.advance(12)
    assert session.history.column("loss").tolist() == losses(plain, 12)
    assert same(session.run, plain)


def test_an_unknown_command_is_refused(sessions: Sessions) -> None:
    with pytest.raises(RecipeError, match="'jump' is no command; choose one of change, play"):
        sessions().put("jump")


@pytest.mark.parametrize(
    ("verb", "value"),
    [
        ("change", {"lr": -1}),
        ("change", {"optimiser": "SGD"}),
        ("change", {"batch_size": 10_000}),
        ("place", [torch.zeros(1)]),
        ("rewind", 7),
        ("undo", None),
        ("pace", "61"),
    ],
)
def test_a_refused_command_says_why_and_changes_nothing(
    verb: str, value: Any, sessions: Sessions
) -> None:
    session = sessions()
    session.advance(2)
    before, history = session.run.fork(), session.history.column("loss").tolist()
    session.put(verb, value)
    assert session.refusal.endswith((".", "?")) and session.error is None
    assert session.log[-1].verb == "advance" and session.ghost is None and not session.can_undo
    assert same(session.run, before) and session.run.recipe == before.recipe
    assert session.history.column("loss").tolist() == history
    assert session.pace == "full"
    session.put("change", {"lr": 0.2})
    assert session.refusal == ""


def test_the_options_of_an_old_choice_go_with_it(sessions: Sessions) -> None:
    session = sessions(recipe=Recipe(optimizer="RMSprop", optimizer_options={"alpha": 0.9}))
    session.put("change", {"optimizer": "Adam"})
    assert session.refusal == "" and session.run.recipe.optimizer_options == ()


def test_advance_raises_in_the_calling_cell(sessions: Sessions) -> None:
    session = sessions(recipe=Recipe(stages=("forward", "step", "backward"), momentum=0.5))
    with pytest.raises(StepError, match="put backward before step"):
        session.advance(3)
    assert session.run.index == len(session.history) and session.error is None


# The worker -------------------------------------------------------------------------------------


def test_the_worker_trains_exactly_as_train_does(sessions: Sessions) -> None:
    session, plain = sessions(), Run("moons")
    session.start()
    session.put("play", 40)
    wait_until(lambda: session.run.index == 40 and not session.playing)
    session.stop()
    assert session.history.column("loss").tolist() == losses(plain, 40)
    assert same(session.run, plain)


def test_nothing_moves_before_play_and_after_pause(sessions: Sessions) -> None:
    session = sessions()
    session.start()
    time.sleep(0.05)
    assert session.run.index == 0
    session.put("play")
    wait_until(lambda: session.run.index > 5)
    session.put("pause")
    wait_until(lambda: not session.playing)
    at = session.run.index
    time.sleep(0.05)
    assert session.run.index == at


def test_changes_take_place_between_steps_and_in_order(sessions: Sessions) -> None:
    session = sessions()
    session.start()
    session.put("play")
    rates = [0.1 + i / 1000 for i in range(30)]
    for lr in rates:
        session.put("change", {"lr": lr})
        time.sleep(0.001)
    wait_until(lambda: len(session.log) == 31)
    session.stop()
    asked = [c for c in session.log if c.verb == "change"]
    assert [c.value["lr"] for c in asked] == rates
    # Every recorded rate is the last one asked for before that step.
    for index, lr in enumerate(session.history.column("lr").tolist()):
        in_force = [0.1] + [c.value["lr"] for c in asked if c.index <= index]
        assert lr == in_force[-1]


def test_of_a_burst_the_last_change_wins(sessions: Sessions) -> None:
    session = sessions()
    session.start()
    session.put("play")
    for i in range(500):
        session.put("change", {"lr": 0.01 + i / 1e4})
    wait_until(lambda: len(session.log) == 501)
    session.stop()
    assert session.run.recipe.lr == 0.01 + 499 / 1e4
    assert session.refusal == "" and session.error is None


def test_commands_from_many_threads_are_all_carried_out(sessions: Sessions) -> None:
    session = sessions()
    session.start()
    session.put("play")

    def ask(name: str, values: list[Any]) -> None:
        for value in values:
            session.put("change", {name: value})

    threads = [
        threading.Thread(target=ask, args=("lr", [0.1 + i / 1e3 for i in range(40)])),
        threading.Thread(target=ask, args=("momentum", [i / 100 for i in range(40)])),
        threading.Thread(target=ask, args=("clip_at", [1 + i for i in range(40)])),
        threading.Thread(target=lambda: [session.start() for _ in range(40)]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(session.log) == 121)
    session.stop()
    recipe = session.run.recipe
    assert (recipe.lr, recipe.momentum, recipe.clip_at) == (0.1 + 39 / 1e3, 0.39, 40)


def test_starting_twice_makes_one_worker(sessions: Sessions) -> None:
    before = set(threading.enumerate())
    session = sessions()
    for _ in range(3):
        session.start()
    assert len(set(threading.enumerate()) - before) == 1
    session.stop()
    assert set(threading.enumerate()) <= before and not session.alive


@pytest.mark.parametrize("pace", ["full", "60", "line"])
def test_stop_answers_within_half_a_second_and_leaves_no_thread(
    pace: str, sessions: Sessions
) -> None:
    before = set(threading.enumerate())
    session = sessions("digits", Recipe(amp="bfloat16"), pace=pace)
    session.start()
    session.put("play")
    wait_until(lambda: bool(session.run.index or session.line))
    session.put("change", {"lr": 0.05})
    start = time.monotonic()
    session.stop()
    assert time.monotonic() - start < 0.5
    assert set(threading.enumerate()) <= before
    assert not session.run.busy and session.run.recipe.lr == 0.05


def test_a_stopped_session_starts_again(sessions: Sessions) -> None:
    session = sessions()
    for until in (5, 10):
        session.start()
        session.put("play", until)
        wait_until(lambda until=until: session.run.index == until)  # type: ignore[misc]
        session.stop()
    assert len(session.history) == 10


def test_advance_pauses_the_worker_and_lets_it_go_on(sessions: Sessions) -> None:
    session, plain = sessions("digits"), Run("digits")
    session.start()
    session.put("play")
    wait_until(lambda: session.run.index > 5)
    start = time.monotonic()
    for _ in range(20):  # a worker at full speed leaves its lock to a cell that waits
        session.advance(1)
    assert time.monotonic() - start < 5
    assert session.playing
    at = session.run.index
    wait_until(lambda: session.run.index > at + 5)
    session.stop()
    assert losses(plain, session.run.index) == session.history.column("loss").tolist()
    assert same(session.run, plain)


def test_a_pause_asked_for_just_before_advance_holds(sessions: Sessions) -> None:
    session = sessions()
    session.start()
    session.put("play")
    with session.lock:
        session.put("pause")
        session.advance(3)
    assert not session.playing


def test_an_error_stops_the_run_in_its_last_good_state(sessions: Sessions) -> None:
    session = sessions("bowl", Recipe(lr=0.1))
    session.advance(5)
    session.start()
    session.put("change", {"stages": ("step", "zero_grad", "forward", "backward", "backward")})
    before = session.run.fork()
    session.put("play")
    wait_until(lambda: session.error is not None)
    assert isinstance(session.error, StepError) and not session.playing and session.alive
    assert same(session.run, before) and len(session.history) == 5
    session.put("change", {"stages": STAGES})  # the way out
    session.put("play", 9)
    wait_until(lambda: session.run.index == 9)
    assert session.error is None


def test_a_nan_stops_the_run_and_names_its_place(sessions: Sessions) -> None:
    session = sessions("regression", Recipe(lr=1e6))
    session.start()
    session.put("play")
    wait_until(lambda: session.error is not None)
    assert isinstance(session.error, NonFiniteError) and not session.playing
    assert all(torch.isfinite(p).all() for p in session.run.model.parameters())
    session.put("rewind", 0)
    session.put("change", {"lr": 0.01})
    session.put("play", 20)
    wait_until(lambda: session.run.index == 20)


def test_a_picture_that_cannot_be_drawn_does_not_end_the_worker() -> None:
    calls = []

    def show() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("no such colour")

    session = Session(Run("moons"), pace="full", show=show)
    session.start()
    session.put("play")
    wait_until(lambda: session.error is not None)
    assert str(session.error) == "no such colour" and not session.playing and session.alive
    session.put("play", session.run.index + 5)
    wait_until(lambda: not session.playing)
    session.stop()


@pytest.mark.parametrize(
    ("pace", "slow", "apart"),
    [("60", 0.0, 0.03), ("60", 0.004, 0.03), ("full", 0.0, 1 / 30), ("full", 0.004, 0.08)],
)
def test_how_often_is_shown(pace: str, slow: float, apart: float) -> None:
    shown: list[float] = []

    def show() -> None:
        shown.append(time.monotonic())
        time.sleep(slow)

    session = Session(Run("moons"), pace=pace, show=show)
    session.start()
    session.put("play")
    wait_until(lambda: len(shown) > 8)
    session.put("pause")
    wait_until(lambda: not session.playing)
    session.stop()
    assert min(b - a for a, b in pairwise(shown[1:8])) > 0.95 * apart


def test_quick_and_slow_shows_are_averaged() -> None:
    shown: list[float] = []

    def show() -> None:
        shown.append(time.monotonic())
        time.sleep(0.01 if len(shown) % 2 else 0.0)

    session = Session(Run("moons"), pace="full", show=show)
    session.start()
    session.put("play")
    wait_until(lambda: len(shown) > 10)
    session.put("pause")
    wait_until(lambda: not session.playing)
    session.stop()
    assert min(b - a for a, b in pairwise(shown[3:10])) > 0.07  # a quick one alone: 0.05


# Pace -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pace", "rate"), [("60", 60), ("10", 10), ("step", 2)])
def test_a_pace_is_kept_however_long_a_step_takes(pace: str, rate: float) -> None:
    now = [5.0]
    session = Session(Run("moons"), pace=pace, clock=lambda: now[0])
    session.put("play")
    for done in range(1, 20):
        now[0] = session._due + (done % 5) / 6 / rate  # late, by up to two thirds of a step
        session._go_on()
        assert session.run.index == done
        assert session._due == pytest.approx(5.0 + done / rate)
    now[0] += 3.0  # much too late: one step at once, the others are not made up for
    session._go_on()
    assert session._due == now[0]
    session._go_on()
    assert session._due == pytest.approx(now[0] + 1 / rate)


def test_sixty_steps_a_second_are_not_hastened_by_commands(sessions: Sessions) -> None:
    session = sessions(pace="60")
    session.start()
    session.put("play")
    start = time.monotonic()
    while time.monotonic() - start < 0.5:
        session.put("change", {"lr": 0.1 + time.monotonic() % 0.01})
        time.sleep(0.003)
    session.put("pause")
    wait_until(lambda: not session.playing)
    assert session.run.index <= 60 * (time.monotonic() - start) + 2


USED = ("zero_grad", "forward", "backward", "step")


@pytest.mark.parametrize(
    ("recipe", "lines"),
    [
        (Recipe(), USED),
        (Recipe(clip="norm"), ("zero_grad", "forward", "backward", "clip", "step")),
        (Recipe(schedule="CosineAnnealingLR"), (*USED, "schedule")),
    ],
)
def test_slow_motion_names_the_lines_that_do_something_and_changes_nothing(
    recipe: Recipe, lines: tuple[str, ...], sessions: Sessions
) -> None:
    session, plain = sessions(recipe=recipe, pace="line"), Run("moons", recipe)
    clock = session._clock = Clock()
    seen: list[str] = []

    def show() -> None:
        if seen[-1:] != [session.line]:
            seen.append(session.line)
        clock.now += 2  # a line is due at once

    session._show = show
    session.start()
    session.put("play", 2)
    wait_until(lambda: session.run.index == 2)
    session.stop()
    assert seen == ["", *lines, *lines, ""]  # between two steps no line is dark
    assert losses(plain, 2) == session.history.column("loss").tolist()
    assert same(session.run, plain)


def test_a_command_in_slow_motion_waits_for_the_end_of_the_step(sessions: Sessions) -> None:
    session = sessions(pace="line")
    session.start()
    session.put("play")
    wait_until(lambda: session.line == "zero_grad")
    session.put("change", {"lr": 0.01})
    wait_until(lambda: bool(session.log) and session.log[-1].verb == "change")
    assert session.log[-1].index == 1 and not session.run.busy
    session.stop()
    assert session.history.column("lr").tolist()[0] == 0.1


# Ghost and undo ---------------------------------------------------------------------------------


def test_the_ghost_is_the_unchanged_run_continued(sessions: Sessions) -> None:
    session = sessions(recipe=Recipe(momentum=0.9, schedule="CosineAnnealingLR"))
    session.advance(7)
    twin = session.run.fork()
    session.put("change", {"lr": 0.5})
    session.advance(15)
    assert session.ghost is not None and session.ghost_history is not None
    assert session.ghost_history.first == 7
    assert session.ghost_history.column("loss").tolist() == losses(twin, 15)
    assert same(session.ghost, twin)
    found = first_difference(session.run, session.ghost)
    assert found is not None and found[0] == 7


def test_before_the_first_step_there_is_no_ghost(sessions: Sessions) -> None:
    session = sessions()
    session.put("change", {"lr": 0.5})
    assert session.ghost is None


def test_a_ghost_that_breaks_leaves_its_line(sessions: Sessions) -> None:
    session = sessions("regression", Recipe(lr=1e6))
    session.advance(1)
    session.put("change", {"lr": 1e-20})
    session.advance(30)
    assert session.ghost is None and session.error is None and session.run.index == 31
    assert session.ghost_history is not None and 0 < len(session.ghost_history) < 30


def test_a_drag_keeps_the_first_ghost_and_is_one_undo(sessions: Sessions) -> None:
    clock = Clock()
    session = sessions(clock=clock)
    session.advance(4)
    unchanged = session.run.fork()
    for i in range(10):
        clock.now += 0.9 * SAME_DRAG
        session.put("change", {"lr": 0.2 + i / 100})
    ghost = session.ghost
    assert ghost is not None and ghost.recipe.lr == 0.1
    session.put("undo")
    assert same(session.run, unchanged) and not session.can_undo


@pytest.mark.parametrize("between", ["time", "field", "advance", "undo"])
def test_a_drag_ends(between: str, sessions: Sessions) -> None:
    clock = Clock()
    session = sessions(clock=clock)
    session.advance(4)
    unchanged = session.run.fork()
    session.put("change", {"lr": 0.2})
    if between == "time":
        clock.now += 1.1 * SAME_DRAG
    elif between == "field":
        session.put("change", {"momentum": 0.5})
    elif between == "advance":
        session.advance(1)
    else:
        session.put("undo")
    expected = session.run.fork()
    session.put("change", {"lr": 0.3})
    # Of several changes before one step the ghost is the run without any of them.
    ghost = expected if between == "advance" else unchanged
    assert session.ghost is not None and same(session.ghost, ghost)
    session.put("undo")
    assert same(session.run, expected)


def test_dragging_a_point_is_one_undo_with_a_ghost_too(sessions: Sessions) -> None:
    session = sessions("bowl", clock=Clock())
    session.advance(4)
    before = session.run.fork()
    for x in range(5):
        session.put("place", torch.tensor([float(x), 1.0]))
    assert session.run.model.w.tolist() == [4.0, 1.0]
    session.advance(3)
    assert session.ghost_history is not None
    assert session.ghost_history.column("loss").tolist() == losses(before.fork(), 3)
    session.put("undo")
    assert same(session.run, before) and not session.can_undo


def full_state(session: Session) -> tuple[Any, ...]:
    """All that an undo has to bring back, apart from the runs' tensors."""
    histories = session.history, session.ghost_history, session.before
    return (
        [
            h and {name: h.column(name).tolist() for name in COLUMNS} | {"at": h.first}
            for h in histories
        ],
        session.run.index,
        session.run.recipe,
        [(c.index, c.kind) for c in session.run.timeline.changes],
    )


@pytest.mark.parametrize(
    ("verb", "value"),
    [
        ("change", {"lr": 0.7}),
        ("change", {"optimizer": "Adam", "lr": 0.01}),
        ("rewind", 3),
        ("reset", None),
        ("place", None),
    ],
    ids=["lr", "optimizer", "rewind", "reset", "place"],
)
def test_undo_brings_back_state_history_and_ghost(
    verb: str, value: Any, sessions: Sessions
) -> None:
    session = sessions(recipe=Recipe(momentum=0.9))
    session.advance(6)
    session.put("change", {"lr": 0.2})
    session.advance(25)
    state, run = full_state(session), session.run.fork()
    assert session.ghost is not None
    ghost = session.ghost.fork()
    if verb == "place":
        value = {name: torch.zeros_like(p) for name, p in session.run.model.named_parameters()}
    session.put(verb, value)
    assert not session.refusal
    session.advance(30)
    assert full_state(session) != state
    session.put("undo")
    assert full_state(session) == state
    assert same(session.run, run) and session.ghost is not None and same(session.ghost, ghost)
    session.advance(5)
    assert same(session.run, advanced(run, 5)) and same(session.ghost, advanced(ghost, 5))


def advanced(run: Run, steps: int) -> Run:
    losses(run, steps)
    return run


def test_undos_go_back_one_by_one(sessions: Sessions) -> None:
    session = sessions()
    found = []
    for lr in (0.2, 0.3, 0.4):
        session.advance(3)
        found.append((session.run.fork(), full_state(session)))
        session.put("change", {"lr": lr})
    session.advance(2)
    for run, state in reversed(found):
        session.put("undo")
        assert same(session.run, run) and full_state(session) == state
    session.put("undo")
    assert session.refusal == "there is nothing to undo; change something first."


def test_so_many_undos_are_kept(sessions: Sessions) -> None:
    session = sessions("bowl")
    for i in range(UNDOS + 5):
        session.advance(1)
        session.put("rewind" if i % 2 else "change", 0 if i % 2 else {"lr": 0.1 + i / 1000})
    undone = 0
    while session.can_undo:
        session.put("undo")
        undone += 1
    assert undone == UNDOS


# Rewind and reset -------------------------------------------------------------------------------


def test_rewind_goes_back_and_keeps_the_old_way_as_a_line(sessions: Sessions) -> None:
    session = sessions()
    session.advance(120)
    line = session.history.column("loss").tolist()
    session.put("rewind", 60)
    assert session.run.index == len(session.history) == 60 and not session.playing
    assert session.before is not None and session.before.column("loss").tolist() == line
    session.advance(60)
    assert session.history.column("loss").tolist() == line


def test_reset_starts_the_same_run_anew_with_the_present_recipe(sessions: Sessions) -> None:
    session = sessions()
    session.advance(5)
    session.put("change", {"lr": 0.3})
    session.advance(5)
    session.put("reset")
    assert session.run.index == len(session.history) == 0
    assert session.before is not None and len(session.before) == 10 and session.ghost is None
    session.advance(8)
    assert session.history.column("loss").tolist() == losses(Run("moons", Recipe(lr=0.3)), 8)


def test_reset_to_another_run(sessions: Sessions) -> None:
    session, other = sessions(), Run("bowl", Recipe(lr=0.2))
    session.advance(5)
    session.put("reset", other)
    assert session.run is other
    session.put("undo")
    assert session.run.task.name == "moons" and len(session.history) == 5


# Playing a session again ------------------------------------------------------------------------


def test_a_log_played_again_gives_the_same_state(sessions: Sessions) -> None:
    clock = Clock()
    session = sessions(recipe=Recipe(momentum=0.9), clock=clock)
    session.start()
    session.put("play", 10)
    wait_until(lambda: session.run.index == 10)
    for lr in (0.2, 0.25, 0.3):  # one drag
        session.put("change", {"lr": lr})
        clock.now += 0.2
    session.put("play", 20)
    wait_until(lambda: session.run.index == 20)
    clock.now += 5
    session.put("change", {"lr": 0.01, "optimizer": "Adam"})
    session.put("step", 4)
    session.put("undo")  # of Adam
    session.put("undo")  # of the whole drag: back to step 10
    session.put("step", 3)
    wait_until(lambda: session.run.index == 13)
    session.put("place", {name: p.detach() / 2 for name, p in session.run.model.named_parameters()})
    session.put("step", 3)
    session.put("rewind", 12)
    session.put("change", {"clip": "norm", "accumulate": 2})
    session.put("step", 7)
    wait_until(lambda: session.run.index == 19)
    session.stop()
    session.advance(2)

    again = sessions(recipe=Recipe(momentum=0.9))
    again.redo(session.log)
    assert same(again.run, session.run) and full_state(again) == full_state(session)


def test_a_run_of_ones_own_is_steered_too(sessions: Sessions) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5))
    task = Task.of(model, torch.randn(40, 2), torch.arange(40) % 2)
    session = Session(Run(task), pace="full")
    session.start()
    session.put("play", 10)
    session.put("change", {"mode": "eval"})
    wait_until(lambda: session.run.index == 10)
    session.stop()
    assert session.run.recipe == replace(Recipe(), mode="eval")
