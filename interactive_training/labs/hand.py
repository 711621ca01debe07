"""Be the optimizer: moves made by hand, with nothing to see but the gradient and the height."""

from dataclasses import dataclass

import numpy as np

from interactive_training.engine.paths import Floats
from interactive_training.engine.race import Ground, Moment, slope
from interactive_training.engine.surfaces import Point


@dataclass(frozen=True)
class Hand:
    """The points that the learner went to, and the height of each, the start first.

    `blind` says that the surface is hidden; once the optimizer has gone too, it is not.
    """

    points: tuple[Point, ...]
    heights: tuple[float, ...]
    blind: bool = True

    @classmethod
    def begin(cls, ground: Ground, start: Point) -> "Hand":
        """No move yet."""
        return cls((start,), (slope(ground.function, start)[0] - ground.row.lowest,))

    def moved(self, ground: Ground, point: Point) -> "Hand":
        """One move more."""
        height = slope(ground.function, point)[0] - ground.row.lowest
        return Hand((*self.points, point), (*self.heights, height), self.blind)

    @property
    def moves(self) -> int:
        """How many moves were made."""
        return len(self.points) - 1

    @property
    def trail(self) -> Floats:
        """The points as an array (n + 1, 2)."""
        return np.array(self.points)

    @property
    def climb(self) -> Floats:
        """The heights as an array (n + 1,)."""
        return np.array(self.heights)

    def sight(self, ground: Ground, point: Point) -> tuple[Moment, str]:
        """What can be seen at a point: the gradient as an arrow, and both numbers in words."""
        height, gradient = slope(ground.function, point)
        words = (
            f"Move {self.moves}: height {height - ground.row.lowest:.3g}, gradient "
            f"({gradient[0]:.2g}, {gradient[1]:.2g}). It points uphill: drag the ring."
        )
        return Moment(point, gradient, (0.0, 0.0), None, None), words
