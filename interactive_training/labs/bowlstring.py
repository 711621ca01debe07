"""The whole state of a BowlLab as one short string, in the same frame as that of TrainingLab."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.race import Ground, Race, Racer
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.surfaces import Point
from interactive_training.exercises.goals import GOALS
from interactive_training.exercises.predictions import PredictionError, Question
from interactive_training.labs.bowlstate import Shown
from interactive_training.labs.hand import Hand
from interactive_training.labs.statestring import (
    StateStringError,
    check_shape,
    different,
    packed,
    question_of,
    recipe_of,
    unpacked,
    written,
)

SHAPE: Mapping[str, type] = {
    "surface": str,
    "options": dict,
    "start": list,
    "steps": int,
    "seed": int,
    "racers": list,
    "selected": int,
    "cloud": bool,
    "moment": int,
    "goal": str,
    "reached": list,
    "given_up": bool,
    "hand": list,
    "blind": bool,
    "question": str,
    "ask": dict,
    "hide": list,
}
RACER: Mapping[str, type] = {"recipe": dict, "scale": float}
NO_MOMENT = -1
MOVES = 200  # by hand; more would not fit into a string


@dataclass(frozen=True)
class BowlState:
    """What a BowlLab is made again from: its screen and question, what it asks, what is hidden.

    The grey line of what was before is not held.
    """

    shown: Shown
    question: str
    hide: tuple[str, ...]
    ask: Question | None = None

    def to_string(self) -> str:
        """The state as letters, digits, "-" and "_".

        Raises StateStringError for a function or a slice of the learner's own, and for too many
        moves by hand.
        """
        shown, race = self.shown, self.shown.race
        if not race.ground.is_named:
            raise StateStringError(
                "a string cannot hold a function or slice of your own; keep the cell that makes "
                "it, or choose a named surface."
            )
        moves = () if shown.hand is None else shown.hand.points
        if len(moves) > MOVES:
            raise StateStringError(f"a string holds up to {MOVES} moves by hand; begin again.")
        racers = [
            {"recipe": different(racer.recipe, Recipe()), "scale": float(racer.scale)}
            for racer in race.racers
        ]
        values = {
            "surface": race.ground.name,
            "options": dict(race.ground.options),
            "start": list(race.start),
            "steps": race.steps,
            "seed": race.seed,
            "racers": racers,
            "selected": shown.selected,
            "cloud": shown.cloud,
            "moment": NO_MOMENT if shown.moment is None else shown.moment,
            "goal": "" if shown.goal is None else shown.goal.name,
            "reached": list(shown.reached),
            "given_up": shown.given_up,
            "hand": [list(point) for point in moves],
            "blind": shown.blind,
            "question": self.question,
            "ask": {} if self.ask is None else written(self.ask),
            "hide": list(self.hide),
        }
        return packed(values)

    @classmethod
    def from_string(cls, text: str) -> "BowlState":
        """The state in a string; raises StateStringError in words for anything else."""
        found: Any = unpacked(text)
        if isinstance(found, dict):
            found.setdefault("reached", [])  # strings of before it was kept
        check_shape(found, SHAPE)
        try:
            hide = names_of(found["hide"])
            ask = question_of(found["ask"]) if found["ask"] else None
            return cls(shown_of(found), found["question"], hide, ask)
        except (PredictionError, RecipeError, TaskError) as error:
            raise StateStringError(f"the state string cannot be used: {error}") from None


def shown_of(found: Mapping[str, Any]) -> Shown:
    """What is on the screen, from checked kinds of values; raises what their makers raise."""
    racers = []
    for racer in found["racers"]:
        check_shape(racer, RACER)
        racers.append(Racer(recipe_of(racer["recipe"]), racer["scale"]))
    options = found["options"]
    if not all(isinstance(value, int | float) for value in options.values()):
        raise unreadable("options")
    ground = Ground.named(found["surface"], **options)
    race = Race(ground, point_of(found["start"]), found["steps"], tuple(racers), found["seed"])
    goals = {goal.name: goal for goal in GOALS}
    moment = found["moment"]
    if not 0 <= found["selected"] < len(racers):
        raise unreadable("selected")
    if not NO_MOMENT <= moment < race.steps:
        raise unreadable("moment")
    if found["goal"] and found["goal"] not in goals:
        raise unreadable("goal")
    reached = tuple(name for name in goals if name in found["reached"])
    if list(reached) != found["reached"]:
        raise unreadable("reached")
    return Shown(
        race,
        selected=found["selected"],
        cloud=found["cloud"],
        moment=None if moment == NO_MOMENT else moment,
        hand=hand_of(ground, found["hand"], found["blind"]),
        goal=goals.get(found["goal"]),
        reached=reached,
        given_up=found["given_up"],
        hint="",
    )


def hand_of(ground: Ground, points: list[Any], blind: bool) -> Hand | None:
    """The moves made by hand, with their heights, or None."""
    if not points:
        return None
    if len(points) > MOVES:
        raise unreadable("hand")
    places = [point_of(point) for point in points]
    for place in places:
        ground.check(place)
    hand = Hand.begin(ground, places[0])
    for place in places[1:]:
        hand = hand.moved(ground, place)
    return replace(hand, blind=blind)


def point_of(value: Any) -> Point:
    """Two numbers as a point; whether it lies on the picture is for the race to say."""
    if not (
        isinstance(value, list)
        and len(value) == 2
        and all(type(part) in (int, float) for part in value)
    ):
        raise unreadable("a point")
    try:
        return float(value[0]), float(value[1])
    except OverflowError:
        raise unreadable("a point") from None


def names_of(values: list[Any]) -> tuple[str, ...]:
    """The names of hidden controls."""
    if not all(isinstance(value, str) for value in values):
        raise unreadable("hide")
    return tuple(values)


def unreadable(name: str) -> StateStringError:
    """What to raise for a value that no lab has written."""
    return StateStringError(f"{name} in the state string is not readable; copy it again.")
