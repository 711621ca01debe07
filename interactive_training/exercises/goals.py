"""Goals of the bowl: what to reach, checked by the machine on the run itself."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interactive_training.engine.race import Ground, Race, Racer
from interactive_training.engine.recipe import Recipe
from interactive_training.probes.reading import Reading

VISIBLE = 0.05  # how far from the bottom of the valley a crossing is seen
START = (3.0, 2.0)


@dataclass(frozen=True)
class Goal:
    """What to reach, on which bowl, from which recipe, and how it is checked.

    `label` is the goal in two or three words, `moral` what there is to learn from it, once it is
    reached; `why` says why it cannot be. `reached` answers for a race that was run with the
    settings of `condition`, `angle` 0 and `steps` from the start (3, 2).
    """

    name: str
    label: str
    words: str
    condition: float
    steps: int
    height: float
    recipe: Recipe
    reached: Callable[[Reading], bool]
    moral: str = ""
    why: str = ""

    def race(self) -> Race:
        """The race as it begins."""
        ground = Ground.named("bowl", condition=self.condition)
        return Race(ground, START, self.steps, (Racer(self.recipe),))

    def check(self, reading: Reading) -> bool:
        """Whether the learner's path reaches the goal, under the goal's own conditions."""
        race = reading.race
        options = race.ground.options
        fair = (
            race.ground.name == "bowl"
            and options.get("condition", 4.0) == self.condition
            and race.start == START
            and race.steps <= self.steps
            and reading.paths[0].taken == race.steps
        )
        return fair and self.reached(reading)


def below(height: float) -> Callable[[Reading], bool]:
    """Whether the path stays below this height in the end."""
    return lambda reading: reading.paths[0].below(height) is not None


def swings(times: int, height: float) -> Callable[[Reading], bool]:
    """Whether the path crosses the valley so many times, to be seen, and ends below this height."""

    def check(reading: Reading) -> bool:
        across = reading.paths[0].points[:, 1]
        seen = np.where(np.abs(across) > VISIBLE, np.sign(across), 0)
        crossed = int((seen[1:] * seen[:-1] < 0).sum())
        return crossed >= times and below(height)(reading)

    return check


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


def restless(least_lr: float, height: float) -> Callable[[Reading], bool]:
    """Whether Adam with no schedule, and no small rate, is still above this height at the end."""

    def check(reading: Reading) -> bool:
        recipe = reading.race.racers[0].recipe
        late = reading.heights[0][-len(reading.heights[0]) // 4 :]
        bare = recipe.optimizer == "Adam" and recipe.schedule is None
        return bare and recipe.lr >= least_lr and float(late.max()) > height

    return check


GOALS: tuple[Goal, ...] = (
    Goal(
        "swing",
        "Swing, but arrive",
        "Cross the valley at least 10 times, and still end below 0.01.",
        4.0,
        30,
        0.01,
        Recipe(lr=0.15),
        swings(10, 0.01),
        "just below the edge every step lands on the other side, a little lower.",
    ),
    Goal(
        "long bowl",
        "Make momentum pay",
        "Condition number 100: below 1e-6 within 100 steps.",
        100.0,
        100,
        1e-6,
        Recipe(lr=0.006),
        below(1e-6),
        "along the valley the steps add up, across it they cancel.",
    ),
    Goal(
        "plain",
        "Without it",
        "Below 1e-6 within 100 steps with one fixed lr and no momentum.",
        100.0,
        100,
        1e-6,
        Recipe(lr=0.006),
        plain(below(1e-6)),
        why="at its best, .0099, a step shrinks both directions by 0.98: 496 steps.",
    ),
    Goal(
        "adam",
        "Break Adam",
        "Adam with lr 0.1 or more, still above height 1 after 100 steps.",
        4.0,
        100,
        1.0,
        Recipe(optimizer="Adam", lr=0.3),
        restless(0.1, 1.0),
        "with momentum .9 the same lr arrives: it is momentum that damps Adam's steps.",
    ),
)
