"""A run that trains in the background while commands arrive: worker, queue, ghost and undo.

There is no widget in here. Whoever steers puts commands in a queue from any thread; only the
worker carries them out, in order, between two steps, and writes them down.
"""

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from interactive_training.engine import state
from interactive_training.engine.choices import named
from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.history import History
from interactive_training.engine.loop import advance, rewind, train, walk
from interactive_training.engine.measure import Step
from interactive_training.engine.recipe import FIELDS
from interactive_training.engine.run import Run
from interactive_training.engine.timeline import Timeline

PACES = {"line": 1.2, "step": 2.0, "10": 10.0, "60": 60.0, "full": None}  # a second
UNDOS = 20
FRAME = 1 / 30  # seconds between two calls of `show` while training
SAME_DRAG = 1.0  # seconds in which changes of one field count as one


@dataclass(frozen=True)
class Command:
    """Something that was asked of the session before step `index`."""

    index: int
    verb: str
    value: Any


@dataclass(frozen=True)
class Moment:
    """All that an undo brings back."""

    run: Run
    saved: dict[str, Any]
    timeline: Timeline
    history: History
    before: History | None
    ghost: Run | None
    ghost_history: History | None


class Session:
    """A run, the thread that trains it, and the commands to it.

    `show` is called by the worker, or by the cell that advances, whenever there is something new
    to see: at most 30 times a second, and once after every command. `pace` is one of "line",
    "step", "10", "60" (steps a second) and "full".

    `error` is the last exception that stopped the run, or None; `refusal` the sentence why the
    last command was not carried out, or "". `ghost` is the run as it would have gone on without
    the last change, trained along with the run; `log` holds every command, so that a session can
    be played again.
    """

    def __init__(
        self,
        run: Run,
        *,
        pace: str = "60",
        show: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.history = History()
        self.ghost: Run | None = None
        self.ghost_history: History | None = None
        self.before: History | None = None  # the run before the last reset or rewind
        self.pace = pace
        self.playing = False
        self.until: int | None = None
        self.line = ""
        self.error: Exception | None = None
        self.refusal = ""
        self.log: list[Command] = []
        self.lock = threading.RLock()
        self._show, self._clock = show, clock
        self._queue: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._undo: list[Moment] = []
        self._last_change: tuple[frozenset[str], float] = (frozenset(), -SAME_DRAG)
        self._walk: Iterator[str] | None = None
        self._worker: threading.Thread | None = None
        self._wake = threading.Event()
        self._ending = False
        self._shown_at = -1.0

    # Commands, from any thread ------------------------------------------------------------------

    def put(self, verb: str, value: Any = None) -> None:
        """Ask for something; the worker does it before the next step, or we do if there is none.

        Verbs: "change" (a dict of recipe fields), "play" (until which step, or None), "pause",
        "step" (how many), "rewind" (to which step), "undo", "reset" (a new Run, or None for the
        same from step 0), "place" (weights), "pace" (one of PACES).
        """
        if verb not in VERBS:
            raise RecipeError(f"{verb!r} is no command; choose one of {', '.join(VERBS)}.")
        self._queue.put((verb, value))
        self._wake.set()
        if not self.alive:
            self.drain()

    def start(self) -> None:
        """Start the worker, if it is not running; only a page that is looked at does this."""
        with self.lock:
            if not self.alive:
                self._ending = False
                self._worker = threading.Thread(
                    target=contextvars.copy_context().run,
                    args=(self._work,),
                    name="interactive-training",
                    daemon=True,
                )
                self._worker.start()

    def stop(self) -> None:
        """End the worker after the step it is in; the run stays as it is."""
        self._ending = True
        self._wake.set()
        worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(timeout=5)
        self._worker = None

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._undo)

    @property
    def alive(self) -> bool:
        """Whether the worker is running."""
        return self._worker is not None and self._worker.is_alive()

    def advance(self, steps: int) -> None:
        """Take so many steps in the calling cell and raise what goes wrong there."""
        with self.lock:
            playing, self.playing = self.playing, False
            try:
                self.drain()
                self._end_walk()
                for step in train(self.run, steps):
                    self._record(step)
            finally:
                self.playing = playing
                self._show()

    def redo(self, log: list[Command]) -> None:
        """Carry out a list of commands again, each at its step, in the calling cell."""
        for command in log:
            self.advance(max(0, command.index - self.run.index))
            self.put(command.verb, command.value)

    # The worker ---------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._ending:
            self.drain()
            if not self.playing:
                self._wake.wait(timeout=0.5)
                self._wake.clear()
                continue
            began = self._clock()
            with self.lock:
                self._one_line() if self.pace == "line" else self._one_step()
            if self._clock() - self._shown_at >= FRAME or not self.playing:
                self._shown_at = self._clock()
                self._show()
            rate = PACES[self.pace]
            if rate is not None and self.playing:
                self._wake.wait(timeout=max(0.0, began + 1 / rate - self._clock()))
                self._wake.clear()
        with self.lock:
            self._end_walk()

    def drain(self) -> None:
        """Carry out the commands that wait, between two steps."""
        if self._queue.empty():
            return
        with self.lock:
            self._end_walk()
            while not self._queue.empty():
                verb, value = self._queue.get()
                index, self.refusal = self.run.index, ""
                try:
                    VERBS[verb](self, value)
                except (RecipeError, TaskError) as error:
                    self.refusal = str(error)
                except Exception as error:
                    self.error, self.playing = error, False
                else:
                    self.log.append(Command(index, verb, value))
            self._show()

    def _one_step(self) -> None:
        try:
            step = advance(self.run)
        except Exception as error:
            self.error, self.playing = error, False
        else:
            self._record(step)

    def _one_line(self) -> None:
        """One line of a step in slow motion; `line` names the one that has just run."""
        if self._walk is None:
            self._walk = walk(self.run)
        try:
            self.line = next(self._walk)
        except StopIteration:
            self._walk, self.line = None, ""
            self._record(self.run.last)
        except Exception as error:
            self._walk, self.line = None, ""
            self.error, self.playing = error, False

    def _end_walk(self) -> None:
        """Finish the step that slow motion is in, because a command or a cell waits."""
        while self._walk is not None:
            self._one_line()

    def _record(self, step: Step | None) -> None:
        assert step is not None
        self.history.append(step)
        if self.until is not None and self.run.index >= self.until:
            self.playing, self.until = False, None
        while self.ghost is not None and self.ghost.index < self.run.index:
            try:
                found = advance(self.ghost)
            except Exception:
                self.ghost = None  # its line ends where it broke, and stays on the picture
                return
            assert found is not None and self.ghost_history is not None
            self.ghost_history.append(found)

    # What the verbs do --------------------------------------------------------------------------

    def _change(self, fields: Mapping[str, Any]) -> None:
        for name in fields:
            named("a field of the recipe", name, FIELDS)
        recipe = replace(self.run.recipe, **fields)
        self.run.check(recipe)
        if recipe == self.run.recipe:
            return
        now = self._clock()
        names, at = self._last_change
        same_drag = names == frozenset(fields) and now - at < SAME_DRAG
        self._last_change = frozenset(fields), now
        if not same_drag:
            self._remember()
            if self.run.index:
                self.ghost, self.ghost_history = self.run.fork(), self.history.copy()
        self.run.recipe = recipe
        self.error = None

    def _play(self, until: int | None) -> None:
        self.until = until if until is not None and until > self.run.index else None
        self.playing, self.error = True, None

    def _pause(self, _: None) -> None:
        self.playing, self.until = False, None

    def _step(self, count: int | None) -> None:
        self.playing, self.until, self.error = False, None, None
        for _ in range(count or 1):
            if self.error is None:
                self._one_step()

    def _rewind(self, index: int) -> None:
        if index == self.run.index:
            return
        saved = self._moment()
        rewind(self.run, index)
        self._undo.append(saved)
        self.playing, self.until, self.error = False, None, None
        self.before = self.history.copy()
        self.history.truncate(index)
        self.ghost, self.ghost_history = None, None

    def _place(self, weights: Any) -> None:
        saved = self._moment()
        self.run.place(weights)
        self._undo.append(saved)
        self.error = None

    def _reset(self, run: Run | None) -> None:
        self._remember()
        old = self.run
        self.run = run or Run(old.task, old.recipe, seed=old.seed, device=old.device)
        self.before, self.history = self.history, History()
        self.ghost, self.ghost_history = None, None
        self.playing, self.until, self.error = False, None, None

    def _back(self, _: None) -> None:
        if not self._undo:
            raise RecipeError("there is nothing to undo; change something first.")
        moment = self._undo.pop()
        self.run, self.history, self.before = moment.run, moment.history, moment.before
        state.restore(self.run, moment.saved)
        self.run.timeline = moment.timeline
        self.ghost, self.ghost_history = moment.ghost, moment.ghost_history
        self.playing, self.until, self.error = False, None, None

    def _set_pace(self, pace: str) -> None:
        self.pace = named("pace", pace, PACES)

    def _remember(self) -> None:
        self._undo.append(self._moment())
        del self._undo[:-UNDOS]

    def _moment(self) -> Moment:
        ghost = None if self.ghost is None else self.ghost.fork()
        ghost_history = None if self.ghost_history is None else self.ghost_history.copy()
        return Moment(
            self.run,
            self.run.capture(),
            self.run.timeline.copy(),
            self.history.copy(),
            self.before,
            ghost,
            ghost_history,
        )


VERBS: Mapping[str, Callable[[Session, Any], None]] = {
    "change": Session._change,
    "play": Session._play,
    "pause": Session._pause,
    "step": Session._step,
    "rewind": Session._rewind,
    "undo": Session._back,
    "reset": Session._reset,
    "place": Session._place,
    "pace": Session._set_pace,
}
