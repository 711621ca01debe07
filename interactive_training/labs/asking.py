"""Asking before the picture goes on: what the page shows of a question and of the reply to it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from interactive_training.exercises.predictions import PredictionError, Question, Reply

NOTHING: dict[str, Any] = {"mode": "", "open": False}


class Asking:
    """A question on the page: it takes the page's messages and says what the page is to show.

    An answer lets the picture go on if it `runs`; so does passing, once hands have been counted.
    `reply` is what was answered, `before` what the notebook kept from an earlier time. The page
    keeps the answer in the notebook's metadata, under the question's words; it never counts.
    """

    def __init__(self, question: Question, *, runs: bool = True) -> None:
        self.question, self.runs = question, runs
        self.reply = Reply(question)
        self.before = self.reply
        self.problem = ""
        self.forgotten = False  # on purpose, so that the notebook forgets it too

    def receive(self, message: Mapping[str, Any]) -> bool:
        """Take one message of the page; True if the learner has just answered or skipped.

        A message that cannot be used leaves its reason in `problem`.
        """
        value, before = message.get("value"), self.reply
        self.problem, self.forgotten = "", message["verb"] == "forget"
        try:
            match message["verb"]:
                case "answer":
                    self.reply = self.reply.chosen(value)  # type: ignore[arg-type]
                case "draw":
                    self.reply = self.reply.sketched(value)
                case "hands":
                    self.reply = self.reply.counted(value)
                    return False
                case "forget":
                    self.before = Reply(self.question)
                    self.reply = replace(self.before, truth=self.reply.truth)
                    return False
                case "recall":
                    self.before = Reply(self.question).recalled(value)
                    self.reply = replace(self.reply, hands=self.reply.hands or self.before.hands)
                    return False
        except PredictionError as error:
            self.problem = str(error)
            return False
        return self.reply != before

    @property
    def open(self) -> bool:
        """Whether the question still waits for an answer."""
        return not self.reply.given and not self.reply.skipped

    @property
    def goes_on(self) -> bool:
        """Whether the picture shall now go on as the question says."""
        return self.reply.given or (self.reply.skipped and self._counted)

    @property
    def _counted(self) -> bool:
        return self.runs and bool(self.reply.hands)

    @property
    def clearable(self) -> bool:
        """Whether there is something to forget."""
        return self.reply.skipped or bool(self.before.kept() or self.reply.kept())

    def turned_out(self, answer: int) -> None:
        """Note which answer is right, the first time that it is known."""
        if self.reply.truth is None:
            self.reply = self.reply.turned_out(answer)
        self.settle()

    def settle(self) -> None:
        """Ask no longer what has been seen, where hands stand in for an answer."""
        if self.open and self.reply.hands:
            self.reply = self.reply.passed()

    def state(self, mode: str, text: str = "", **more: Any) -> dict[str, Any]:
        """What the page shows: nothing (""), the question ("ask"), or how it went ("bars").

        "told" is for where the picture tells it: no bars, but Hands and Clear. `text` stands in
        for the question's own, `more` says where on a picture it lies.
        """
        reply = self.reply
        return {
            "mode": mode,
            "open": mode == "ask",
            "text": text or self.question.text,
            "key": self.question.text,
            "answers": list(self.question.answers),
            "skip": ("Run it" if self.runs else "Go on") if reply.hands else "Skip",
            "folds": self._counted,
            "draw": self.question.drawn,
            "guess": reply.choice,
            "before": self.before.choice,
            "sketch": [list(point) for point in self.before.drawn],
            "hands": list(reply.hands),
            "truth": reply.truth if mode == "bars" else None,
            "kept": {**self.before.kept(), **reply.kept()},
            "clearable": self.clearable,
            "forgotten": self.forgotten,
            "problem": self.problem,
            **more,
        }
