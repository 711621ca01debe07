"""The state string of BowlLab: what comes back, and what is refused before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interactive_training import Recipe, Run
from interactive_training.engine.slices import slice_through
from interactive_training.exercises import Question
from interactive_training.labs import BowlLab, TrainingLab
from interactive_training.labs.bowlstring import BowlState
from interactive_training.labs.statestring import StateStringError, packed, unpacked
from tests.labs.conftest import Bowls, widgets


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """What a string holds."""
    lab = BowlLab("himmelblau")
    found = unpacked(lab.to_string())
    lab.close()
    assert isinstance(found, dict)
    return found


def hear(lab: BowlLab, verb: str, **message: Any) -> None:
    lab._receive({"verb": verb, **message})


def race_of_three(make_bowl: Bowls) -> BowlLab:
    lab = make_bowl("bowl", condition=20, angle=30, noise=0.1, seed=3, steps=44, hide=["setup"])
    lab.move((1.5, -0.5))
    lab.add(Recipe(optimizer="AdamW", lr=0.2, betas=(0.7, 0.9)), scale=1000)
    lab.add(Recipe(lr=0.01, clip="value", schedule="StepLR", schedule_options={"step_size": 9}))
    hear(lab, "select", value=2)
    hear(lab, "moment")
    hear(lab, "next")
    return lab


def by_hand(make_bowl: Bowls) -> BowlLab:
    lab = make_bowl("ravine", question="Where now?")
    hear(lab, "hand")
    lab._start_dragged(-2.0, 0.0, True)
    lab._start_dragged(-1.0, -0.5, True)
    return lab


def at_a_goal(make_bowl: Bowls) -> BowlLab:
    lab = make_bowl()
    hear(lab, "goal", value="swing")
    lab.change(lr=0.23)
    hear(lab, "goal", value="plain")
    hear(lab, "impossible")
    return lab


def asking(make_bowl: Bowls) -> BowlLab:
    stages = ("forward", "backward", "step")
    return make_bowl(ask=Question("Then it will", ["swing", "rest"], {"stages": stages}))


def with_a_cloud(make_bowl: Bowls) -> BowlLab:
    lab = make_bowl("network slice", steps=10)
    hear(lab, "cloud")
    return lab


@pytest.mark.parametrize("state", [race_of_three, by_hand, at_a_goal, asking, with_a_cloud])
def test_a_string_brings_a_lab_back(make_bowl: Bowls, state: Callable[[Bowls], BowlLab]) -> None:
    lab = state(make_bowl)
    text = lab.to_string()
    assert len(text) < 900
    again = BowlLab.from_string(text)
    try:
        assert again.race == lab.race
        for one, other in zip(lab.paths, again.paths, strict=True):
            assert one.points.tolist() == other.points.tolist()
        for part in ("head", "controls", "words", "goals", "asked"):
            mine, theirs = ({**getattr(one, part).state} for one in (lab, again))
            mine.pop("sent"), theirs.pop("sent")
            assert mine == theirs
        assert again.to_string() == text
    finally:
        again.close()


def test_a_string_of_before_ticks_were_kept_is_read(plain: dict[str, Any]) -> None:
    old = {name: value for name, value in plain.items() if name != "reached"}
    lab = BowlLab.from_string(packed({**old, "goal": "swing"}))
    assert lab.shown.goal is not None and lab.shown.reached == ()
    lab.close()


def test_what_a_string_cannot_hold_is_said(make_bowl: Bowls) -> None:
    own = make_bowl(lambda w: (w**2).sum(), start=(1, 1))
    slice = make_bowl(slice_through(Run("xor"), ("0.weight", 0), ("0.weight", 1)))
    for lab in (own, slice):
        with pytest.raises(StateStringError, match="of your own; keep the cell that makes it"):
            lab.to_string()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text[:-2] + "AA",
        lambda text: text[:20] + ("A" if text[20] != "A" else "B") + text[21:],
        lambda text: "it2." + text[4:],
        lambda text: text + "junk",
        lambda text: "it1." + "A" * 100_000,
        lambda text: "",
        lambda text: None,
    ],
)
def test_a_spoilt_string_makes_nothing(make_bowl: Bowls, spoil: Any) -> None:
    text = make_bowl().to_string()
    before = widgets()
    with pytest.raises(StateStringError, match="state string"):
        BowlLab.from_string(spoil(text))
    assert widgets() == before


def test_the_strings_of_two_labs_are_told_apart(make_bowl: Bowls) -> None:
    lab = TrainingLab("moons")
    text = lab.to_string()
    lab.close()
    with pytest.raises(StateStringError, match="another kind of lab"):
        BowlLab.from_string(text)
    with pytest.raises(StateStringError, match="another kind of lab"):
        TrainingLab.from_string(make_bowl().to_string())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"surface": "<script>alert(1)</script>"}, "choose one of"),
        ({"surface": "digits"}, "no surface"),
        ({"options": {"condition": 4}}, "no option of himmelblau"),
        ({"options": {"noise": "much"}}, "options .* not readable"),
        ({"start": [99.0, 0.0]}, "off the picture"),
        ({"start": [float("nan"), 0.0]}, "two finite numbers"),
        ({"start": [True, 0.0]}, "a point .* not readable"),
        ({"start": [10**400, 0.0]}, "a point .* not readable"),
        ({"start": [1.0]}, "a point .* not readable"),
        ({"steps": 10**9}, "steps is"),
        ({"steps": True}, "steps .* not readable"),
        ({"seed": -5}, "seed is -5"),
        ({"racers": []}, "1 to 3 racers"),
        ({"racers": [{"recipe": {}, "scale": 1.0}] * 4}, "1 to 3 racers"),
        ({"racers": [{"recipe": {}}]}, "another kind"),
        ({"racers": [{"recipe": {"lr": -1}, "scale": 1.0}]}, "bad recipe: lr is -1"),
        ({"racers": [{"recipe": {"os": 1}, "scale": 1.0}]}, "'os', which no recipe has"),
        ({"racers": [{"recipe": {"optimizer": [1]}, "scale": 1.0}]}, "bad recipe"),
        ({"racers": [{"recipe": {"amp": "float16"}, "scale": 1.0}]}, 'set amp to "off"'),
        ({"racers": [{"recipe": {"clip": "norm"}, "scale": 1.0}], "cloud": True}, "all starts"),
        ({"selected": 1}, "selected .* not readable"),
        ({"moment": 10**6}, "moment .* not readable"),
        ({"goal": "gold"}, "goal .* not readable"),
        ({"reached": ["gold"]}, "reached .* not readable"),
        ({"reached": [["swing"]]}, "reached .* not readable"),
        ({"hand": [[0.0, 0.0], [50.0, 0.0]]}, "off the picture"),
        ({"hand": [[0.0, 0.0]] * 300}, "hand .* not readable"),
        ({"hide": ["everything"]}, "cannot be hidden"),
        ({"hide": [1]}, "hide .* not readable"),
        ({"ask": {"text": "x"}}, "another kind"),
        ({"ask": {"text": "", "answers": ["a", "b"], "change": {}}}, "no words"),
        ({"ask": {"text": "x", "answers": [], "change": {}}}, "asks with answers"),
        ({"ask": {"text": "x", "answers": ["a", "b"], "change": {"lr": -1}}}, "lr is -1"),
        ({"ask": {"text": "x", "answers": ["a", "b"], "change": {"os": 1}}}, "no recipe has"),
        ({"version": 9}, "another kind"),
    ],
)
def test_a_hostile_string_makes_nothing(
    plain: dict[str, Any], sent: list[dict[str, Any]], changed: dict[str, Any], words: str
) -> None:
    before = widgets()
    with pytest.raises(StateStringError, match=words):
        BowlLab.from_string(packed({**plain, **changed}))
    assert widgets() == before


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused_in_words(
    plain: dict[str, Any], data: st.DataObject
) -> None:
    values = dict(plain)
    name = data.draw(st.sampled_from(sorted(values)))
    values[name] = data.draw(anything)
    racer = data.draw(st.dictionaries(st.sampled_from(["lr", "betas", "optimizer", "x"]), anything))
    if name != "racers":
        values["racers"] = [{"recipe": racer, "scale": 1.0}]
    try:
        state = BowlState.from_string(packed(values))
    except StateStringError as error:
        assert str(error).endswith((".", "'")) or ";" in str(error)
    else:
        assert BowlState.from_string(state.to_string()) == state


@given(text=st.text() | st.text(alphabet="it1.ABCabc-_= \n").map(lambda text: "it1." + text))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(StateStringError, match="state string"):
        BowlState.from_string(text)
