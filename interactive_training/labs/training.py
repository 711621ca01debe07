"""TrainingLab: change one line of a real training run, and see at once what it does."""

import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ipywidgets

from interactive_training.engine.choices import named
from interactive_training.engine.errors import (
    NonFiniteError,
    RecipeError,
    StepError,
    TaskError,
)
from interactive_training.engine.history import History
from interactive_training.engine.prove import Proof, prove
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.session import Session
from interactive_training.engine.source import source
from interactive_training.engine.task import Task
from interactive_training.exercises.predictions import Question
from interactive_training.exercises.presets import TRAINING, preset
from interactive_training.figures.curves import Guess
from interactive_training.labs import cells, codemenu, controls, trainingwords
from interactive_training.labs.asking import NOTHING
from interactive_training.labs.panels import Panels, static
from interactive_training.labs.parts import Part
from interactive_training.labs.prompt import Prompt
from interactive_training.labs.statestring import LabState, StateStringError
from interactive_training.labs.trainingwords import Verdict, judge

QUESTION = "What happens when one line is missing?"
PACE_NAMES = (
    ("line", "line by line"),
    ("step", "2 steps/s"),
    ("10", "10 steps/s"),
    ("60", "60 steps/s"),
    ("full", "full speed"),
)
RATES = {"digits": 0.05, "bowl": 0.15}  # learning rates that a task starts with
PINS = 2
PREVIEW_STEPS, PREVIEW_SECONDS = 200, 1.0
HIDEABLE = ("pace", "undo", "pin", "reset", "setup", "step")
WORDS_EVERY, ANSWERS_EVERY, TOP_EVERY = 0.4, 0.2, 0.1  # seconds


