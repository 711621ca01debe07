"""A run that trains in the background while commands arrive: worker, queue, ghost and undo.

There is no widget in here. Whoever steers puts commands in a queue from any thread; only the
worker carries them out, in order, between two steps, and writes them down.
"""

import contextvars
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from interactive_training.engine import state
from interactive_training.engine.choices import named
from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.fairlock import FairLock
from interactive_training.engine.history import History
from interactive_training.engine.loop import advance, refuse_a_second_loop, rewind, train, walk
from interactive_training.engine.measure import Step
from interactive_training.engine.plan import is_idle
from interactive_training.engine.quiet import Unheard, quiet
from interactive_training.engine.recipe import FIELDS
from interactive_training.engine.run import Run
from interactive_training.engine.state import weights_for
from interactive_training.engine.threads import threads_for, threads_of
from interactive_training.engine.timeline import Timeline

PACES = {"line": 1.2, "step": 2.0, "10": 10.0, "60": 60.0, "full": None}  # a second
UNDOS = 20
# Seconds between two calls of `show` while training: of 60 steps a second every other one is shown,
# though it may come a little early.
FRAME = 0.03
# At full speed every show costs steps: it may take this share of the time, within these limits.
SHARE, FULL_FRAME, SLOW_FRAME = 0.038, 1 / 30, 1 / 12
IDLE = 0.5  # seconds between two looks at the queue, in case a wake-up was missed
SAME_DRAG = 1.0  # seconds in which changes of one field count as one


@dataclass(frozen=True)
class Command:
    """Something that was asked of the session at time `at` and done before step `index`."""

    index: int
    verb: str
    value: Any
    at: float


@dataclass(frozen=True)
class Moment:
    """All that an undo brings back: a run with its state, and the same for its ghost.

    Histories only grow, so that they are kept as they are, to be cut at the states' steps.
    """

    run: Run
    saved: dict[str, Any]
    timeline: Timeline
    history: History
    before: History | None
    ghost: Run | None
    ghost_saved: dict[str, Any]
    ghost_history: History | None


