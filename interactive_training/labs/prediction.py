"""Prediction: a question between two cells of a notebook, or above any lab."""

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets

from interactive_training.exercises.predictions import PredictionError, Question, Reply
from interactive_training.labs import cells
from interactive_training.labs.asking import Asking
from interactive_training.labs.parts import Part


class Prediction:
    """Ask what will happen before it is seen; the last line of a cell shows it.

    `text` is the question, with code between backticks, `answers` two to six to choose from. It
    can be skipped, changed until the truth is known, and never counts. `reveal(answer)` shows the
    truth beside the guess. "Hands" takes the counts of a show of hands, for bars beside the
    truth, and "Clear" forgets it all for another class. The answer is kept in the notebook's
    metadata: it is there again when the notebook is opened or the cell is run another time. Raises
    PredictionError for what cannot be asked.

        guess = Prediction("At a rate of 0.26 the path will", ["arrive", "swing", "leave"])
        guess                       # this cell asks
        guess.reveal("leave")       # a later one says what happened, beside the guess

    Notice: what you predicted and did not see happen is what you will remember.
    """

    def __init__(self, text: str, answers: Sequence[str]) -> None:
        question = Question(text, answers)
        if question.drawn:
            raise PredictionError(
                "a prediction between cells has 2 to 6 answers; a curve is drawn in a lab, "
                "with TrainingLab(ask=Question(...))."
            )
        self._asking = Asking(question, runs=False)
        self._part = Part("question", self._receive, self._fail)
        self.root = ipywidgets.Box([self._part])
        self.root.add_class("it-alone")
        cells.take_over(self)
        self._show()

    @property
    def guess(self) -> str | None:
        """The chosen answer, or None."""
        return self._asking.reply.words or None

    @property
    def hands(self) -> dict[str, int]:
        """The counts of a show of hands by answer, empty without one."""
        reply = self._asking.reply
        return dict(zip(reply.question.answers, reply.hands, strict=False))

    def reveal(self, answer: str | int) -> "Prediction":
        """Show which answer came true, by its words or its place from 0, and return this again.

        Nothing shows before the question is answered or skipped, unless hands were counted before:
        all cells may run at once. Raises PredictionError for what is no answer.
        """
        self._asking.reply = self._asking.reply.turned_out(answer)
        self._asking.settle()
        self._show()
        return self

    def close(self) -> None:
        """Take the question off every page."""
        self._part.close()
        layout = self.root.layout
        self.root.close()
        layout.close()

    def __repr__(self) -> str:
        reply = self._asking.reply
        words = f"{reply.question.text} ({' / '.join(reply.question.answers)})"
        if reply.given:
            words += f" your guess: {reply.words}."
        if reply.truth is not None and not self._asking.open:
            words += f" What happened: {reply.question.answers[reply.truth]}."
        return words

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self.root._repr_mimebundle_(**kwargs)
        data, metadata = found if isinstance(found, tuple) else (found, {})
        return {**data, "text/plain": repr(self)}, metadata

    def _receive(self, message: Mapping[str, Any]) -> None:
        asking, verb = self._asking, message["verb"]
        revealed = asking.reply.truth is not None and not asking.open
        if verb == "again" and not revealed:
            asking.reply = Reply(asking.question, hands=asking.reply.hands)
            asking.problem = ""
        elif verb in ("hands", "forget", "recall") or not revealed:
            asking.receive(message)
        if verb == "recall" and asking.open:
            asking.reply = asking.reply.recalled(asking.before.kept())
            if asking.reply.truth is not None:
                asking.settle()
        self._show()

    def _fail(self, error: Exception) -> None:
        self._asking.problem = f"{type(error).__name__}: {error}"
        self._show()

    def _show(self) -> None:
        known = self._asking.reply.truth is not None
        mode = "ask" if self._asking.open else "bars" if known else "answered"
        self._part.show(self._asking.state(mode), again=True)
