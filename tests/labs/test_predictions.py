"""Predictions in a lab and between cells, without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from interactive_training import Recipe, RecipeError
from interactive_training.exercises import PredictionError, Question
from interactive_training.labs import Prediction, TrainingLab, cells
from interactive_training.labs.statestring import LabState, StateStringError
from tests.labs.conftest import Labs, hear, looked_at, widgets
from tests.labs.test_training_lab import until

UNCLEARED = tuple(stage for stage in Recipe().stages if stage != "zero_grad")
HOSTILE = "<img src=x onerror=alert(1)>"
CURVE = [[4, 0.5], [6, 1.0], [8, 2.0]]


def drawing(make: Labs, **change: Any) -> TrainingLab:
    """A lab that asks for a curve at step 4."""
    lab = make("bowl", Recipe(lr=0.05), until=4, ask=Question("Draw it.", change=change))
    lab.advance(4)
    return lab


def over(lab: TrainingLab, step: int) -> None:
    until(lambda: lab.run.index == step and not lab.session.playing)
    until(lambda: lab.view.top.state["index"] == step and not lab.view.top.state["playing"])


def test_a_question_covers_the_future_only(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    assert not lab.view.asked.state["open"]  # nothing has happened yet
    lab.advance(4)
    state = lab.view.asked.state
    assert state["open"]
    left, right = lab.view.panels.pictures.loss.ax.get_xlim()
    assert state["place"]["share"] == (4 - left) / (right - left) == 0.5
    assert state["text"] == "Without `optimizer.zero_grad()`, 4 steps later accuracy will be:"
    assert state["answers"] == ["higher", "the same", "at guessing"]


def test_a_question_is_not_asked_where_it_has_no_room(make: Labs) -> None:
    lab = make("moons", until=20, ask="zero_grad")
    for step, asked in ((20, True), (30, True), (31, False)):  # of an axis that ends at 40
        lab.advance(step - lab.run.index)
        assert lab.view.asked.state["open"] is asked
    lab.rewind(20)
    assert lab.view.asked.state["open"]


def test_skip_leaves_the_run_alone(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "answer", value=-1)
    assert not lab.view.asked.state["open"]
    assert lab.run.recipe.stages == Recipe().stages
    assert lab.run.index == 4
    assert lab.guess == ""
    assert lab.view.asked.state["kept"] == {}


def test_the_guess_goes_with_the_way_that_it_was_about(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "answer", value=0)
    over(lab, 8)
    assert lab.guess == "higher"
    said = lab.view.panels.pictures.loss.guess.get_text
    right = lab.shown.asking.reply.truth == 0
    assert said() == f"your guess: higher, {'right' if right else 'not so'}"
    hear(lab, "rewind", value=6)
    until(lambda: lab.run.index == 6)
    assert lab.guess == "higher"  # still past the answer
    hear(lab, "rewind", value=2)
    until(lambda: lab.run.index == 2)
    until(lambda: lab.view.panels.pictures.loss.guess.get_text() == "")
    hear(lab, "undo")
    until(lambda: lab.run.index == 6)
    until(lambda: lab.view.panels.pictures.loss.guess.get_text() == "your guess: higher")
    hear(lab, "rewind", value=4)  # the line is back, and another way begins here
    until(lambda: lab.run.recipe.stages == Recipe().stages)
    lab.advance(3)
    assert lab.guess == ""
    hear(lab, "undo")
    until(lambda: lab.guess == "higher")
    hear(lab, "reset")
    until(lambda: lab.run.index == 0)
    lab.advance(6)
    assert lab.guess == ""  # another run
    assert not lab.view.asked.state["open"]  # asked once


def test_an_undo_of_the_answer_takes_the_guess_off(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "answer", value=1)
    over(lab, 8)
    hear(lab, "undo")
    until(lambda: lab.guess == "")
    assert lab.run.recipe.stages == Recipe().stages


def test_a_drawn_guess_stays_on_the_picture(make: Labs) -> None:
    lab = drawing(make, stages=UNCLEARED)
    state = lab.view.asked.state
    assert (state["open"], state["draw"], state["answers"]) == (True, True, [])
    assert state["axes"]["x"] == [4, 8]
    assert state["axes"]["log"]
    assert 0 < state["axes"]["start"] < 1
    hear(lab, "draw", value=CURVE)
    over(lab, 8)
    assert "zero_grad" not in lab.run.recipe.stages
    drawn = lab.view.panels.pictures.loss
    assert np.array_equal(drawn.drawn.get_xydata(), CURVE)
    assert drawn.labels.texts["guess"].get_text() == "your guess"
    assert lab.view.asked.state["kept"] == {"drawn": CURVE}
    hear(lab, "rewind", value=1)
    until(lambda: lab.run.index == 1)
    until(lambda: len(lab.view.panels.pictures.loss.drawn.get_xdata()) == 0)


def test_a_guess_without_a_change_goes_with_a_rewind_to_before_it(make: Labs) -> None:
    lab = make("bowl", Recipe(lr=0.05), until=3, ask=Question("Next:", ["up", "down"]))
    lab.advance(3)
    hear(lab, "answer", value=1)
    over(lab, 6)
    assert lab.guess == "down"
    hear(lab, "rewind", value=4)
    until(lambda: lab.run.index == 4)
    assert lab.guess == "down"
    hear(lab, "rewind", value=2)
    until(lambda: lab.run.index == 2)
    assert lab.guess == ""


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("change", [{}, {"lr": 0.2}])
def test_a_rewind_to_where_the_guess_was_made(make: Labs, change: Any, drawn: bool) -> None:
    answers = () if drawn else ("up", "down")
    lab = make("bowl", Recipe(lr=0.05), until=4, ask=Question("Next:", answers, change))
    lab.advance(4)
    hear(lab, "draw", value=CURVE) if drawn else hear(lab, "answer", value=1)
    over(lab, 8)

    def on_the_picture() -> bool:
        loss = lab.view.panels.pictures.loss
        return bool(len(loss.drawn.get_xdata())) if drawn else bool(loss.guess.get_text())

    assert on_the_picture()
    hear(lab, "rewind", value=4)
    until(lambda: lab.run.index == 4)
    # Nothing but the question's own change is dropped by a rewind to the step of the answer: with
    # it the way that the guess was about is gone, without one the run still goes that way.
    assert lab.run.recipe.lr == 0.05
    until(lambda: on_the_picture() is (not change))
    lab.change(**change)
    until(on_the_picture)  # the same way again
    lab.change(lr=0.01)
    until(lambda: not on_the_picture())  # another one


@pytest.mark.parametrize("points", [[[4, 1]], [[5, 1], [4, 1]], "no", [[4, "x"], [5, 1]]])
def test_a_curve_that_cannot_be_used_asks_again(make: Labs, points: Any) -> None:
    lab = drawing(make)
    hear(lab, "draw", value=points)
    assert lab.view.asked.state["open"]
    assert "draw" in lab.view.asked.state["problem"]
    assert lab.run.index == 4
    hear(lab, "draw", value=CURVE)
    over(lab, 8)
    assert lab.view.asked.state["problem"] == ""


def test_a_question_of_ones_own_makes_its_change(make: Labs) -> None:
    ask = Question("The rate times four:", ["faster", "slower"], {"lr": 0.2})
    lab = make("bowl", Recipe(lr=0.05), until=3, ask=ask)
    lab.advance(3)
    hear(lab, "answer", value=0)
    over(lab, 6)
    assert lab.run.recipe.lr == 0.2
    assert lab.guess == "faster"
    with pytest.raises(RecipeError, match="lr"):
        make("bowl", ask=Question("?", ["a", "b"], {"lr": -1}))


def test_the_loss_is_asked_for_where_nothing_is_right(make: Labs) -> None:
    lab = make("bowl", Recipe(lr=0.05), ask="zero_grad", until=20)
    lab.advance(20)
    assert lab.view.asked.state["text"].endswith("20 steps later the loss will be:")
    assert lab.view.asked.state["answers"] == ["lower", "the same", "higher"]
    hear(lab, "hands", value=["1", "2", "3"])
    hear(lab, "answer", value=0)
    over(lab, 40)
    truth = lab.view.asked.state["truth"]
    you, unchanged = lab.history, lab.session.ghost_history
    assert unchanged is not None
    assert truth == (0 if you.last("average") < unchanged.last("average") else 2)


def test_hands_stand_beside_what_happened(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=200)
    lab.advance(200)
    for bad in (["3", "-1", "4"], ["3", "x", "4"], ["3", "4"], None, HOSTILE):
        hear(lab, "hands", value=bad)
        assert lab.view.asked.state["problem"]
        assert lab.view.asked.state["hands"] == []
    hear(lab, "hands", value=["3", "", "12"])
    assert (lab.view.asked.state["hands"], lab.view.asked.state["problem"]) == ([3, 0, 12], "")
    hear(lab, "pace", value="full")
    hear(lab, "answer", value=0)
    until(lambda: lab.view.asked.state["mode"] == "")  # not before it has happened
    over(lab, 400)
    until(lambda: lab.view.asked.state["mode"] == "bars")
    state = lab.view.asked.state
    assert (state["guess"], state["truth"], state["hands"]) == (0, 2, [3, 0, 12])
    assert state["kept"] == {"guess": "higher", "hands": [3, 0, 12]}
    hear(lab, "rewind", value=100)
    until(lambda: lab.view.asked.state["mode"] == "")


def test_a_class_runs_on_its_hands_alone(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    assert (lab.view.asked.state["skip"], lab.view.asked.state["folds"]) == ("Skip", False)
    hear(lab, "hands", value=["3", "", "12"])
    assert (lab.view.asked.state["skip"], lab.view.asked.state["folds"]) == ("Run it", True)
    assert lab.run.index == 4
    hear(lab, "answer", value=-1)
    over(lab, 8)
    assert "zero_grad" not in lab.run.recipe.stages
    until(lambda: lab.view.asked.state["mode"] == "bars")
    state = lab.view.asked.state
    assert (state["guess"], state["hands"]) == (None, [3, 0, 12])
    assert state["truth"] is not None
    assert lab.guess == ""


def test_hands_may_be_counted_when_the_truth_is_known(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "answer", value=0)
    assert lab.view.asked.state["mode"] == ""  # not before it has happened
    over(lab, 8)
    until(lambda: lab.view.asked.state["mode"] == "told")
    state = lab.view.asked.state
    assert (state["below"], state["clearable"]) == (lab.view.panels.loss.height, True)
    hear(lab, "hands", value=["3", "x", ""])
    assert "is no count" in lab.view.asked.state["problem"]
    hear(lab, "hands", value=["3", "4", ""])
    state = lab.view.asked.state
    assert (state["mode"], state["hands"], state["guess"]) == ("bars", [3, 4, 0], 0)
    assert state["truth"] is not None
    hear(lab, "rewind", value=6)
    until(lambda: lab.view.asked.state["mode"] == "")


def test_a_question_cleared_at_the_end_is_asked_where_it_was(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "hands", value=["3", "4", ""])
    hear(lab, "answer", value=0)
    over(lab, 8)
    until(lambda: lab.view.asked.state["mode"] == "bars")
    run, losses = lab.run, lab.history.column("loss").tolist()
    hear(lab, "forget")
    state = lab.view.asked.state
    assert (state["mode"], state["hands"], state["guess"]) == ("told", [], None)
    assert (state["forgotten"], state["kept"], state["clearable"]) == (True, {}, False)
    assert state["key"] == "What happens without zero_grad?"  # what the notebook is to forget
    assert lab.run is run
    assert lab.run.index == 8
    assert lab.history.column("loss").tolist() == losses
    assert lab.guess == lab.view.panels.pictures.loss.guess.get_text() == ""
    hear(lab, "rewind", value=5)
    over(lab, 5)
    assert lab.view.asked.state["mode"] == ""  # the line is out already
    hear(lab, "rewind", value=4)
    until(lambda: lab.view.asked.state["open"])
    asking = lab.shown.asking
    assert asking is not None
    assert asking.reply.truth is not None
    hear(lab, "answer", value=1)
    assert asking.reply.truth is None  # that was of the other way
    over(lab, 8)
    until(lambda: lab.guess == "the same")
    assert asking.reply.truth is not None
    hear(lab, "forget")
    hear(lab, "hands", value=["1", "", ""])  # of those who saw it, without a run
    assert lab.view.asked.state["mode"] == "bars"


def test_a_drawing_is_cleared_at_the_end(make: Labs) -> None:
    lab = drawing(make, stages=UNCLEARED)
    hear(lab, "draw", value=CURVE)
    over(lab, 8)
    state = lab.view.asked.state
    assert (state["mode"], state["clearable"]) == ("told", True)
    hear(lab, "forget")
    state = lab.view.asked.state
    assert (state["mode"], state["kept"], state["forgotten"]) == ("", {}, True)
    assert len(lab.view.panels.pictures.loss.drawn.get_xdata()) == 0
    assert lab.run.index == 8


def test_hands_need_no_run_it_where_the_run_goes_on(make: Labs) -> None:
    lab = make("bowl", Recipe(lr=0.05), until=4, ask=Question("Next:", ["up", "down"]))
    lab.advance(4)
    hear(lab, "hands", value=["1", "2"])
    lab.advance(2)
    assert lab.view.asked.state["open"]
    lab.advance(2)
    assert (lab.view.asked.state["mode"], lab.view.asked.state["hands"]) == ("bars", [1, 2])


@pytest.mark.parametrize("by_hand", [True, False])
def test_hands_without_run_it_are_about_the_questions_change(make: Labs, by_hand: bool) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "hands", value=["1", "2", ""])
    if by_hand:
        lab.change(stages=UNCLEARED)
    lab.advance(4)
    state = lab.view.asked.state
    assert state["mode"] == ("bars" if by_hand else "")
    assert (state.get("truth") is not None) is by_hand
    assert lab.session.error is None


def test_a_skipped_change_has_no_outcome(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "answer", value=-1)
    lab.advance(4)
    assert lab.view.asked.state["mode"] == ""
    assert lab.shown.asking is not None
    assert lab.shown.asking.reply.truth is None


def test_what_a_notebook_kept_is_shown_and_asked_again(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "recall", value={"guess": "the same", "hands": [1, 2, 3], "junk": HOSTILE})
    state = lab.view.asked.state
    assert (state["open"], state["before"], state["hands"]) == (True, 1, [1, 2, 3])
    assert state["kept"] == {"guess": "the same", "hands": [1, 2, 3]}
    assert lab.run.index == 4
    hear(lab, "recall", value=HOSTILE)
    assert lab.view.asked.state["open"]


def test_another_class_begins_with_nothing(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    hear(lab, "recall", value={"guess": "the same", "hands": [1, 2, 3]})
    assert not lab.view.asked.state["forgotten"]
    hear(lab, "forget")
    state = lab.view.asked.state
    assert (state["open"], state["before"], state["hands"], state["kept"]) == (True, None, [], {})
    assert state["forgotten"]  # the notebook is to forget it too
    hear(lab, "hands", value=[4, 0, 0])
    assert (lab.view.asked.state["forgotten"], lab.view.asked.state["hands"]) == (False, [4, 0, 0])


def test_a_string_holds_the_open_question(make: Labs) -> None:
    lab = make("digits", ask="zero_grad", until=4)
    again = TrainingLab.from_string(lab.to_string())
    try:
        again.advance(4)
        assert again.view.asked.state["open"]
        hear(again, "answer", value=-1)
        assert "ask" not in LabState.from_string(again.to_string()).shown
    finally:
        again.close()
    hostile = LabState("digits", {}, 0, {}, (), 0, {"ask": HOSTILE})
    with pytest.raises(StateStringError, match="choose one of"):
        TrainingLab.from_string(hostile.to_string())


@pytest.mark.parametrize("large", [False, True])
def test_words_lie_where_no_line_passes(make: Labs, large: bool) -> None:
    lab = make("digits", ask="zero_grad")
    lab.advance(200)
    hear(lab, "pace", value="full")
    hear(lab, "present", value=large)
    looked_at(lab)
    hear(lab, "answer", value=2)
    over(lab, 400)
    loss = lab.view.panels.pictures.loss
    figure = lab.view.panels.loss.figure
    figure.canvas.draw()
    guess, label = loss.guess.get_window_extent(), loss.ax._left_title.get_window_extent()
    assert loss.guess.get_text() == "your guess: at guessing, right"
    assert guess.y0 > loss.ax.bbox.y1 - 4  # above every line, but for the tails of letters
    assert guess.y1 <= figure.bbox.height
    assert guess.x0 > loss.ax.bbox.x0
    assert guess.x1 <= figure.bbox.width
    assert not guess.overlaps(label)
    gutter = loss.ax.bbox.x1
    named = loss.labels.texts["guessing"]
    assert named.get_text() == "guessing\n2.30"
    assert named.get_window_extent().x0 > gutter
    middles = sorted(
        (text.get_window_extent() for text in loss.labels.texts.values() if text.get_text()),
        key=lambda one: one.y0,
    )
    assert len(middles) == 3
    for below, above in pairwise(middles):
        assert above.y0 > below.y0 + 10


# Between two cells --------------------------------------------------------------------------------


Ask = Callable[..., Prediction]


@pytest.fixture
def ask(sent: list[dict[str, Any]]) -> Iterator[Ask]:
    """Return a function that makes a Prediction, which is closed after the test."""
    made: list[Prediction] = []

    def new(text: str = "It will", answers: Any = ("fall", "stay", "rise")) -> Prediction:
        made.append(Prediction(text, answers))
        return made[-1]

    yield new
    for one in made:
        one.close()


def say(prediction: Prediction, verb: str, value: Any = None) -> dict[str, Any]:
    """What the browser would send; what it then shows."""
    prediction._receive({"verb": verb, "value": value})
    state: dict[str, Any] = prediction._part.state
    return state


def test_answer_change_reveal(ask: Ask) -> None:
    guess = ask()
    assert guess.guess is None
    assert say(guess, "answer", 1)["mode"] == "answered"
    assert guess.guess == "stay"
    assert say(guess, "again")["mode"] == "ask"
    assert say(guess, "answer", 2)["kept"] == {"guess": "rise"}
    assert guess.reveal("fall") is guess
    state = say(guess, "answer", 0)  # too late
    assert (state["mode"], state["guess"], state["truth"]) == ("bars", 2, 0)
    assert say(guess, "again")["mode"] == "bars"
    assert repr(guess) == "It will (fall / stay / rise) your guess: rise. What happened: fall."


def test_a_truth_waits_for_the_answer(ask: Ask) -> None:
    guess = ask()
    guess.reveal(2)
    assert (guess._part.state["mode"], guess._part.state["truth"]) == ("ask", None)
    assert "What happened" not in repr(guess)
    assert say(guess, "answer", 0)["mode"] == "bars"
    other = ask()
    other.reveal("rise")
    assert say(other, "answer", -1)["mode"] == "bars"
    assert other.guess is None


@pytest.mark.parametrize("answer", ["climb", 3, -1, None, True])
def test_a_truth_that_is_no_answer(ask: Ask, answer: Any) -> None:
    with pytest.raises(PredictionError, match="choose one of"):
        ask().reveal(answer)


def test_hands_between_cells(ask: Ask) -> None:
    guess = ask()
    assert say(guess, "hands", ["1", "-2", ""])["problem"]
    assert guess.hands == {}
    assert say(guess, "hands", ["1", "2", ""])["problem"] == ""
    assert guess.hands == {"fall": 1, "stay": 2, "rise": 0}
    say(guess, "answer", 0)
    say(guess, "again")
    assert guess.hands == {"fall": 1, "stay": 2, "rise": 0}
    guess.reveal(1)
    say(guess, "answer", -1)
    assert say(guess, "hands", ["4", "0", "0"])["hands"] == [4, 0, 0]  # late hands count too


def test_a_truth_shows_hands_that_nobody_went_on_from(ask: Ask) -> None:
    guess = ask()
    assert say(guess, "hands", ["1", "2", ""])["mode"] == "ask"
    guess.reveal(1)
    state = guess._part.state
    assert (state["mode"], state["hands"], state["truth"]) == ("bars", [1, 2, 0], 1)
    assert guess.guess is None


def test_a_truth_that_was_there_first_waits_for_all_counts(ask: Ask) -> None:
    guess = ask()
    guess.reveal(1)  # as it is when all cells ran at once
    assert say(guess, "hands", ["1", "", ""])["mode"] == "ask"
    assert say(guess, "hands", ["1", "2", ""])["mode"] == "ask"
    assert say(guess, "answer", -1)["mode"] == "bars"
    again = ask()
    again.reveal(1)
    assert say(again, "recall", {"hands": [1, 2, 0]})["mode"] == "bars"  # those were all


def test_another_class_begins_after_the_truth(ask: Ask) -> None:
    guess = ask()
    say(guess, "hands", ["1", "2", ""])
    assert say(guess, "answer", 0)["clearable"]
    guess.reveal(1)
    state = say(guess, "forget")
    assert (state["mode"], state["hands"], state["before"]) == ("ask", [], None)
    assert (state["kept"], state["forgotten"], state["clearable"]) == ({}, True, False)
    assert (guess.guess, guess.hands) == (None, {})
    say(guess, "hands", ["5", "", ""])
    state = say(guess, "answer", -1)
    assert (state["mode"], state["hands"], state["truth"]) == ("bars", [5, 0, 0], 1)
    assert say(guess, "hands", ["", "", ""])["clearable"]  # skipped: it can still be asked anew
    assert say(guess, "forget")["mode"] == "ask"


def test_a_kept_answer_comes_back(ask: Ask) -> None:
    first = ask()
    say(first, "hands", [1, 2, 3])
    kept = json.loads(json.dumps(say(first, "answer", 2)["kept"]))
    again = ask()
    assert say(again, "recall", kept)["mode"] == "answered"
    assert (again.guess, again.hands) == (first.guess, first.hands)
    say(again, "again")
    say(again, "answer", 0)
    assert say(again, "recall", kept)["guess"] == 0  # the newer answer stays


@pytest.mark.parametrize("kept", [None, HOSTILE, {"guess": HOSTILE}, {"guess": 7}, [1]])
def test_a_strange_notebook_asks_anew(ask: Ask, kept: Any) -> None:
    assert say(ask(), "recall", kept)["mode"] == "ask"


def test_hostile_words_are_words(ask: Ask) -> None:
    guess = ask(HOSTILE, [HOSTILE, "</script>"])
    state = say(guess, "answer", 0)
    assert state["text"] == state["answers"][0] == HOSTILE  # the page sets text, never tags
    assert guess._repr_mimebundle_()[0]["text/plain"].startswith(HOSTILE)


def test_a_curve_needs_a_lab(ask: Ask) -> None:
    with pytest.raises(PredictionError, match="TrainingLab"):
        ask("Draw it.", [])


def test_a_bad_message_says_so_and_keeps_the_question(ask: Ask) -> None:
    guess = ask()
    guess._part._receive(None, {"verb": "answer", "value": HOSTILE}, None)
    assert guess._part.state["mode"] == "ask"
    assert "is no answer" in guess._part.state["problem"]
    guess._part._receive(None, {}, None)
    assert guess._part.state["problem"].startswith("KeyError")


def test_a_cell_run_again_leaves_one_question(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr(cells, "_running", lambda: ("cell", len(runs)))
    found = set()
    for run in range(20):
        runs.append(run)
        ask()
        found.add(widgets())
    assert len(found) == 1