class TrainingLab:
    """A real training run with its code, to steer while it runs; the last line of a cell shows it.

    `task` is a Task or the name of a built-in one, `recipe` what to start with. The run trains to
    step `until` when the lab comes on the screen, and stops there. `ask` is a Question, or the name
    of a stage such as "zero_grad", for what happens without that line: the lab then asks it over
    the empty part of the picture, and any answer makes the question's change and runs on. A
    question without answers is answered by drawing the curve to come. `hide` leaves out controls:
    "pace", "undo", "pin", "reset", "setup", "step". Raises TaskError or RecipeError as Run does.

    `advance(n)` takes n steps in the calling cell; `run` and `history` are the run itself and
    its records. Nothing trains until a page shows the lab or a cell advances it.

    Notice: a tick before each line of the code leaves that line out; the dashed grey line is the
    run as it would have gone on without your change.
    """

    def __init__(
        self,
        task: Task | str = "digits",
        recipe: Recipe | None = None,
        *,
        seed: int = 1,
        until: int = 200,
        question: str = QUESTION,
        ask: Question | str | None = None,
        hide: Sequence[str] = (),
        device: str = "auto",
    ) -> None:
        unknown = [name for name in hide if name not in HIDEABLE]
        if unknown:
            raise ValueError(f"{unknown[0]!r} cannot be hidden; choose from {', '.join(HIDEABLE)}.")
        made = Task.named(task) if isinstance(task, str) else task
        recipe = recipe or Recipe(lr=RATES.get(made.name, 0.1))
        if isinstance(ask, Question):
            replace(recipe, **ask.change)
        elif ask is not None:
            named("the line to ask about", ask, recipe.stages)
        run = Run(made, recipe, seed=seed, device=device)
        self.question, self.until = question, until
        self.asking = None if ask is None else Prompt(ask, run, until)
        self.hide = tuple(hide)
        self.session = Session(run, show=self._show)
        self.order = codemenu.Order.of(recipe.stages)
        self.selected = "zero_grad"
        self.proof: Proof | None = None
        self.proving = False
        self.pins: list[History] = []
        self.open_why = False
        self.large = False
        self._begun = False
        self._watched = False
        self._shown_code: tuple[Recipe, float] | None = None
        self._shown_refusal = ""
        self._setup_of: tuple[Task, int] | None = None
        self._setup: dict[str, Any] = {}
        self._closed = False
        self._drawing = threading.RLock()
        self._due = {"words": 0.0, "answers": 0.0, "top": 0.0}
        self.verdict = Verdict()
        self.top = Part("top", self._receive, self._fail)
        self.code = Part("code", self._receive, self._fail)
        self.words = Part("words", self._receive, self._fail)
        self.asked = Part("question", self._receive, self._fail)
        self.row = ipywidgets.Box()
        self.row.add_class("it-row")
        self.charts = ipywidgets.Box()
        self.charts.add_class("it-charts")
        self.grid = ipywidgets.Box([self.top, self.code, self.charts, self.words])
        self.grid.add_class("it-grid")
        self.root = ipywidgets.Box([self.grid])
        self.root.add_class("it-lab")
        self._make_panels()
        cells.take_over(self)
        self._show(everything=True)

    # What a notebook calls ------------------------------------------------------------------------

    @property
    def run(self) -> Run:
        """The run on the screen."""
        return self.session.run

    @property
    def history(self) -> History:
        """The records of the run on the screen."""
        return self.session.history

    @property
    def guess(self) -> str:
        """The answer to the question in words, while the run goes the way that it was about."""
        found = self._guess()
        return "" if found is None else found.words

    def advance(self, steps: int) -> None:
        """Take so many steps in this cell; what goes wrong is raised here."""
        self._begun = True
        self.session.advance(steps)

    def change(self, **fields: Any) -> None:
        """Change fields of the recipe, as the controls do; raises what the recipe refuses."""
        self.session.put("change", fields)
        if not self.session.alive and self.session.refusal:
            raise RecipeError(self.session.refusal)

    def rewind(self, step: int) -> None:
        """Go back to the state before `step`; the way from there on stays as a grey line."""
        self.session.put("rewind", step)

    def source(self) -> str:
        """The plain PyTorch script of the run, the text that Copy gives."""
        return source(self.run)

    def prove(self) -> Proof:
        """Run the script in a process of its own and compare its losses with the run's."""
        return prove(self.run, self.history.column("loss").tolist(), self.history.first)

    def to_string(self) -> str:
        """The lab as a short string, from which `from_string` makes one in the same state.

        Raises StateStringError for a task of your own, which a string cannot hold.
        """
        shown: dict[str, Any] = {
            "pace": self.session.pace,
            "until": self.until,
            "question": self.question,
            "hide": list(self.hide),
        }
        if self.asking is not None and self.asking.stage and self.asking.open:
            shown["ask"] = self.asking.stage
        return LabState.of(self.run, shown).to_string()

    @classmethod
    def from_string(cls, text: str) -> "TrainingLab":
        """The lab that a state string describes, trained to where it stood.

        Raises StateStringError when the string is cut off, altered or of a newer version.
        """
        state = LabState.from_string(text)
        shown = state.shown
        try:
            task = Task.named(state.task, **state.options)
            lab = cls(
                task,
                Recipe(**state.recipe),
                seed=state.seed,
                until=int(shown.get("until", 200)),
                question=str(shown.get("question", QUESTION)),
                ask=shown.get("ask"),
                hide=[str(name) for name in shown.get("hide", ())],
            )
        except (TypeError, ValueError) as error:
            raise StateStringError(f"the state string cannot be used: {error}") from None
        for index, fields in state.changes:
            lab.advance(max(0, index - lab.run.index))
            lab.session.put("change", dict(fields))
            if lab.session.refusal:
                refusal = lab.session.refusal
                lab.close()
                raise StateStringError(f"the state string cannot be used: {refusal}")
        lab.advance(max(0, state.index - lab.run.index))
        lab.session.put("pace", str(shown.get("pace", "60")))
        return lab

    @classmethod
    def preset(cls, name: str, **more: Any) -> "TrainingLab":
        """The lab in a named state for a class, such as "forgotten zero_grad".

        `interactive-training list` names them all; `more` are further arguments of the lab.
        Raises RecipeError for an unknown name, with the nearest right one.
        """
        row = preset(TRAINING, name)
        task = Task.named(row.start, **row.options)
        return cls(task, Recipe(**row.recipe), **{**row.sets, **more})

    def _preview(self) -> Session:
        """What a still picture shows: the run, or before its first step where it is about to go."""
        if self.run.index:
            return self.session
        preview = Session(self.run.fork())
        end = time.monotonic() + PREVIEW_SECONDS
        try:
            while preview.run.index < min(self.until, PREVIEW_STEPS) and time.monotonic() < end:
                preview.advance(10)
        except (StepError, NonFiniteError):
            pass  # the lab will say it; a picture shows what there is
        return preview

    def close(self) -> None:
        """End the worker and take the lab off every page."""
        self._closed = True
        self.session.stop()
        self.panels.close()
        for part in (self.top, self.code, self.words, self.asked):
            part.close()
        for box in (self.row, self.charts, self.grid, self.root):
            layout = box.layout
            box.close()
            layout.close()

    def __repr__(self) -> str:
        return f"TrainingLab({self.run.task.name!r}, step {self.run.index})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = _bundle(self.root, **kwargs)
        picture = static(self._preview(), self._span(), self._marks())
        data["image/png"] = b64encode(picture).decode()
        data["text/plain"] = repr(self)
        return data, {
            **metadata,
            "image/png": {"width": 848, "alt": trainingwords.sentence(self.session, self.verdict)},
        }

    # What the learner does ------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        """One message of the browser, on whatever thread it comes."""
        value: Any = message.get("value")
        match message["verb"]:
            case "play" | "pause" | "step" | "undo" | "rewind" | "pace" as verb:
                self._begun = self._begun or verb in ("play", "step")
                self.session.start()
                self.session.put(verb, value)
            case "set":
                self._set(message["name"], value)
            case "setup":
                self._set_up(message["name"], value)
            case "tick":
                self._tick(value)
            case "move":
                self._reorder(self.order.moved(*value))
            case "select":
                self.selected = value
                self._show(everything=True)
            case "add":
                self._add(value)
            case "reset":
                self._reset()
            case "pin":
                self._pin()
            case "copy":
                self.code.tell({"copy": self.source()})
            case "prove":
                self._start_proof()
            case "why":
                self.open_why = not self.open_why
                self._show(everything=True)
            case "fix":
                self._apply_fix()
            case "present":
                self.large = bool(value)
                self._new_panels()
            case "answer" | "draw" | "hands" | "recall":
                self._asked(message)

    def _change(self, fields: dict[str, Any]) -> None:
        self.proof = None
        self.session.put("change", fields)

    def _set(self, name: str, value: Any) -> None:
        self._change(controls.change(self.run.recipe, name, value))

    def _tick(self, at: int) -> None:
        if at < 0:  # the line of the validation, which has no place among the stages
            self._change({"validate_every": None})
        else:
            self._reorder(self.order.ticked(at))

    def _reorder(self, order: codemenu.Order) -> None:
        self.order = order
        self._change({"stages": order.stages})

    def _add(self, chip: str) -> None:
        _, fields, self.selected = codemenu.CHIPS[chip]
        stages = dict(self.order.lines)
        if chip in stages and not stages[chip]:
            at = self.order.lines.index((chip, False))
            self.order = self.order.ticked(at)
            fields = {**fields, "stages": self.order.stages}
        self._change(fields)

    def _set_up(self, name: str, value: Any) -> None:
        old, seed = self.run.task, self.run.seed
        value = controls.read(value) if isinstance(value, str) else value
        task, recipe = old, self.run.recipe
        try:
            if name == "task":
                task = Task.named(value)
                recipe = Recipe(lr=RATES.get(task.name, 0.1))
            elif name == "seed":
                seed = value
            else:
                task = Task.named(old.name, **{**old.options, name: value})
            run = Run(task, recipe, seed=seed, device=self.run.device)
        except (TaskError, RecipeError) as error:
            self.session.refusal = str(error)
            self._show(everything=True)
            return
        self.until = max(self.until, 1)
        self._reset(run)
        self.session.start()
        self.session.put("play", self.until)

    def _reset(self, run: Run | None = None) -> None:
        self.proof = None
        self.session.put("reset", run)

    def _pin(self) -> None:
        """Keep the present curve on the picture; a third press takes the pins off again."""
        self.pins = [] if len(self.pins) == PINS else [*self.pins, self.history.copy()]
        self._show(everything=True)

    def _start_proof(self) -> None:
        if self.proving:
            return
        self.session.put("pause")
        self.proving, self.proof = True, None
        self._show(everything=True)

        def work() -> None:
            try:
                with self.session.lock:
                    losses = self.history.column("loss").tolist()
                    twin = self.run.fork()
                    twin.timeline = self.run.timeline.copy()
                self.proof = prove(twin, losses, self.history.first)
            except Exception as error:
                self.proof = Proof(0, 0, 0, str(error))
            self.proving = False
            self._show(everything=True)

        threading.Thread(target=work, name="interactive-training-proof", daemon=True).start()

    def _apply_fix(self) -> None:
        finding = self.verdict.finding
        if finding is not None and finding.fields:
            self._change(dict(finding.fields))
            self.session.put("play", None)

    def _asked(self, message: dict[str, Any]) -> None:
        """What the page says to the question; any answer makes its change and runs on."""
        asking = self.asking
        if asking is not None and asking.receive(message):
            change = asking.answered()
            if asking.reply.given:
                self.session.start()
                if change:
                    self._change(change)
                self.session.put("play", self.run.index + self.until)
        self._show(everything=True)

    def _seen(self, visible: bool) -> None:
        """A page shows the lab: let the worker run, and begin if nothing has begun yet."""
        if not visible or self._closed:
            return
        self._watched = True
        self.session.start()
        if not self._begun:
            self._begun = True
            self.session.put("play", self.until)

    def _clicked(self, _axes: int, x: float, _y: float) -> None:
        near = 0.02 * self._span()
        at = [step for step, _ in self._marks() if abs(step - x) < near]
        if at:
            self.session.put("rewind", at[-1])

    def _fail(self, error: Exception) -> None:
        self.session.refusal = f"{type(error).__name__}: {error}"
        self._show(everything=True)

    # What the lab shows ---------------------------------------------------------------------------

    def _make_panels(self) -> None:
        self.panels = Panels(self.run, self._span(), large=self.large)
        self.row.children = [self.panels.seen, self.panels.gradient]
        self.charts.children = [self.panels.loss, self.row, self.asked]
        self._watched = False  # until a page has shown these
        self.panels.loss.on_view(self._seen)
        self.panels.loss.on_click(self._clicked)

    def _new_panels(self) -> None:
        with self._drawing:
            old = self.panels
            self._make_panels()
        old.close()
        self._show(everything=True)

    def _span(self) -> int:
        return max(2 * self.until, 50 * -(-len(self.history) // 50) if len(self.history) else 0)

    def _show(self, everything: bool = False) -> None:
        """Bring the screen up to date; the worker calls this at most 30 times a second."""
        if self._closed:
            return
        with self._drawing:
            now = time.monotonic()
            # Every refusal is a text of its own, and once it puts the page's controls back.
            refused = self.session.refusal is not self._shown_refusal
            self._shown_refusal = self.session.refusal
            everything = everything or refused or not self.session.playing
            try:
                self._pause_unwatched()
                if not self.panels.fit(self.run):
                    self._new_panels()
                    return
                # A room tells two lines apart, not four: yours and the unchanged run's.
                pins = [] if self.large else self.pins
                self.panels.show_curves(self.session, self._marks(), pins, self._guess())
                if everything or now >= self._due["answers"]:
                    self._due["answers"] = now + ANSWERS_EVERY
                    self.panels.show_answers(self.session)
                self.panels.update()
                top = everything or now >= self._due["top"]
                if top:
                    self._due["top"] = now + TOP_EVERY
                    self._show_top(again=refused)
                if everything or now >= self._due["words"]:
                    self._due["words"] = now + WORDS_EVERY
                    self.verdict = judge(self.session, self.panels)
                    self._show_words()
                if top:  # after the verdict, which says what came true
                    self.asked.show(self._question(), again=refused)
                code = (self.run.recipe, self._scale())
                if everything or code != self._shown_code or self.session.pace == "line":
                    self._shown_code = code
                    self._show_code(again=refused)
            except Exception as error:  # a picture must never stop the training
                self.session.error = self.session.error or error
                self._show_words()

    def _pause_unwatched(self) -> None:
        """A run that no page has watched for a minute waits until one does."""
        if self.session.playing and self._watched and not self.panels.loss.watching:
            self.session.put("pause")

    def _show_top(self, again: bool) -> None:
        session = self.session
        self.top.show(
            {
                "question": self.question,
                **self._described(),
                "playing": session.playing,
                "index": self.run.index,
                "pace": session.pace,
                "paces": [list(pair) for pair in PACE_NAMES],
                "undo": session.can_undo,
                "pin": "Unpin" if len(self.pins) == PINS else "Pin",
                "hidden": list(self.hide),
            },
            again=again,
        )

    def _described(self) -> dict[str, Any]:
        """The set-up in words and its controls, made anew only for another one."""
        run = self.run
        if self._setup_of != (run.task, run.seed):
            self._setup_of = (run.task, run.seed)
            self._setup = {
                "setup": controls.described(run.task, run.seed),
                "controls": controls.setup(run.task, run.seed),
            }
        return self._setup

    def _question(self) -> dict[str, Any]:
        if self.asking is None:
            return NOTHING
        loss = self.panels.loss
        ax = self.panels.pictures.loss.ax
        return self.asking.shown(self.session, self.verdict, ax, loss)

    def _guess(self) -> Guess | None:
        return None if self.asking is None else self.asking.guess(self.run)

    def _show_code(self, again: bool) -> None:
        recipe = self.run.recipe
        self.order = self.order.follow(recipe.stages)
        state = codemenu.menu(self.order, self.run, self._scale(), self.selected, self.session.line)
        state["rate"] = controls.lr_slider(recipe, digits=2 if self.large else 3)
        state["proof"] = trainingwords.of_proof(self.proof, self.proving)
        self.code.show(state, again=again)

    def _scale(self) -> float:
        """float16's loss scale at the newest step, else 1; read from its record, not the device."""
        return self.history.last("amp_scale")

    def _show_words(self) -> None:
        state = trainingwords.row(self.session, self.verdict, self._marks(), self.open_why)
        self.words.show(state)
        self.panels.loss.say(state["text"])

    def _marks(self) -> list[tuple[int, str]]:
        return trainingwords.marks(self.run)


def _bundle(widget: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A widget's own mime bundle; ipywidgets gives it with or without metadata."""
    found = widget._repr_mimebundle_(**kwargs)
    return found if isinstance(found, tuple) else (found, {})
