"""TrainingLab: change one line of a real training run, and see at once what it does."""

import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from interactive_training.engine.choices import named
from interactive_training.engine.errors import NonFiniteError, RecipeError, StepError, shown
from interactive_training.engine.history import History
from interactive_training.engine.prove import Proof, prove
from interactive_training.engine.quiet import Unheard, quiet
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.session import Session
from interactive_training.engine.source import source
from interactive_training.engine.task import Task
from interactive_training.exercises.predictions import Question
from interactive_training.exercises.presets import TRAINING, preset
from interactive_training.labs import cells, controls, trainingwords
from interactive_training.labs.codemenu import Order
from interactive_training.labs.panels import static
from interactive_training.labs.prompt import Prompt
from interactive_training.labs.proving import Proving
from interactive_training.labs.statestring import LabState, StateStringError, written
from interactive_training.labs.trainingactions import TrainingActions, first_recipe
from interactive_training.labs.trainingview import Shown, TrainingView

QUESTION, UNTIL = "What happens when one line is missing?", 200
PREVIEW_STEPS, PREVIEW_SECONDS = 200, 1.0
HIDEABLE = ("pace", "undo", "pin", "reset", "setup", "step")


class TrainingLab:
    """A real training run with its code, to steer while it runs; the last line of a cell shows it.

    `task` is a Task or the name of a built-in one, `recipe` what to start with. The run trains to
    step `until` when the lab comes on the screen, and stops there. `ask` is a Question, or the name
    of a stage such as "zero_grad", for what happens without that line: the lab then asks it over
    the empty part of the picture, and any answer makes the question's change and runs on. A
    question without answers is answered by drawing the curve to come. `hide` leaves out controls:
    "pace", "undo", "pin", "reset", "setup", "step". Raises TaskError or RecipeError as Run does,
    ValueError for an `until` below 1 or a control that there is not.

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
        until: int = UNTIL,
        question: str = QUESTION,
        ask: Question | str | None = None,
        hide: Sequence[str] = (),
        device: str = "auto",
    ) -> None:
        unknown = [name for name in hide if name not in HIDEABLE]
        if unknown:
            raise ValueError(f"{unknown[0]!r} cannot be hidden; choose from {', '.join(HIDEABLE)}.")
        if isinstance(until, bool) or not isinstance(until, int) or until < 1:
            raise ValueError(f"until is {shown(until)}; write the step to train to, 1 or more.")
        made = Task.named(task) if isinstance(task, str) else task
        recipe = recipe or first_recipe(made)
        if isinstance(ask, Question):
            replace(recipe, **ask.change)
        elif ask is not None:
            named("the line to ask about", ask, recipe.stages)
        run = Run(made, recipe, seed=seed, device=device)
        asking = None if ask is None else Prompt(ask, run, until)
        self.session = Session(run, show=self._show, said=controls.refusal)
        self.shown = Shown(question, until, tuple(hide), asking, Order.of(recipe.stages))
        proving = Proving(self.session, done=lambda: self.view.show(everything=True))
        self.view = TrainingView(self.session, self.shown, proving)
        self.actions = TrainingActions(self.session, self.shown, proving, self.view)
        cells.take_over(self)
        self.view.show(everything=True)

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
        found = self.view.guess()
        return "" if found is None else found.words

    def advance(self, steps: int) -> None:
        """Take so many steps in this cell; what goes wrong is raised here."""
        self.actions.begun = True
        self.session.advance(steps)

    def change(self, **fields: Any) -> None:
        """Change fields of the recipe, as the controls do; raises what the recipe refuses."""
        self.session.put("change", fields)
        if not self.session.alive and self.session.refused is not None:
            raise RecipeError(str(self.session.refused))  # by the names that were written here

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
        asking = self.shown.asking
        told: dict[str, Any] = {
            "pace": self.session.pace,
            "until": self.shown.until,
            "question": self.shown.question,
            "hide": list(self.shown.hide),
        }
        if asking is not None and asking.open:
            told["ask"] = asking.stage or written(asking.question)
        return LabState.of(self.run, told).to_string()

    @classmethod
    def from_string(cls, text: str) -> "TrainingLab":
        """The lab that a state string describes, trained to where it stood.

        Raises StateStringError when the string is cut off, altered or of a newer version.
        """
        state = LabState.from_string(text)
        try:
            lab = cls(**state.arguments({"until": UNTIL, "question": QUESTION}))
        except (TypeError, ValueError) as error:
            raise StateStringError(f"the state string cannot be used: {error}") from None
        lab.actions.begun = True
        try:
            state.replay(lab.session)
        except StateStringError:
            lab.close()
            raise
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

    def close(self) -> None:
        """End the worker and take the lab off every page."""
        self.view.close()
        self.session.stop()

    def _show(self) -> None:
        self.view.show()

    def _preview(self) -> Session:
        """What a still picture shows: the run, or before its first step where it is about to go."""
        if self.run.index:
            return self.session
        preview = Session(self.run.fork())
        end = time.monotonic() + PREVIEW_SECONDS
        steps = min(self.shown.until, PREVIEW_STEPS)
        try:
            while preview.run.index < steps and time.monotonic() < end:
                preview.advance(10)
        except (StepError, NonFiniteError):
            pass  # the lab will say it; a picture shows what there is
        return preview

    def __repr__(self) -> str:
        return f"TrainingLab({self.run.task.name!r}, step {self.run.index})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self.view.root._repr_mimebundle_(**kwargs)
        # ipywidgets gives it with or without metadata.
        data, metadata = found if isinstance(found, tuple) else (found, {})
        with quiet(Unheard()):
            picture = static(self._preview(), self.view.span(), self.view.marks())
        data["image/png"] = b64encode(picture).decode()
        data["text/plain"] = repr(self)
        words = trainingwords.sentence(self.session, self.view.verdict)
        return data, {**metadata, "image/png": {"width": 848, "alt": words}}
