"""One surface, one start, up to three optimizers: what a race is, and how it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
import torch

from interactive_training.engine import paths
from interactive_training.engine.choices import Field
from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.loop import train, walk
from interactive_training.engine.paths import Floats, Path
from interactive_training.engine.randomness import apart
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.slices import Slice, network_slice
from interactive_training.engine.surfaces import SURFACES, Landscape, Point, Surface
from interactive_training.engine.task import Task

NETWORK = "network slice"  # a surface in the menu, though no task
LANES = ("you", "twin", "third")
SCALE = Field("scale", 1.0, low=0, open_low=True, high=1e6)
SEED = Field("seed", 0, int, low=0, high=2**31)
STEPS = Field("steps", 30, int, low=1, high=2000)
PATIENCE = 0.4  # seconds that a path over a function of the learner's may take
OWN_BOX = ((-4.2, 4.2), (-3.0, 3.0))
WALKERS = 1000


@dataclass(frozen=True)
class Racer:
    """A recipe in a race; `scale` multiplies the gradients that it sees."""

    recipe: Recipe
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", SCALE.check(self.scale))


@dataclass(frozen=True)
class Ground:
    """The surface of a race: a row of SURFACES with its options, or the learner's own function.

    `function` is the surface as it lies there, `walked` as the racers see it, with its noise.
    """

    row: Landscape
    name: str = "own"
    options: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def named(cls, name: str, **options: float) -> "Ground":
        """A built-in surface. Raises TaskError for an unknown name or a bad option."""
        if name == NETWORK:
            return cls.of_slice(network_slice(), name, **options)
        Task.named(name, **options)
        if name not in SURFACES:
            raise TaskError(f"{name!r} is no surface; choose one of {', '.join(SURFACES)}.")
        return cls(SURFACES[name], name, dict(options))

    @classmethod
    def own(
        cls, function: Surface, start: Point, box: tuple[Point, Point] | None, **options: float
    ) -> "Ground":
        """The learner's function, shown over `box`; as an option it takes `noise`.

        Raises TaskError when it cannot be walked from `start`.
        """
        Task.surface(function, start)
        made = Landscape(function, start, 0.1, 50, box or OWN_BOX, (), "your function", "")
        made.shaped("your function", options)
        return cls(made, options=options)

    @classmethod
    def of_slice(cls, slice: Slice, name: str = "slice", /, **options: float) -> "Ground":
        """A slice through a trained network, which takes `noise` as an option."""
        (left, right), (bottom, top) = slice.box
        x, y = slice.lowest
        inside = left <= x <= right and bottom <= y <= top
        row = Landscape(
            slice.function,
            slice.start,
            slice.lr,
            60,
            slice.box,
            (slice.lowest,) if inside else (),
            "two weights of a trained network",
            "Two weights move, all others are held: a network could also go around.",
            lowest=slice.height,
        )
        row.shaped(name, options)
        return cls(row, name, options)

    def shaped(self, **options: float) -> "Ground":
        """The same ground with other options; raises TaskError for a bad one."""
        made = replace(self, options={**self.options, **options})
        self.row.shaped(self.name, made.options)
        return made

    @cached_property
    def function(self) -> Surface:
        """The surface itself."""
        still = {name: value for name, value in self.options.items() if name != "noise"}
        return self.row.shaped(self.name, still)

    @cached_property
    def walked(self) -> Surface:
        """The surface that the racers see."""
        return self.row.shaped(self.name, self.options)

    @property
    def lr(self) -> float:
        """A learning rate that comes down: on a bowl as near to its edge whatever its shape."""
        return self.row.lr * 4 / self.options.get("condition", 4.0)

    @property
    def noise(self) -> float:
        """The standard deviation of the error in each part of every gradient."""
        return float(self.options.get("noise", 0.0))

    @property
    def is_task(self) -> bool:
        """Whether it is one of SURFACES, which are tasks by name, and not made here."""
        return self.name in SURFACES

    @property
    def is_named(self) -> bool:
        """Whether it can be made again from its name and options alone."""
        return self.is_task or self.name == NETWORK

    @property
    def is_quadratic(self) -> bool:
        """Whether it is a bowl, where every direction shrinks by one factor a step."""
        return self.row.make is not None

    def check(self, start: Point) -> None:
        """Raise TaskError unless `start` is finite, on the part shown, and can be walked from."""
        if not paths.finite(start):
            raise TaskError(f"start is {start!r}; choose two finite numbers.")
        (left, right), (bottom, top) = self.row.box
        if not (left <= start[0] <= right and bottom <= start[1] <= top):
            raise TaskError(
                f"start ({start[0]:g}, {start[1]:g}) lies off the picture; choose w0 from "
                f"{left:g} to {right:g} and w1 from {bottom:g} to {top:g}."
            )
        if not self.is_task:
            Task.surface(self.function, start)


@dataclass(frozen=True)
class Race:
    """A start, a number of steps and the racers, the learner's first.

    `seed` is where the noise of the ground begins, the same for every racer.
    """

    ground: Ground
    start: Point
    steps: int
    racers: tuple[Racer, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", STEPS.check(self.steps))
        object.__setattr__(self, "seed", SEED.check(self.seed))
        if not 1 <= len(self.racers) <= len(LANES):
            raise RecipeError(f"a race has 1 to {len(LANES)} racers; take one out.")
        # Schedules end where the path ends.
        planned = [replace(r, recipe=replace(r.recipe, steps=self.steps)) for r in self.racers]
        object.__setattr__(self, "racers", tuple(planned))
        self.ground.check(self.start)

    @classmethod
    def on(cls, ground: Ground, recipe: Recipe | None = None) -> "Race":
        """One racer from the surface's own start, plain SGD unless a recipe is given."""
        row = ground.row
        return cls(ground, row.start, row.steps, (Racer(recipe or Recipe(lr=ground.lr)),))

    def changed(self, lane: int, **values: Any) -> "Race":
        """The race with values of one racer changed: fields of its recipe, or `scale`."""
        old = self.racers[lane]
        scale = values.pop("scale", old.scale)
        new = Racer(replace(old.recipe, **values), scale)
        return replace(self, racers=(*self.racers[:lane], new, *self.racers[lane + 1 :]))

    def run(self) -> list[Path]:
        """The path of every racer, each of `steps` steps of the package's training loop.

        With noise the heights are still those of the surface itself.
        """
        found = [
            paths.path(
                self.ground.walked,
                self.start,
                racer.recipe,
                self.steps,
                scale=racer.scale,
                seed=self.seed,
                seconds=inf if self.ground.is_task else PATIENCE,
            )
            for racer in self.racers
        ]
        if self.ground.noise:
            found = [paths.on_the_surface(self.ground.function, path) for path in found]
        return found

    def task(self, lane: int = 0) -> Task:
        """The task of one racer, for a Run of it or its source."""
        racer = self.racers[lane]
        if racer.scale == 1 and self.start == self.ground.row.start and self.ground.is_task:
            return Task.named(self.ground.name, **self.ground.options)
        return Task.surface(paths.scaled(self.ground.walked, racer.scale), self.start)

    def cloud(self, lane: int = 0) -> tuple[Floats, Floats]:
        """1,000 starts spread over the picture, and where each is after a racer's steps."""
        box = np.array(self.ground.row.box)
        spread = torch.quasirandom.SobolEngine(2).draw(WALKERS).double().numpy()
        starts = box[:, 0] + spread * (box[:, 1] - box[:, 0])
        racer = self.racers[lane]
        ends = paths.cloud(
            self.ground.walked,
            starts,
            racer.recipe,
            self.steps,
            scale=racer.scale,
            seed=self.seed,
        )
        return starts, ends