class Session:
    """A run, the thread that trains it, and the commands to it.

    `show` is called by the worker, or by the cell that advances, whenever there is something new
    to see: at most 30 times a second, and once after every command. `pace` is one of "line",
    "step", "10", "60" (steps a second) and "full".

    `error` is the last exception that stopped the run, or None; `refused` the one because of which
    the last command was not carried out, or None, and `refusal` the same in a sentence, or "": that
    of the exception, unless `said` puts it into other words. `ghost` is the run as it would have
    gone on without the last change, trained along with the run, and `ghost_history` holds its steps
    from there on; `before` is the history before the last reset or rewind. `log` holds every
    command, so that a session can be played again. `unheard` counts the lines that a model printed
    in the worker, which nobody sees.
    """

    def __init__(
        self,
        run: Run,
        *,
        pace: str = "60",
        show: Callable[[], None] = lambda: None,
        said: Callable[[Exception], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.history = History()
        self.ghost: Run | None = None
        self.ghost_history: History | None = None
        self.before: History | None = None
        self.pace = pace
        self.playing = False
        self.until: int | None = None
        self.line = ""
        self.error: Exception | None = None
        self.refused: Exception | None = None
        self.refusal = ""
        self.log: list[Command] = []
        self.unheard = Unheard()
        self.lock = FairLock()
        self._show, self._said, self._clock = show, said, clock
        self._queue: queue.SimpleQueue[tuple[str, Any, float]] = queue.SimpleQueue()
        self._asked_at = 0.0  # the time of the command that is being carried out
        self._undo: deque[Moment] = deque(maxlen=UNDOS)
        self._drag: tuple[frozenset[str], float] | None = None  # what was changed last, and when
        self._walk: Iterator[str] | None = None
        self._worker: threading.Thread | None = None
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._ending = False
        self._due = self._shown_at = -math.inf  # when the next step is to be, and the last show was
        self._showing = 0.0  # how long a show takes, on the average of the last ones

    # Commands, from any thread ------------------------------------------------------------------

    def put(self, verb: str, value: Any = None) -> None:
        """Ask for something; the worker does it before the next step, or we do if there is none.

        Verbs: "change" (a dict of recipe fields), "play" (until which step, or None), "pause",
        "step" (how many), "rewind" (to which step), "undo", "reset" (a new Run, or None for the
        same from step 0), "place" (weights), "pace" (one of PACES).
        """
        if verb not in VERBS:
            raise RecipeError(f"{verb!r} is no command; choose one of {', '.join(VERBS)}.")
        self._queue.put((verb, value, self._clock()))
        self._wake.set()
        if not self.alive:
            self.drain()

    def start(self) -> None:
        """Start the worker, if it is not running; only a page that is looked at does this."""
        with self._starting:
            if not self.alive:
                self._ending = False
                self.run.threads = threads_for(self.run)
                self._worker = threading.Thread(
                    target=contextvars.copy_context().run,
                    args=(self._work,),
                    name="interactive-training",
                    daemon=True,
                )
                self._worker.start()

    def stop(self) -> None:
        """End the worker after the step it is in; what was asked until then is still done."""
        self._ending = True
        self._wake.set()
        worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(timeout=5)
        self._worker = None
        self.drain()

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
        self.run.threads = threads_for(self.run)
        with self.lock, threads_of(self.run):
            self.drain()
            self._end_walk()
            self._drag = None
            begin = self.run.index
            try:
                self._take(steps)
            except BaseException:
                self._stopped()
                raise
            finally:
                taken = self.run.index - begin
                self.log.append(Command(begin, "advance", taken, self._clock()))
                self._tell()

    def redo(self, log: Iterable[Command]) -> None:
        """Carry out a list of commands again, each at its step, in the calling cell."""
        for command in log:
            with self.lock:
                self._take(command.index - self.run.index)
            if command.verb == "advance":
                self.advance(command.value)
            else:
                self._queue.put((command.verb, command.value, command.at))
                self.drain()

    def _take(self, steps: int) -> None:
        for step in train(self.run, steps):
            self._record(step)

    # The worker ---------------------------------------------------------------------------------

    def _work(self) -> None:
        with threads_of(self.run), quiet(self.unheard):
            self._until_the_end()

    def _until_the_end(self) -> None:
        while not self._ending:
            self.drain()
            wait = self._due - self._clock() if self.playing else IDLE
            if wait > 0:
                self._wake.wait(wait)
                self._wake.clear()
                continue
            with self.lock:
                self._go_on()
            if self._clock() - self._shown_at >= self._frame or not self.playing:
                self._tell()
        with self.lock:
            self._end_walk()

    def _go_on(self) -> None:
        """Take the step that is due; at full speed all until the next frame, or a command."""
        rate = PACES[self.pace]
        if rate is not None:
            # From when it was due, not from when it came: 60 steps a second are 60. Time that was
            # lost is not made up for.
            self._due = max(self._due + 1 / rate, self._clock())
            if self.playing and self.pace != "line":
                self._one_step()
            elif self.playing:
                self._one_line()
                if self._walk is None and self.playing:  # the step is over: on to the next one
                    self._one_line()
            return
        frame = self._shown_at + self._frame
        while self.playing and self._queue.empty() and not self._ending:
            self._one_step()
            if self.lock.wanted or self._clock() >= frame:
                return

    def drain(self) -> None:
        """Carry out the commands that wait, between two steps."""
        if self._queue.empty():
            return
        with self.lock:
            self._end_walk()
            while not self._queue.empty():
                self._carry_out(*self._queue.get())
            self._tell()

    def _carry_out(self, verb: str, value: Any, at: float) -> None:
        index, self._asked_at = self.run.index, at
        self.refused, self.refusal = None, ""
        if verb not in ("change", "place"):
            self._drag = None
        try:
            VERBS[verb](self, value)
        except (RecipeError, TaskError) as error:
            self.refused, self.refusal = error, self._said(error)
        except Exception as error:
            self._failed(error)
        else:
            self.log.append(Command(index, verb, value, at))

    @property
    def _frame(self) -> float:
        """Seconds from one show to the next."""
        if PACES[self.pace] is not None:
            return FRAME
        return min(max(self._showing / SHARE, FULL_FRAME), SLOW_FRAME)

    def _tell(self) -> None:
        self._shown_at = self._clock()
        try:
            self._show()
        except Exception as error:  # a picture that cannot be drawn must not end the worker
            self._failed(error)
        took = self._clock() - self._shown_at
        self._showing += (took - self._showing) * (0.2 if self._showing else 1)

    def _failed(self, error: Exception) -> None:
        self.error = error
        self._stopped()

    def _stopped(self) -> None:
        """Stand still in the state that an error left, which may lie more than one step back."""
        self.playing = False
        if len(self.history) and self.history.first + len(self.history) > self.run.index:
            self.history = self.history.until(self.run.index)

    def _one_step(self) -> None:
        try:
            refuse_a_second_loop(self.run)
            step = advance(self.run)
        except Exception as error:
            self._failed(error)
        else:
            self._record(step)

    def _one_line(self) -> None:
        """One line of a step in slow motion; `line` names the one that has just run.

        Lines that have nothing to do in this recipe are not seen, and take no time.
        """
        if self._walk is None:
            self._walk = walk(self.run)
        try:
            self.line = next(line for line in self._walk if not is_idle(line, self.run.in_force))
        except StopIteration:
            self._walk, self.line = None, ""
            self._record(self.run.last)
        except Exception as error:
            self._walk, self.line = None, ""
            self._failed(error)

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
        # The options of the old choice go with it.
        gone = {
            f"{name}_options": () for name in ("optimizer", "loss", "schedule") if name in fields
        }
        recipe = replace(self.run.recipe, **{**gone, **fields})
        self.run.check(recipe)
        if recipe == self.run.recipe:
            return
        self._before_change(frozenset(fields))
        self.run.recipe = recipe
        self.error = None

    def _place(self, weights: Any) -> None:
        weights_for(self.run, weights)
        self._before_change(frozenset({"place"}))
        self.run.place(weights)
        self.error = None

    def _before_change(self, what: frozenset[str]) -> None:
        """Remember the moment, and let the run go on unchanged as a ghost; a drag does so once.

        Of several changes before one step, the ghost is the run without any of them.
        """
        drag, self._drag = self._drag, (what, self._asked_at)
        if drag is not None and drag[0] == what and self._asked_at - drag[1] < SAME_DRAG:
            return
        self._remember()
        done = self.run.timeline.changes
        again = self.ghost is not None and done and done[-1].index == self.run.index
        if self.run.index and not again:
            self.ghost, self.ghost_history = self.run.fork(), self.history.fork()

    def _play(self, until: int | None) -> None:
        self.until = until if until is not None and until > self.run.index else None
        self.playing, self.error, self._due = True, None, self._clock()

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
        moment = self._moment()
        rewind(self.run, index)
        self._undo.append(moment)
        self.playing, self.until, self.error = False, None, None
        self.before, self.history = self.history, self.history.until(index)
        self.ghost, self.ghost_history = None, None

    def _reset(self, run: Run | None) -> None:
        self._remember()
        old = self.run
        self.run = run or Run(old.task, old.recipe, seed=old.seed, device=old.device)
        self.run.threads = threads_for(self.run)
        # Losses of another task would mean nothing beside these.
        same = self.run.task.name == old.task.name
        self.before, self.history = self.history if same else None, History()
        self.ghost, self.ghost_history = None, None
        self.playing, self.until, self.error = False, None, None

    def _back(self, _: None) -> None:
        if not self._undo:
            raise RecipeError("there is nothing to undo; change something first.")
        moment = self._undo.pop()
        self.run = moment.run
        state.restore(self.run, moment.saved)
        self.run.timeline = moment.timeline
        self.history = moment.history.until(self.run.index)
        self.before = moment.before
        self.ghost, self.ghost_history = moment.ghost, moment.ghost_history
        if self.ghost is not None and self.ghost_history is not None:
            state.restore(self.ghost, moment.ghost_saved)
            self.ghost_history = self.ghost_history.until(self.ghost.index)
        self.playing, self.until, self.error = False, None, None

    def _set_pace(self, pace: str) -> None:
        self.pace = named("pace", pace, PACES)
        self._due = self._clock()

    def _remember(self) -> None:
        self._undo.append(self._moment())

    def _moment(self) -> Moment:
        return Moment(
            self.run,
            self.run.capture(),
            self.run.timeline.copy(),
            self.history,
            self.before,
            self.ghost,
            {} if self.ghost is None else self.ghost.capture(),
            self.ghost_history,
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
