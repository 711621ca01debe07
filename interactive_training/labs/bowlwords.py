"""What a BowlLab says: its heading, its controls, its sentence, its buttons and its goal."""

from collections.abc import Sequence
from typing import Any

from interactive_training.engine import race as races
from interactive_training.engine.race import LANES
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.surfaces import Point
from interactive_training.exercises.goals import GOALS
from interactive_training.labs import racers
from interactive_training.labs.bowlstate import Shown
from interactive_training.labs.bowlview import Cloud
from interactive_training.probes import reading
from interactive_training.probes.curvature import Rule
from interactive_training.probes.reading import Reading


def heading(
    shown: Shown, found: Reading, question: str, hide: Sequence[str], *, presenting: bool
) -> dict[str, Any]:
    """The question, what the race is on, and two other ways to look at it."""
    note = shown.race.ground.row.notice
    if shown.race.ground.is_quadratic and found.bowl is not None:
        best, edge, *_ = reading.places(Rule.of(Recipe()), found.bowl.values)
        note = f"Plain SGD is stable up to lr {edge:.3g} and fastest at {best:.3g}."
    return {
        "question": question,
        "setup": racers.described(shown.race),
        "controls": racers.ground(shown.race),
        "note": note,
        "extras": [
            {"label": "Slow motion", "verb": "moment", "on": shown.moment is not None},
            {"label": "1,000 starts", "verb": "cloud", "on": shown.cloud},
            {"label": "Reset", "verb": "reset", "on": None},
        ],
        "hidden": list(hide),
        "presenting": presenting,
    }


def steering(
    shown: Shown, found: Reading, *, alone: bool = False, telling: bool = True
) -> dict[str, Any]:
    """The racers, and the controls of the selected one, with the marks if those may be `telling`.

    `alone` leaves its learning rate only.
    """
    race, lane = shown.race, shown.selected
    controls = racers.in_view(race, lane, found if telling and found.race == race else None)
    if alone:
        whose = f"lr, {LANES[lane]}" if len(race.racers) > 1 else "lr"
        controls = [{**controls[0], "label": whose}]
    return {
        "tabs": racers.tabs(race),
        "selected": lane,
        "full": len(race.racers) == len(LANES),
        "controls": controls,
        "more": racers.unfolded(race, lane),
    }


def sentence(shown: Shown, found: Reading, cloud: Cloud | None) -> str:
    """What the picture shows, with a number and what it is compared with."""
    hand, race = shown.hand, shown.race
    if hand is not None and hand.blind:
        return hand.sight(race.ground, race.start)[1]
    if hand is not None:
        mine, name = float(found.heights[0][-1]), race.racers[0].recipe.optimizer
        return (
            f"By hand: height {hand.heights[-1]:.2g} after {counted(hand.moves, 'move')}. "
            f"{name}: {mine:.2g} after {counted(race.steps, 'step')}."
        )
    if shown.moment is not None:
        lane = shown.selected
        at = races.moment(race, shown.moment, lane)
        who = f"{LANES[lane]}, step" if len(race.racers) > 1 else "Step"
        words = f"{who} {shown.moment}: gradient {pair(at.gradient)}"
        if at.clipped is not None:
            words += f", clipped {pair(at.clipped)}"
        if at.momentum is not None:
            words += f", momentum {pair(at.momentum)}"
        words += f", step {pair(at.step)}."
        words += " It leaves the picture." * (found.leaves[lane] == shown.moment + 1)
        plain = at.clipped is None and at.momentum is None
        return words + reading.pressed_words(race, at.at, lane) * plain
    if cloud is not None:
        return reading.cloud_sentence(found.race, cloud[1], shown.selected)
    return reading.sentence(found)


def buttons(shown: Shown, found: Reading) -> list[dict[str, Any]]:
    """What can be done next."""
    hand, goal = shown.hand, shown.goal
    if hand is not None and hand.blind:
        number = len(shown.race.racers)
        who = shown.race.racers[0].recipe.optimizer if number == 1 else f"all {number}"
        return [button(f"Let {who} go", "go"), button("Stop", "over")]
    if hand is not None:
        return [button("Again", "hand"), button("Done", "over")]
    if shown.moment is not None:
        return [button("Back", "back"), button("Next step", "next")]
    open_goal = goal is not None and not shown.given_up and goal.name not in shown.reached
    cannot = [button("It cannot be done", "impossible")] * open_goal
    return [*cannot, button("Be the optimizer", "hand")]


def goals(shown: Shown, found: Reading) -> dict[str, Any]:
    """The goals to choose from, and of the chosen one what to reach, and how far that is."""
    wanted = shown.goal
    if wanted is None:
        text = "Goals: press one. The lab says when you are there."
    elif found.race == shown.race and wanted.check(found):
        text = f"Reached: {wanted.moral(found)}"
    elif shown.given_up:
        text = f"Right: {wanted.why}" if wanted.why else f"It can be done: {wanted.words}"
    else:
        text = f"Goal: {wanted.words} {wanted.now(found)}"
    labels = [
        goal.label + " \u2713" * (goal.name in shown.reached) + " \u2022" * (goal == wanted)
        for goal in GOALS
    ]
    return {
        "text": text,
        "failed": False,
        "buttons": [
            button(label, "goal", goal.name) for label, goal in zip(labels, GOALS, strict=True)
        ],
        "why": [],
    }


def button(label: str, verb: str, value: str | None = None) -> dict[str, Any]:
    """A button under the pictures."""
    return {"label": label, "verb": verb, "value": value}


def pair(point: Point) -> str:
    """Two numbers in brackets."""
    return f"({point[0]:.2g}, {point[1]:.2g})"


def counted(number: int, thing: str) -> str:
    """A number with its noun."""
    return f"{number} {thing}" + "s" * (number != 1)
