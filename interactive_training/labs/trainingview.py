"""What a TrainingLab shows: its four parts and three pictures, brought up to date with its run."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import ipywidgets

from interactive_training.engine.history import History
from interactive_training.engine.quiet import quiet
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.session import Session
from interactive_training.engine.task import Task
from interactive_training.figures.curves import Guess
from interactive_training.labs import codemenu, controls, trainingwords
from interactive_training.labs.asking import NOTHING
from interactive_training.labs.panels import Panels
from interactive_training.labs.parts import Part
from interactive_training.labs.prompt import Prompt
from interactive_training.labs.proving import Proving
from interactive_training.labs.trainingwords import Verdict, judge

PACE_NAMES = (
    ("line", "line by line"),
    ("step", "2 steps/s"),
    ("10", "10 steps/s"),
    ("60", "60 steps/s"),
    ("full", "full speed"),
)
PINS = 2
EVERY = {"words": 0.4, "answers": 0.2, "top": 0.2}  # seconds while training
AT_FULL_SPEED = 2  # times as long, since every look costs steps then


@dataclass
class Shown:
    """How a lab is set up, and what the learner has opened in it: all but the run."""

    question: str
    until: int
    hide: tuple[str, ...]
    asking: Prompt | None
    order: codemenu.Order
    selected: str = "zero_grad"
    pins: list[History] = field(default_factory=list)
    open_why: bool = False
    large: bool = False


class Listener(Protocol):
    """Who hears what the learner does on the page."""

    def receive(self, message: dict[str, Any]) -> None:
        """A message of one of the parts."""

    def failed(self, error: Exception) -> None:
        """What `receive` raised."""

    def seen(self) -> None:
        """A page shows the pictures."""

    def clicked(self, step: float) -> None:
        """A click into the loss picture."""


class TrainingView:
    """The widgets of a lab for `session`; `root` holds them all, `listener` hears what they say.

    `show` may be called from any thread and as often as there is something new: what is slow to
    read is written less often, and nothing that did not change is sent. `verdict` is what the last
    look at the run found.
    """

    listener: Listener
    panels: Panels

    def __init__(self, session: Session, shown: Shown, proving: Proving) -> None:
        self.session, self.shown, self.proving = session, shown, proving
        self.verdict = Verdict()
        self.due = dict.fromkeys(EVERY, 0.0)
        self._watched = self._closed = self._playing = False
        self._code_of: tuple[Recipe, float] | None = None
        self._refusal = ""
        self._setup_of: tuple[Task, int] | None = None
        self._setup: dict[str, Any] = {}
        self._drawing = threading.RLock()
        self.top, self.code, self.words, self.asked = (
            Part(name, self._receive, self._failed) for name in ("top", "code", "words", "question")
        )
        self.row = boxed("it-row")
        self.charts = boxed("it-charts")
        self.grid = boxed("it-grid", self.top, self.code, self.charts, self.words)
        self.root = boxed("it-lab", self.grid)
        self._make_panels()

    def show(self, everything: bool = False) -> None:
        """Bring the screen up to date; the worker calls this at most 30 times a second."""
        # The network is asked here too, and may print.
        with self._drawing, quiet(self.session.unheard):
            if self._closed:
                return
            self._pause_unwatched()
            if self.panels.fit(self.session.run):
                self._draw(everything)
            else:
                self.renew()

    def renew(self) -> None:
        """Make the pictures anew, for another task, another precision or another size."""
        with self._drawing:
            old = self.panels
            self._make_panels()
        old.close()
        self.show(everything=True)

    def span(self) -> int:
        """How many steps the curves have room for."""
        done = len(self.session.history)
        return max(2 * self.shown.until, 50 * -(-done // 50))

    def marks(self) -> list[tuple[int, str]]:
        """Where the recipe changed on the way, with a word or two each."""
        return trainingwords.marks(self.session.run)

    def guess(self) -> Guess | None:
        """What the learner expected of the run on the screen."""
        asking = self.shown.asking
        return None if asking is None else asking.guess(self.session.run)

    def close(self) -> None:
        """Take everything off every page."""
        with self._drawing:
            self._closed = True
            self.panels.close()
            for part in (self.top, self.code, self.words, self.asked):
                part.close()
            for box in (self.row, self.charts, self.grid, self.root):
                layout = box.layout
                box.close()
                layout.close()

    def _receive(self, message: dict[str, Any]) -> None:
        self.listener.receive(message)

    def _failed(self, error: Exception) -> None:
        self.listener.failed(error)

    def _seen(self, visible: bool) -> None:
        if visible and not self._closed:
            self._watched = True
            self.listener.seen()

    def _clicked(self, _axes: int, x: float, _y: float) -> None:
        self.listener.clicked(x)

    def _make_panels(self) -> None:
        self.panels = Panels(self.session.run, self.span(), large=self.shown.large)
        self.row.children = [self.panels.seen, self.panels.gradient]
        self.charts.children = [self.panels.loss, self.row, self.asked]
        self._watched = False  # until a page has shown these
        self.panels.loss.on_view(self._seen)
        self.panels.loss.on_click(self._clicked)

    def _pause_unwatched(self) -> None:
        """A run that no page has watched for a minute waits until one does."""
        if self.session.playing and self._watched and not self.panels.loss.watching:
            self.session.put("pause")

    def _draw(self, everything: bool) -> None:
        session, now = self.session, time.monotonic()
        # Every refusal is a text of its own, and once it puts the page's controls back.
        refused = session.refusal is not self._refusal
        self._refusal = session.refusal
        begun = session.playing and not self._playing
        self._playing = session.playing
        everything = everything or refused or begun or not session.playing
        due = {what for what, at in self.due.items() if everything or now >= at}
        longer = AT_FULL_SPEED if session.pace == "full" else 1
        self.due.update({what: now + longer * EVERY[what] for what in due})
        try:
            changed = self._code_of is not None and session.run.recipe != self._code_of[0]
            if changed:  # the answer to the learner's hand goes ahead of what has to be computed
                self._draw_curves(everything=True)
                self.panels.update(urgent=True)
            if "words" in due:
                self.verdict = judge(session, self.panels)
                if self.shown.asking is not None:
                    self.shown.asking.judge(session, self.verdict)
            if everything or not changed:
                self._draw_curves(everything)
            if "answers" in due:
                self.panels.show_answers(session)
            self.panels.update()
        except Exception as error:  # it must neither stop the training nor hide how that stands
            session.error = session.error or error
            self.verdict = judge(session, self.panels)  # speaks of the error alone
            due.add("words")
        if "top" in due:
            self._show_top(again=refused)
            self.asked.show(self._question(), again=refused)
        if "words" in due:
            self._show_words()
        code = (session.run.recipe, self._scale())
        if everything or code != self._code_of or session.pace == "line":
            self._code_of = code
            self._show_code(again=refused)

    def _draw_curves(self, everything: bool) -> None:
        session, shown = self.session, self.shown
        # A room tells two lines apart, not four: yours and the unchanged run's.
        pins = [] if shown.large else shown.pins
        self.panels.show_curves(
            session, self.marks(), pins, self.guess(), self.span(), everything=everything
        )

    def _show_top(self, again: bool) -> None:
        session, shown = self.session, self.shown
        self.top.show(
            {
                "question": shown.question,
                **self._described(),
                "note": "Each of these starts a new run.",
                "playing": session.playing,
                "index": session.run.index,
                "pace": session.pace,
                "paces": [list(pair) for pair in PACE_NAMES],
                "undo": session.can_undo,
                "pin": "Unpin" if len(shown.pins) == PINS else "Pin",
                "hidden": list(shown.hide),
                "presenting": shown.large,
            },
            again=again,
        )

    def _described(self) -> dict[str, Any]:
        """The set-up in words and its controls, made anew only for another one."""
        run = self.session.run
        if self._setup_of != (run.task, run.seed):
            self._setup_of = (run.task, run.seed)
            self._setup = {
                "setup": controls.described(run.task, run.seed),
                "controls": controls.setup(run.task, run.seed),
            }
        return self._setup

    def _question(self) -> dict[str, Any]:
        if self.shown.asking is None:
            return NOTHING
        ax = self.panels.pictures.loss.ax
        return self.shown.asking.shown(self.session, ax, self.panels.loss)

    def _show_code(self, again: bool) -> None:
        run, shown, proving = self.session.run, self.shown, self.proving
        shown.order = shown.order.follow(run.recipe.stages)
        line = self.session.line
        state = codemenu.menu(shown.order, run, self._scale(), shown.selected, line)
        # A room follows one slider: that of the selected line, or else the learning rate.
        other = shown.large and state["drawer"] and controls.slides(state["drawer"])
        digits = 2 if shown.large else 3
        state["rate"] = None if other else controls.lr_slider(run.recipe, digits=digits)
        state["proof"] = trainingwords.of_proof(proving.proof, proving.running)
        self.code.show(state, again=again)

    def _scale(self) -> float:
        """float16's loss scale at the newest step, else 1; read from its record, not the device."""
        return self.session.history.last("amp_scale")

    def _show_words(self) -> None:
        marks, why = self.marks(), self.shown.open_why
        self.words.show(trainingwords.row(self.session, self.verdict, marks, why))


def boxed(name: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """A box that the style sheet knows by name."""
    box = ipywidgets.Box(children)
    box.add_class(name)
    return box
