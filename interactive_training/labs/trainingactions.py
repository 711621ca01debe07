"""What a learner does in a TrainingLab: each message of the page becomes a change."""

from typing import Any

from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.session import Session
from interactive_training.engine.source import source
from interactive_training.engine.task import Task
from interactive_training.labs import codemenu, controls
from interactive_training.labs.proving import Proving
from interactive_training.labs.trainingview import PINS, Shown, TrainingView

RATES = {"digits": 0.05, "bowl": 0.15}  # learning rates that a task starts with
NEAR = 0.02  # of the picture's width, from a click to a mark
GO_ON = ("play", "step", "undo", "rewind", "reset", "fix")


def first_recipe(task: Task) -> Recipe:
    """What a task begins with when nothing is said."""
    return Recipe(lr=RATES.get(task.name, 0.1))


class TrainingActions:
    """Hears the page and steers `session`; what is not the run's goes into `shown`.

    `begun` says that training was asked for, so that another look at the lab does not start it.
    """

    def __init__(
        self, session: Session, shown: Shown, proving: Proving, view: TrainingView
    ) -> None:
        self.session, self.shown, self.proving, self.view = session, shown, proving, view
        self.begun = False
        view.listener = self

    def receive(self, message: dict[str, Any]) -> None:
        """Do what one message of the page asks for, on whatever thread it comes."""
        value: Any = message.get("value")
        shown = self.shown
        # What explained a picture that goes on now would lie over it.
        shown.open_why = shown.open_why and message["verb"] not in GO_ON
        match message["verb"]:
            case "play" | "pause" | "step" | "undo" | "rewind" | "pace" as verb:
                self.begun = self.begun or verb in ("play", "step")
                self.session.start()
                self.session.put(verb, value)
            case "set":
                self._change(controls.change(self.session.run.recipe, message["name"], value))
            case "setup":
                self._set_up(message["name"], value)
            case "tick":
                self._tick(value)
            case "move":
                self._reorder(shown.order.moved(*value))
            case "add":
                self._add(value)
            case "reset":
                self._reset()
            case "copy":
                self.view.code.tell({"copy": source(self.session.run)})
            case "prove":
                self.proving.start()
                self._show()
            case "fix":
                self._fix()
            case "select":  # a room has space for a drawer only while somebody looks into it
                again = shown.large and value == shown.selected
                shown.selected = "" if again else value
                self._show()
            case "pin":  # a third press takes the pins off again
                pins = shown.pins
                shown.pins = [] if len(pins) == PINS else [*pins, self.session.history.copy()]
                self._show()
            case "why":
                shown.open_why = not shown.open_why
                self._show()
            case "present":
                shown.large = bool(value)
                shown.selected = "" if shown.large else shown.selected or "zero_grad"
                self.view.renew()
            case "answer" | "draw" | "hands" | "forget" | "recall":
                self._asked(message)

    def failed(self, error: Exception) -> None:
        """Say what a message led to that nobody expected."""
        self._refuse(f"{type(error).__name__}: {error}")

    def seen(self) -> None:
        """Let the worker run, and begin if nothing has begun yet."""
        self.session.start()
        if not self.begun:
            self.begun = True
            self.session.put("play", self.shown.until)

    def clicked(self, step: float) -> None:
        """Rewind to the mark beside a click into the loss picture, if there is one."""
        near = NEAR * self.view.span()
        at = [mark for mark, _ in self.view.marks() if abs(mark - step) < near]
        if at:
            self.session.put("rewind", at[-1])

    def _show(self) -> None:
        self.view.show(everything=True)

    def _refuse(self, words: str) -> None:
        self.session.refusal = words
        self._show()

    def _change(self, fields: dict[str, Any]) -> None:
        self.session.put("change", fields)

    def _tick(self, at: int) -> None:
        if at < 0:  # the line of the validation, which has no place among the stages
            self._change({"validate_every": None})
        else:
            self._reorder(self.shown.order.ticked(at))

    def _reorder(self, order: codemenu.Order) -> None:
        self.shown.order = order
        self._change({"stages": order.stages})

    def _add(self, chip: str) -> None:
        _, fields, self.shown.selected = codemenu.CHIPS[chip]
        order = self.shown.order
        if (chip, False) in order.lines:
            self.shown.order = order.ticked(order.lines.index((chip, False)))
            fields = {**fields, "stages": self.shown.order.stages}
        self._change(fields)

    def _set_up(self, name: str, value: Any) -> None:
        old = self.session.run
        value = controls.read(value) if isinstance(value, str) else value
        task, recipe, seed = old.task, old.recipe, old.seed
        try:
            if name == "task":
                task = Task.named(value)
                recipe = first_recipe(task)
                self.shown.pins = []  # losses of another task
            elif name == "seed":
                seed = value
            else:
                task = Task.named(task.name, **{**task.options, name: value})
            run = Run(task, recipe, seed=seed, device=old.device)
        except (TaskError, RecipeError) as error:
            self._refuse(controls.refusal(error))
            return
        self._reset(run)
        self.session.start()
        self.session.put("play", max(self.shown.until, 1))

    def _reset(self, run: Run | None = None) -> None:
        self.session.put("reset", run)

    def _fix(self) -> None:
        finding = self.view.verdict.finding
        if finding is not None and finding.fields:
            if finding.spoilt:
                self._reset()
            self._change(dict(finding.fields))
            self.session.put("play", None)

    def _asked(self, message: dict[str, Any]) -> None:
        """What the page says to the question; any answer makes its change and runs on."""
        asking = self.shown.asking
        if asking is not None and asking.receive(message) and asking.goes_on:
            self.session.start()
            if asking.question.change:
                self._change(dict(asking.question.change))
            self.session.put("play", self.session.run.index + self.shown.until)
        self._show()
