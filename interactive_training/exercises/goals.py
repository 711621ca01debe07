"""Goals of the bowl: what to reach, checked by the machine on the run itself."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interactive_training.probes.reading import Reading

VISIBLE = 0.05  # how far from the bottom of the valley a crossing is seen


@dataclass(frozen=True)
class Goal:
    """What to reach, on which bowl, and how it is checked; `why` says why it cannot be done.

    `reached` answers for a race that was run with the settings of `condition`, `angle` 0 and
    `steps` from the start (3, 2).
    """

    name: str
    words: str
    condition: float
    steps: int
    height: float
    reached: Callable[[Reading], bool]
    why: str = ""

    def check(self, reading: Reading) -> bool:
        """Whether the learner's path reaches the goal, under the goal's own conditions."""
        race = reading.race
        options = race.ground.options
        fair = (
            race.ground.name == "bowl"
            and options.get("condition", 4.0) == self.condition
            and race.start == (3.0, 2.0)
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


GOALS: tuple[Goal, ...] = (
    Goal(
        "swing",
        "Cross the valley at least 10 times, and still end below 0.01.",
        4.0,
        30,
        0.01,
        swings(10, 0.01),
    ),
    Goal(
        "long bowl",
        "Condition number 100: below 1e-6 within 100 steps.",
        100.0,
        100,
        1e-6,
        below(1e-6),
    ),
    Goal(
        "plain",
        "Below 1e-6 within 100 steps with one fixed lr and no momentum.",
        100.0,
        100,
        1e-6,
        plain(below(1e-6)),
        "at its best, .0099, a step shrinks both directions by 0.98: 496 steps.",
    ),
)
