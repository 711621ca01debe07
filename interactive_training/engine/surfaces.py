"""Functions of two variables to walk down, as rows of data.

A surface takes the point `w`, a tensor whose first dimension is 2, and returns its height; it uses
`w[0]` and `w[1]` only, so that one call also gives the heights of many points, `w` of shape (2, N).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, radians, sin, sqrt
from typing import Any

import torch

from interactive_training.engine.choices import Field
from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.noise import Surface as Surface
from interactive_training.engine.noise import noisy

Point = tuple[float, float]
OPTIONS: Mapping[str, Field] = {
    "condition": Field("condition", 4.0, low=1, high=1e6),
    "angle": Field("angle", 0.0, low=-360, high=360),
    "noise": Field("noise", 0.0, low=0, high=1e6),
}


def bowl(w: torch.Tensor) -> torch.Tensor:
    """L(w) = w0^2 + 4 w1^2. Notice: plain SGD is stable up to lr 0.25 and fastest at 0.2."""
    return w[0] ** 2 + 4 * w[1] ** 2


def bowl_of(condition: float = 4.0, angle: float = 0.0) -> Surface:
    """A bowl `condition` times as steep across as along, turned by `angle` degrees.

    Notice: the number of steps that SGD needs grows with the condition number, however it is
    turned; Adam's grows when the bowl is turned, because it scales each axis by itself.
    """
    if condition == 4 and angle == 0:
        return bowl
    steep, c, s = condition, cos(radians(angle)), sin(radians(angle))

    def turned_bowl(w: torch.Tensor) -> torch.Tensor:
        along, across = c * w[0] + s * w[1], c * w[1] - s * w[0]
        return along**2 + steep * across**2

    return turned_bowl


def rosenbrock(w: torch.Tensor) -> torch.Tensor:
    """A bent valley. Notice: every optimizer finds the valley at once; few get along it."""
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def himmelblau(w: torch.Tensor) -> torch.Tensor:
    """Four valleys of one depth. Notice: which one is reached depends on start and momentum."""
    return (w[0] ** 2 + w[1] - 11) ** 2 + (w[0] + w[1] ** 2 - 7) ** 2


def beale(w: torch.Tensor) -> torch.Tensor:
    """A flat floor between steep walls. Notice: one step from a wall throws the point far away."""
    return (
        (1.5 - w[0] + w[0] * w[1]) ** 2
        + (2.25 - w[0] + w[0] * w[1] ** 2) ** 2
        + (2.625 - w[0] + w[0] * w[1] ** 3) ** 2
    )


def saddle(w: torch.Tensor) -> torch.Tensor:
    """A pass between two valleys. Notice: from w1 = 0 exactly only noise leads off the pass."""
    return w[0] ** 2 - w[1] ** 2 + w[1] ** 4 / 4 + 1


def plateau(w: torch.Tensor) -> torch.Tensor:
    """A hole in a flat plain. Notice: far out the gradient is tiny; Adam does not mind."""
    return 1 - torch.exp(-(w[0] ** 2 + w[1] ** 2) / 2)


def ravine(w: torch.Tensor) -> torch.Tensor:
    """A winding ravine. Notice: momentum is thrown from wall to wall in the bends."""
    return 10 * (w[1] - torch.sin(w[0])) ** 2 + w[0] ** 2 / 10


def two_minima(w: torch.Tensor) -> torch.Tensor:
    """A sharp minimum beside a flat one. Notice: above lr 0.125 SGD cannot stay in the sharp."""
    flat = (w[0] - 2) ** 2 / 2 + w[1] ** 2 / 2
    sharp = 8 * (w[0] + 2) ** 2 + 8 * w[1] ** 2
    return -torch.logaddexp(-flat, -sharp)


@dataclass(frozen=True)
class Landscape:
    """One row: a surface, where to start on it and with what, and the part of it to show.

    `box` is ((left, right), (bottom, top)), `minima` are its lowest points, where `lowest` is its
    height. `make`, if there is one, makes the surface from a condition number and an angle;
    every surface takes `noise`.
    """

    function: Surface
    start: Point
    lr: float
    steps: int
    box: tuple[Point, Point]
    minima: tuple[Point, ...]
    formula: str
    notice: str
    lowest: float = 0.0
    make: Callable[..., Surface] | None = None

    def shaped(self, name: str, options: Mapping[str, Any]) -> Surface:
        """The surface with these options; raises TaskError for one that it does not take."""
        taken = list(OPTIONS) if self.make is not None else ["noise"]
        values = {}
        for key, value in options.items():
            if key not in taken:
                raise TaskError(f"{key!r} is no option of {name}; it takes {', '.join(taken)}.")
            try:
                values[key] = OPTIONS[key].check(value)
            except RecipeError as error:
                raise TaskError(str(error), error.refused) from None
        noise = values.pop("noise", 0.0)
        made = self.make(**values) if values and self.make is not None else self.function
        return noisy(made, noise) if noise else made


def _row(function: Surface, **values: object) -> Landscape:
    notice = (function.__doc__ or "").rpartition("Notice: ")[2]
    notice = notice.strip()
    return Landscape(function, notice=notice[:1].upper() + notice[1:], **values)  # type: ignore[arg-type]


SURFACES: Mapping[str, Landscape] = {
    "bowl": _row(
        bowl,
        start=(3.0, 2.0),
        lr=0.15,
        steps=30,
        box=((-4.2, 4.2), (-3.0, 3.0)),
        minima=((0.0, 0.0),),
        formula="L = w0^2 + 4 w1^2",
        make=bowl_of,
    ),
    "rosenbrock": _row(
        rosenbrock,
        start=(-1.2, 1.0),
        lr=0.0015,
        steps=300,
        box=((-2.0, 2.0), (-1.0, 3.0)),
        minima=((1.0, 1.0),),
        formula="L = (1 - w0)^2 + 100 (w1 - w0^2)^2",
    ),
    "himmelblau": _row(
        himmelblau,
        start=(-0.5, -0.5),
        lr=0.01,
        steps=60,
        box=((-6.0, 6.0), (-5.0, 5.0)),
        minima=(
            (3.0, 2.0),
            (-2.805118086952745, 3.131312518250573),
            (-3.779310253377747, -3.283185991286170),
            (3.584428340330492, -1.848126526964404),
        ),
        formula="L = (w0^2 + w1 - 11)^2 + (w0 + w1^2 - 7)^2",
    ),
    "beale": _row(
        beale,
        start=(1.0, 1.5),
        lr=0.01,
        steps=300,
        box=((-1.0, 4.4), (-1.6, 2.2)),
        minima=((3.0, 0.5),),
        formula="Beale's function",
    ),
    "saddle": _row(
        saddle,
        start=(2.0, 0.0),
        lr=0.15,
        steps=60,
        box=((-2.8, 2.8), (-2.0, 2.0)),
        minima=((0.0, sqrt(2)), (0.0, -sqrt(2))),
        formula="L = w0^2 - w1^2 + w1^4 / 4 + 1",
    ),
    "plateau": _row(
        plateau,
        start=(2.8, 1.6),
        lr=0.5,
        steps=100,
        box=((-4.2, 4.2), (-3.0, 3.0)),
        minima=((0.0, 0.0),),
        formula="L = 1 - exp(-(w0^2 + w1^2) / 2)",
    ),
    "ravine": _row(
        ravine,
        start=(-3.4, 1.6),
        lr=0.04,
        steps=200,
        box=((-4.4, 4.4), (-2.6, 2.6)),
        minima=((0.0, 0.0),),
        formula="L = 10 (w1 - sin w0)^2 + w0^2 / 10",
    ),
    "two minima": _row(
        two_minima,
        start=(-2.4, 0.6),
        lr=0.1,
        steps=60,
        box=((-4.2, 4.2), (-3.0, 3.0)),
        minima=((-2.0, 0.0), (2.0, 0.0)),
        formula="a sharp minimum beside a flat one",
        lowest=-0.0004,
    ),
}