@dataclass(frozen=True)
class Moment:
    """What an optimizer holds at one step: where it is, its gradient, its memory, its move.

    `gradient` is as backward leaves it, `clipped` what clipping made of it.
    """

    at: Point
    gradient: Point
    step: Point
    momentum: Point | None = None
    squares: Point | None = None
    clipped: Point | None = None


MOMENTA = ("momentum_buffer", "exp_avg")
SQUARES = ("exp_avg_sq", "square_avg", "sum")


def moment(race: Race, index: int, lane: int = 0) -> Moment:
    """The step from point `index` of a racer's path, with what the optimizer used for it."""
    racer = race.racers[lane]
    function = paths.scaled(race.ground.walked, racer.scale)
    run = Run(Task.surface(function, race.start), racer.recipe, seed=race.seed)
    for _ in train(run, index, record=False):
        pass
    weights: Any = run.model.w
    before = weights.detach().clone()
    gradients = {}
    for line in walk(run):
        if line in ("backward", "clip") and weights.grad is not None:
            gradients[line] = _pair(weights.grad)
    held = run.optimizer.state.get(weights, {})

    def kept(names: tuple[str, ...]) -> Point | None:
        found = next((held[name] for name in names if held.get(name) is not None), None)
        return None if found is None else _pair(found)

    return Moment(
        _pair(before),
        gradients.get("backward", (0.0, 0.0)),
        _pair(weights.detach() - before),
        kept(MOMENTA),
        kept(SQUARES),
        gradients.get("clip") if racer.recipe.clip != "none" else None,
    )


def slope(function: Surface, point: Point) -> tuple[float, Point]:
    """The height and the gradient at a point, which is all that an optimizer is told."""
    w = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    with apart():
        height = function(w)
    (gradient,) = torch.autograd.grad(height, w)
    return float(height.detach()), _pair(gradient)


def _pair(values: Any) -> Point:
    return float(values[0]), float(values[1])
