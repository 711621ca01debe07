"""Questions and replies: what is kept of an answer, and what is refused."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import pytest

from interactive_training.exercises import PredictionError, Question
from interactive_training.exercises.predictions import MOST_ANSWERS, MOST_POINTS, Reply

CHOOSE = Question("What will the loss do?", ["fall", "stay", "rise"])
DRAW = Question("Draw the loss to come.")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("text", "answers", "words"),
    [
        ("", ["a", "b"], "no words"),
        ("  ", ["a", "b"], "no words"),
        (3, ["a", "b"], "no words"),
        ("?" * 301, ["a", "b"], "over 300 letters"),
        ("?", ["a"], "2 to 6 answers"),
        ("?", list("abcdefg"), "2 to 6 answers"),
        ("?", ["a", "a"], "the same"),
        ("?", ["a", " "], "no words"),
        ("?", ["a", 2], "no words"),
        ("?", ["a", "b" * 81], "over 80 letters"),
        ("?", "ab", "a list of them"),
    ],
)
def test_a_question_that_cannot_be_asked(text: Any, answers: Any, words: str) -> None:
    with pytest.raises(PredictionError, match=words):
        Question(text, answers)


def test_an_answer_is_chosen_skipped_and_turns_out() -> None:
    reply = Reply(CHOOSE)
    assert not reply.given
    chosen = reply.chosen(2)
    assert (chosen.given, chosen.words) == (True, "rise")
    assert chosen == reply.chosen("rise")
    skipped = chosen.chosen(-1)
    assert (skipped.given, skipped.skipped, skipped.words) == (False, True, "")
    assert chosen.turned_out("stay").truth == 1


@pytest.mark.parametrize("answer", [3, -2, 1.0, True, None, "climb", HOSTILE, [0], 10**30])
def test_what_is_no_answer(answer: Any) -> None:
    with pytest.raises(PredictionError, match="choose one of 'fall', 'stay', 'rise'"):
        Reply(CHOOSE).chosen(answer)
    with pytest.raises(PredictionError):
        Reply(CHOOSE).turned_out(answer)


@pytest.mark.parametrize("counts", [["3", "12", ""], [3, 12, 0], [" 3", "012", "0"]])
def test_a_show_of_hands(counts: list[Any]) -> None:
    assert Reply(CHOOSE).counted(counts).hands == (3, 12, 0)


@pytest.mark.parametrize(
    "count", ["-1", -1, "x", "1.5", 1.5, "1e3", nan, None, True, "10000", 10**9, "9" * 5000, "²"]
)
def test_a_count_that_is_none(count: Any) -> None:
    reply = Reply(CHOOSE).counted([1, 2, 3])
    with pytest.raises(PredictionError, match="whole number from 0 to 9999"):
        reply.counted([1, count, 3])
    with pytest.raises(PredictionError, match="one count for each answer"):
        reply.counted([1, 2])


def test_hands_taken_back() -> None:
    assert Reply(CHOOSE).counted([1, 2, 3]).counted(["", "", ""]).hands == ()


@pytest.mark.parametrize(
    "points",
    [
        None,
        "curve",
        [[0, 1]],
        [[0, 1]] * (MOST_POINTS + 1),
        [[0, 1], [0, 2]],
        [[1, 1], [0, 2]],
        [[0, 1], [1, nan]],
        [[0, 1], [inf, 1]],
        [[0, 1], [1, "x"]],
        [[0, 1], [1]],
        [[0, 1], [1, 10**400]],
        [0, 1],
    ],
)
def test_a_curve_that_cannot_be_drawn(points: Any) -> None:
    with pytest.raises(PredictionError, match="draw"):
        Reply(DRAW).sketched(points)


def test_only_what_is_drawn_can_be_drawn() -> None:
    with pytest.raises(PredictionError, match="choose one"):
        Reply(CHOOSE).sketched([[0, 1], [1, 2]])
    with pytest.raises(PredictionError, match="this one is drawn"):
        Reply(DRAW).chosen(0)


def test_what_is_kept_is_small_and_comes_back() -> None:
    curve = [[1_000_000 + i / 3, i / 7] for i in range(MOST_POINTS)]
    for reply in (Reply(CHOOSE).chosen(1).counted([3, 9999, 0]), Reply(DRAW).sketched(curve)):
        text = json.dumps(reply.kept())
        assert len(text) < 25 * MOST_POINTS
        assert Reply(reply.question).recalled(json.loads(text)) == reply
    assert Reply(CHOOSE).kept() == {}


@pytest.mark.parametrize(
    "kept",
    [
        None,
        [],
        "fall",
        {"guess": HOSTILE},
        {"guess": {"__proto__": 1}},
        {"drawn": [[0, 1], [1, 2]]},
        {"hands": [1, "x", 2]},
        {"hands": 5},
    ],
)
def test_what_a_notebook_should_not_hold_is_left_out(kept: Any) -> None:
    assert Reply(CHOOSE).recalled(kept) == Reply(CHOOSE)


def test_the_good_parts_of_what_is_kept_are_used() -> None:
    reply = Reply(CHOOSE).recalled({"guess": "gone", "hands": [1, 2, 3], "more": 1})
    assert (reply.choice, reply.hands) == (None, (1, 2, 3))


def test_the_most_answers_are_allowed() -> None:
    assert len(Question("?", "abcdef"[:MOST_ANSWERS].__iter__()).answers) == MOST_ANSWERS
