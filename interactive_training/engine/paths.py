"""Whole paths over a surface: the real optimizer, through the package's one training loop."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from interactive_training.engine import surfaces
from interactive_training.engine.errors import RecipeError, StepError, TaskError
from interactive_training.engine.loop import train
from interactive_training.engine.randomness import apart, drawing
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.surfaces import Point, Surface
from interactive_training.engine.task import Task

Floats = NDArray[np.float64]

# Each number of a weight moves by itself, so that many starts can be walked as one tensor.
ELEMENTWISE = frozenset(
    (
        *("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "AdamW"),
        *("Adamax", "NAdam", "RAdam", "ASGD", "Rprop"),
    )
)


@dataclass(frozen=True)
class Path:
    """Where a run went: `points` (n + 1, 2) with its start, and the `heights` (n + 1,) of all.

    It is shorter than the `steps` that were asked for where a number was not finite any more, or
    where `stopped` says why in words.
    """

    points: Floats
    heights: Floats
    steps: int
    stopped: str = ""

    @property
    def taken(self) -> int:
        """The number of steps whose end is known."""
        return len(self.points) - 1

    @property
    def end(self) -> Point:
        """The last point."""
        return float(self.points[-1, 0]), float(self.points[-1, 1])

    def leaves(self, box: tuple[Point, Point]) -> int | None:
        """The first step from which on the path stays outside `box`, or None if it ends inside."""
        low, high = np.transpose(box)
        inside = ((self.points >= low) & (self.points <= high)).all(1)
        if self.taken == self.steps and inside[-1]:
            return None
        if self.stopped and inside[-1]:
            return None
        return int(np.flatnonzero(inside)[-1]) + 1 if inside.any() else 0

    def below(self, height: float) -> int | None:
        """The first step after which the path stays below `height`, or None."""
        above = np.flatnonzero(~(self.heights < height))
        first = int(above[-1]) + 1 if len(above) else 0
        return first if first < len(self.heights) and self.taken == self.steps else None


def path(
    function: Surface,
    start: Point,
    recipe: Recipe,
    steps: int,
    *,
    scale: float = 1.0,
    seed: int = 0,
    seconds: float = inf,
) -> Path:
    """The path of one run of `steps` steps from `start`; `scale` multiplies every gradient.

    A surface with noise draws it from the run's own generator, which begins at `seed`.
    After `seconds` it stops where it is, and says so. Raises TaskError when the surface cannot be
    walked from `start`, RecipeError when the recipe does not suit a surface.

    Notice: a path that diverges ends where its numbers stop being finite; that is no error.
    """
    run = Run(Task.surface(scaled(function, scale), start), recipe, seed=seed)
    weights: Any = run.model.w
    here = weights.detach()  # the same numbers, without a gradient to follow
    points, losses = [here.tolist()], []
    stopped, began = "", time.monotonic()
    try:
        for _ in train(run, steps, record=False):
            points.append(here.tolist())
            losses.append(run.loss)
            if seconds < inf and time.monotonic() - began > seconds:
                each = (time.monotonic() - began) / len(losses)
                if len(losses) < steps:
                    stopped = f"a step takes {1e3 * each:.2g} ms: stopped after {len(losses)}"
                break
    except StepError as error:
        cause = error.__cause__
        stopped = f"step {len(losses)} raised {type(cause).__name__}: {cause}"
    if not stopped:
        with run.surroundings(), torch.no_grad():
            losses.append(run.model())
    else:
        points = points[: len(losses)] or points
    found = np.array(points)
    known_losses = losses[: len(points)] or [torch.tensor(nan)]
    heights = torch.stack(known_losses).double().numpy() / scale
    good = np.isfinite(found).all(1)
    known = len(found) if good.all() else int(np.argmin(good))
    return Path(found[:known], heights[:known], steps, stopped)


def on_the_surface(function: Surface, path: Path) -> Path:
    """The same path with the heights that another function, such as one without noise, has."""
    points = torch.as_tensor(path.points).T
    with torch.no_grad(), apart():
        heights: Floats = heights_of(function, points).double().numpy()
    return replace(path, heights=heights)


class Walkers(nn.Module):
    """Many points on one surface as one weight of shape (2, N); its output is their summed height.

    The gradient of a sum holds each point's own gradient, so that an optimizer that treats every
    number by itself takes each point as it would take it alone.
    """

    def __init__(self, function: Surface, starts: torch.Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(starts.detach().double().clone())
        self.function = function
        self.noisy = False  # whether the function draws random numbers

    def forward(self) -> torch.Tensor:
        """The sum of all heights."""
        return heights_of(self.function, self.w).sum()


def cloud(
    function: Surface,
    starts: Sequence[Point] | Floats,
    recipe: Recipe,
    steps: int,
    *,
    scale: float = 1.0,
    seed: int = 0,
) -> Floats:
    """Where N runs from `starts` (N, 2) are after `steps` steps, (N, 2): one run for all of them.

    Raises RecipeError for what joins the numbers of a weight, since no start would then move as
    it does alone, and TaskError when the surface cannot be computed at many points at once.
    """
    if recipe.optimizer not in ELEMENTWISE:
        raise RecipeError(
            f"{recipe.optimizer} moves all numbers of a weight together, so the starts of a cloud "
            "would pull at each other; take one start."
        )
    if recipe.clip == "norm":
        raise RecipeError(
            "clipping by norm would join the gradients of all starts; clip by value or not at all."
        )
    points = torch.as_tensor(np.array(starts, dtype=float)).reshape(-1, 2).T.contiguous()
    model = Walkers(scaled(function, scale), points)
    try:
        _, model.noisy = drawing(lambda: heights_of(function, points[:, :2]))
    except Exception as error:
        raise TaskError(
            f"the surface cannot be computed at many points at once ({type(error).__name__}: "
            f"{error}); compute it from w[0] and w[1] without if and float()."
        ) from error
    run = Run(Task("cloud", model), recipe, seed=seed)
    for _ in train(run, steps, record=False):
        pass
    weights: Any = run.model.w
    ends: Floats = weights.detach().T.contiguous().numpy().copy()
    return ends


def scaled(function: Surface, scale: float) -> Surface:
    """The surface with every height, and so every gradient, `scale` times as large."""
    if scale == 1:
        return function

    def scaled_surface(w: torch.Tensor) -> torch.Tensor:
        return scale * function(w)

    return scaled_surface


def heights_of(function: Surface, w: torch.Tensor) -> torch.Tensor:
    """The heights (N,) at many points, `w` of shape (2, N), whatever shape the function expects."""
    if function.__module__ == surfaces.__name__:  # those of the package are made for it
        return function(w)
    found: torch.Tensor = torch.vmap(function, in_dims=1, randomness="same")(w)
    return found


def plane(function: Surface, box: tuple[Point, Point], cells: int = 140) -> tuple[Floats, ...]:
    """The surface over a box: `x` (cells,), `y` (3/4 cells,) and heights (len(y), len(x)).

    A function that only takes one point at a time is asked at fewer points, for half a second;
    where it fails, its height is NaN. Raises TaskError when it fails everywhere.
    """
    (left, right), (bottom, top) = box
    x = np.linspace(left, right, cells)
    y = np.linspace(bottom, top, max(2, 3 * cells // 4))
    grid = torch.as_tensor(np.stack(np.meshgrid(x, y))).reshape(2, -1)
    try:
        with torch.no_grad(), apart():
            return x, y, heights_of(function, grid).double().reshape(len(y), len(x)).numpy()
    except Exception:
        return _plane_by_points(function, box, cells)


def _plane_by_points(function: Surface, box: tuple[Point, Point], cells: int) -> tuple[Floats, ...]:
    centre = torch.tensor(np.mean(box, axis=1))
    began = time.monotonic()
    _height(function, centre)
    each = max(time.monotonic() - began, 1e-6)
    cells = int(min(cells, max(3.0, (0.5 / each) ** 0.5)))
    x, y = np.linspace(*box[0], cells), np.linspace(*box[1], cells)
    found = np.array([[_height(function, torch.tensor([a, b])) for a in x] for b in y])
    if not np.isfinite(found).any():
        raise TaskError("the surface has no height anywhere in its box; show another part of it.")
    return x, y, found


def _height(function: Surface, w: torch.Tensor) -> float:
    """The height at a point, or NaN where the function fails."""
    try:
        with torch.no_grad(), apart():
            return float(function(w))
    except Exception:
        return nan


def finite(point: Sequence[float]) -> bool:
    """Whether a point is two finite numbers."""
    return len(point) == 2 and all(isfinite(part) for part in point)
