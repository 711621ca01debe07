"""Goals of the bowl: what to reach, checked by the machine on the run itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from interactive_training.engine.race import Ground, Race, Racer
from interactive_training.engine.recipe import Recipe, optimizer_values
from interactive_training.probes import reading as readings
from interactive_training.probes.reading import Reading

VISIBLE = 0.05  # how far from the bottom of the valley a crossing is seen
LATE = 25  # steps at the end of Adam's run, since one moment of a swing says little
USUAL = 0.9  # momentum
START = (3.0, 2.0)


@dataclass(frozen=True)
class Goal:
    """What to reach, on which bowl, from which recipe, and how it is checked.

    `label` is the goal in two or three words, `why` says why it cannot be reached. `reached`
    answers for a race that was run with the settings of `condition`, `angle` 0 and no noise from
    the start (3, 2), in at most `steps` steps; `far` says how far it is, `moral` what there is to
    learn from one that is there.
    """

    name: str
    label: str
    words: str
    condition: float
    steps: int
    height: float
    recipe: Recipe
    reached: Callable[[Reading], bool]
    far: Callable[[Reading], str]
    moral: Callable[[Reading], str] = lambda reading: ""
    why: str = ""

    def race(self) -> Race:
        """The race as it begins."""
        ground = Ground.named("bowl", condition=self.condition)
        return Race(ground, START, self.steps, (Racer(self.recipe),))

    def check(self, reading: Reading) -> bool:
        """Whether the learner's path reaches the goal, under the goal's own conditions."""
        finite = reading.paths[0].taken == reading.race.steps
        return self._counts(reading.race) and finite and self.reached(reading)

    def now(self, reading: Reading) -> str:
        """How far the learner's path is, or what has to be set back for it to count."""
        if not self._counts(reading.race):
            return f"Counts at condition {self.condition:g}, from (3, 2), in {self.steps} steps."
        return f"Now {self.far(reading)}."

    def _counts(self, race: Race) -> bool:
        options = race.ground.options
        return (
            race.ground.name == "bowl"
            and options.get("condition", 4.0) == self.condition
            and options.get("angle", 0.0) == 0
            and race.ground.noise == 0
            and race.start == START
            and race.steps <= self.steps
        )


def end(reading: Reading) -> str:
    """How high the learner's path ends, in words."""
    return f"at {reading.heights[0][-1]:.3g}"


def below(height: float) -> Callable[[Reading], bool]:
    """Whether the path ends below this height."""
    return lambda reading: reading.paths[0].below(height) is not None


def crossings(reading: Reading) -> int:
    """How many steps cross the valley, from where it is seen to where it is seen."""
    across = reading.paths[0].points[:, 1]
    seen = np.where(np.abs(across) > VISIBLE, np.sign(across), 0)
    return int((seen[1:] * seen[:-1] < 0).sum())


def swings(times: int, height: float) -> Callable[[Reading], bool]:
    """Whether the path crosses the valley so many times, to be seen, and ends below this height."""
    return lambda reading: crossings(reading) >= times and below(height)(reading)


def plain(check: Callable[[Reading], bool]) -> Callable[[Reading], bool]:
    """The same check for SGD with one learning rate and nothing else."""

    def checked(reading: Reading) -> bool:
        recipe = reading.race.racers[0].recipe
        bare = (
            recipe.optimizer == "SGD"
            and not recipe.momentum
            and recipe.schedule is None
            and recipe.keep_grad == 0
            and "zero_grad" in recipe.stages
        )
        return bare and check(reading)

    return checked


def highest(reading: Reading) -> float:
    """The greatest height in the last steps of the learner's path."""
    return float(reading.heights[0][-LATE:].max())


def restless(least_lr: float, steps: int, height: float) -> Callable[[Reading], bool]:
    """Whether Adam with no schedule, and no small rate, is above this height in its last steps."""

    def check(reading: Reading) -> bool:
        race, recipe = reading.race, reading.race.racers[0].recipe
        bare = recipe.optimizer == "Adam" and recipe.schedule is None and race.steps == steps
        return bare and recipe.lr >= least_lr and highest(reading) > height

    return check


def usual_momentum(height: float) -> Callable[[Reading], str]:
    """What the usual momentum would do at the rate of a broken Adam: it is run to see."""

    def moral(reading: Reading) -> str:
        held: Any = optimizer_values(reading.race.racers[0].recipe)["betas"]
        race = replace(reading.race, racers=reading.race.racers[:1])
        usual = readings.read(race.changed(0, betas=(USUAL, held[1])))
        if highest(usual) > height:
            return "momentum .9 does not save this one. Break it with a smaller lr as well."
        if held[0] > USUAL:
            return "with momentum .9 the same lr stays below 1: with more, Adam turns too late."
        return "with momentum .9 the same lr stays below 1: momentum damps Adam's steps."

    return moral


GOALS: tuple[Goal, ...] = (
    Goal(
        "swing",
        "Swing, but arrive",
        "cross the valley 10 times, |w1| over 0.05 on both sides; end below 0.01.",
        4.0,
        30,
        0.01,
        Recipe(lr=0.15),
        swings(10, 0.01),
        lambda reading: f"{crossings(reading)} times, {end(reading)}",
        lambda _: "just below the edge every step lands on the other side, a little lower.",
    ),
    Goal(
        "long bowl",
        "Make momentum pay",
        "condition number 100: end below 1e-6, in 100 steps or less.",
        100.0,
        100,
        1e-6,
        Recipe(lr=0.006),
        below(1e-6),
        end,
        lambda _: "along the valley the steps add up, across it they cancel.",
    ),
    Goal(
        "plain",
        "Without it",
        "the same (below 1e-6) with one fixed lr and no momentum.",
        100.0,
        100,
        1e-6,
        Recipe(lr=0.006),
        plain(below(1e-6)),
        end,
        why="even at its best, .0099, a step leaves 0.98 of each direction: 496 steps to 1e-6.",
    ),
    Goal(
        "adam",
        "Break Adam",
        "Adam, lr 0.1 or more: above height 1 in steps 75 to 100.",
        4.0,
        100,
        1.0,
        Recipe(optimizer="Adam", lr=0.3),
        restless(0.1, 100, 1.0),
        lambda reading: f"{highest(reading):.3g} at most, in {reading.race.steps} steps",
        usual_momentum(1.0),
    ),
)
