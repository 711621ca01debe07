"""Predictions: a question before the picture goes on, and what the learner expects to come.

A prediction is never graded and may always be skipped. What is kept of it is plain and short, so
that a notebook can hold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import isfinite
from typing import Any

Points = tuple[tuple[float, float], ...]

LONGEST_TEXT, LONGEST_ANSWER = 300, 80  # letters
MOST_ANSWERS = 6
MOST_POINTS = 64
MOST_HANDS = 9_999


class PredictionError(ValueError):
    """A question or an answer to it that cannot be used; nothing was changed."""


@dataclass(frozen=True)
class Question:
    """What is asked before a picture goes on.

    `text` is the question, with code between backticks, in at most 300 letters. `answers` are two
    to six to choose from, in at most 80 letters each; without any, the coming curve is drawn.
    `change` are the recipe's fields that any answer changes in a TrainingLab before it runs on.
    Raises PredictionError for anything else.
    """

    text: str
    answers: Sequence[str] = ()
    change: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise PredictionError("the question has no words; write one in quotes.")
        if len(self.text) > LONGEST_TEXT:
            raise PredictionError(f"the question is over {LONGEST_TEXT} letters; ask less at once.")
        if isinstance(self.answers, str):
            raise PredictionError("answers is one text; write a list of them.")
        answers = tuple(self.answers)
        object.__setattr__(self, "answers", answers)
        if not all(isinstance(answer, str) and answer.strip() for answer in answers):
            raise PredictionError("an answer has no words; write each in quotes.")
        if any(len(answer) > LONGEST_ANSWER for answer in answers):
            raise PredictionError(f"an answer is over {LONGEST_ANSWER} letters; make it shorter.")
        if answers and not 2 <= len(answers) <= MOST_ANSWERS:
            raise PredictionError(f"a question has 2 to {MOST_ANSWERS} answers, or none to draw.")
        if len(set(answers)) < len(answers):
            raise PredictionError("two answers are the same; change one.")

    @property
    def drawn(self) -> bool:
        """Whether the answer is a curve to draw."""
        return not self.answers

    def number(self, answer: int | str) -> int:
        """The place of an answer, given by its words or its place from 0."""
        if isinstance(answer, str) and answer in self.answers:
            return list(self.answers).index(answer)
        whole = isinstance(answer, int) and not isinstance(answer, bool)
        if whole and 0 <= int(answer) < len(self.answers):
            return int(answer)
        choices = ", ".join(map(repr, self.answers)) or "none: this one is drawn"
        raise PredictionError(f"{str(answer)[:60]!r} is no answer; choose one of {choices}.")


@dataclass(frozen=True)
class Reply:
    """What was answered to a question: one of its answers, a drawn curve, or nothing yet.

    `hands` are the counts of a show of hands, one for each answer, or none. `truth` is the answer
    that turned out right, once it is known. Each method returns a changed reply or raises
    PredictionError.
    """

    question: Question
    choice: int | None = None
    drawn: Points = ()
    skipped: bool = False
    hands: tuple[int, ...] = ()
    truth: int | None = None

    @property
    def given(self) -> bool:
        """Whether something was chosen or drawn."""
        return self.choice is not None or bool(self.drawn)

    @property
    def words(self) -> str:
        """The chosen answer, or nothing."""
        return "" if self.choice is None else self.question.answers[self.choice]

    def chosen(self, answer: int | str) -> Reply:
        """The reply with this answer; -1 skips the question."""
        if answer == -1:
            return self.passed()
        return replace(self, choice=self.question.number(answer), skipped=False)

    def passed(self) -> Reply:
        """The reply of one who skipped the question."""
        return replace(self, choice=None, drawn=(), skipped=True)

    def sketched(self, points: Any) -> Reply:
        """The reply with a drawn curve: 2 to 64 points (x, y), x growing."""
        if not self.question.drawn:
            raise PredictionError("this question has answers to choose from; choose one.")
        if not isinstance(points, (list, tuple)) or not 2 <= len(points) <= MOST_POINTS:
            raise PredictionError(f"a drawn curve has 2 to {MOST_POINTS} points; draw it again.")
        try:
            pairs = tuple((short(x, 9), short(y, 4)) for x, y in points)
        except (TypeError, ValueError, OverflowError):
            raise PredictionError(
                "a point of the curve is no pair of numbers; draw again."
            ) from None
        across = [x for x, _ in pairs]
        finite = all(isfinite(part) for pair in pairs for part in pair)
        if not finite or any(b <= a for a, b in pairwise(across)):
            raise PredictionError("the curve must go from left to right; draw it again.")
        return replace(self, drawn=pairs, skipped=False)

    def counted(self, counts: Any) -> Reply:
        """The reply with a show of hands; a count may be typed, and an empty one is 0."""
        if not isinstance(counts, (list, tuple)) or len(counts) != len(self.question.answers):
            raise PredictionError("a show of hands has one count for each answer.")
        hands = tuple(count(value) for value in counts)
        return replace(self, hands=hands if any(hands) else ())

    def turned_out(self, answer: int | str) -> Reply:
        """The reply beside the answer that is right."""
        return replace(self, truth=self.question.number(answer))

    def kept(self) -> dict[str, Any]:
        """What a notebook keeps: the words of the answer or the points, and the hands."""
        found: dict[str, Any] = {}
        if self.choice is not None:
            found["guess"] = self.words
        if self.drawn:
            found["drawn"] = [list(point) for point in self.drawn]
        if self.hands:
            found["hands"] = list(self.hands)
        return found

    def recalled(self, kept: Any) -> Reply:
        """The reply that a notebook kept; what does not fit the question is left out.

        Whoever sends a notebook can write anything into it.
        """
        reply = self
        for name, put in (
            ("guess", Reply.chosen),
            ("drawn", Reply.sketched),
            ("hands", Reply.counted),
        ):
            if isinstance(kept, dict) and name in kept:
                with suppress(PredictionError):
                    reply = put(reply, kept[name])
        return reply


def count(value: Any) -> int:
    """A count of hands from 0 to 9,999, as a number or as it was typed."""
    text = value.strip() if isinstance(value, str) else value
    if text == "":
        return 0
    whole = text.isdecimal() and text.isascii() if isinstance(text, str) else type(text) is int
    if not whole or len(str(text)) > 9 or not 0 <= int(text) <= MOST_HANDS:
        raise PredictionError(
            f"{str(value)[:20]!r} is no count; type a whole number from 0 to {MOST_HANDS}."
        )
    return int(text)


def short(value: Any, digits: int) -> float:
    """A number with so many digits, so that what is kept stays small."""
    return float(f"{float(value):.{digits}g}")
