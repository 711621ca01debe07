"""How steep a surface bends, and what a learning rate and a momentum make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import hypot, inf, isfinite, sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from interactive_training.engine.paths import Floats, Path
from interactive_training.engine.randomness import apart
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.surfaces import Point, Surface

MONOTONE, RIPPLES, OSCILLATION, DIVERGES = range(4)
FATES = ("monotone", "ripples", "oscillation", "diverges")
EVEN = 1e-9  # how near to 1 a factor counts as 1
TIE = 1e-9  # factors nearer to each other are equally small
SHRINKS = 1 - 1e-5  # below it a direction shrinks, whatever the rounding
Complexes = NDArray[np.complex128]


@dataclass(frozen=True)
class Curvature:
    """The Hessian at a point: `values` from flat to steep, and unit `directions` as columns."""

    point: Point
    values: tuple[float, float]
    directions: Floats

    @property
    def is_bowl(self) -> bool:
        """Whether the surface bends upward in every direction here."""
        return self.values[0] > 0

    @property
    def condition(self) -> float:
        """How many times as steep the steep direction bends as the flat one."""
        return self.values[1] / self.values[0]

    def shares(self, path: Path) -> Floats:
        """The height of each point of a path due to the flat and the steep direction, (n + 1, 2).

        On a bowl they add up to the height above its lowest point.
        """
        along = (path.points - np.array(self.point)) @ self.directions
        with np.errstate(over="ignore"):  # of a path that diverges
            shares: Floats = 0.5 * np.array(self.values) * along**2
        return shares


def curvature(function: Surface, point: Point) -> Curvature | None:
    """The curvature of a surface at a point, or None where it has none that is finite."""
    at = torch.tensor(point, dtype=torch.float64)
    try:
        with apart():
            found = torch.autograd.functional.hessian(function, at)
        matrix = found.double().numpy()
    except Exception:
        return None
    if not np.isfinite(matrix).all():
        return None
    values, directions = np.linalg.eigh((matrix + matrix.T) / 2)
    order = np.argsort(values)
    return Curvature(
        point, (float(values[order[0]]), float(values[order[1]])), directions[:, order]
    )


@dataclass(frozen=True)
class Rule:
    """What SGD does to one direction: all that its steps depend on besides the curvature."""

    lr: float
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    decay: float = 0.0
    kept: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, recipe: Recipe, scale: float = 1.0) -> "Rule":
        """The rule of a recipe whose optimizer is SGD."""
        dampening: Any = recipe.option("optimizer", "dampening")
        return cls(
            recipe.lr,
            recipe.momentum or 0.0,
            float(dampening or 0.0),
            recipe.nesterov,
            recipe.weight_decay or 0.0,
            recipe.keep_grad if "zero_grad" in recipe.stages else 1.0,
            scale,
        )


def factors(rule: Rule, curved: Floats | float, lr: Floats | float, m: Floats | float) -> Complexes:
    """The factors by which SGD multiplies the distance along a direction at every step, (..., k).

    A step of SGD is linear on a bowl: it takes the distance, the momentum buffer and the kept
    gradient to new ones, and the eigenvalues of that map are the factors. `curved` is the
    curvature, `lr` and `m` (momentum) may be grids; they broadcast.
    """
    h, rate, mass = np.broadcast_arrays(
        np.asarray(curved, float) * rule.scale, np.asarray(lr, float), np.asarray(m, float)
    )
    zero, one = np.zeros_like(h), np.ones_like(h)
    kept = np.stack([h, zero, rule.kept * one], -1)
    slope = kept + np.stack([rule.decay * one, zero, zero], -1)
    damping = np.where(mass > 0, 1 - rule.dampening, 1.0)
    buffer = np.stack([zero, mass, zero], -1) + damping[..., None] * slope
    used = slope + mass[..., None] * buffer if rule.nesterov else buffer
    moved = np.stack([one, zero, zero], -1) - rate[..., None] * used
    step = np.stack([moved, buffer, kept], -2)
    if rule.kept == 0:  # the kept gradient plays no part: two by two has a closed form
        half = (step[..., 0, 0] + step[..., 1, 1]) / 2
        product = step[..., 0, 0] * step[..., 1, 1] - step[..., 0, 1] * step[..., 1, 0]
        root = np.sqrt((half**2 - product).astype(complex))
        return np.stack([half + root, half - root], -1)
    return np.linalg.eigvals(step).astype(complex)


def slowest(found: Complexes) -> Complexes:
    """The factor with the greatest size, which is the one that is seen in the end."""
    size = np.abs(found)
    # Of two equally large ones the one that swings counts, whatever the rounding.
    at = np.argmax(size + 1e-12 * (found.real < 0), axis=-1)
    chosen: Complexes = np.take_along_axis(found, at[..., None], -1)[..., 0]
    return chosen


def fate(factor: Complexes | complex) -> NDArray[np.int64]:
    """What a factor leads to, as an index into FATES; at a size of 1 it does not diverge yet."""
    factor = np.asarray(factor)
    swings = np.abs(factor.imag) > 1e-7 * (np.abs(factor) + 1e-300)
    inside = np.where(swings, RIPPLES, np.where(factor.real < 0, OSCILLATION, MONOTONE))
    return np.where(np.abs(factor) > 1 + EVEN, DIVERGES, inside)


@dataclass(frozen=True)
class FateMap:
    """What becomes of every learning rate (columns) and momentum (rows).

    `rates` holds the size of the factor a step in the end, `fates` what comes of it, as an index
    into FATES, and `best` the pair with the smallest factor, or None where none shrinks.
    """

    lr: Floats
    momentum: Floats
    rates: Floats
    fates: NDArray[np.int64]
    best: Point | None


def fate_map(rule: Rule, values: Sequence[float], cells: tuple[int, int] = (220, 160)) -> FateMap:
    """The fate map of SGD on a bowl with these two curvatures."""
    if rule.kept:
        cells = (48, 36)
    top = 2.2 * edge(replace(rule, momentum=0.0, kept=0.0), values)
    lr = np.linspace(1e-6 * top, top, cells[0])
    momentum = np.linspace(0.0, 1.0, cells[1])
    both = slowest(
        np.concatenate(
            [factors(rule, value, lr[None, :], momentum[:, None]) for value in values], -1
        )
    )
    rates = np.abs(both)
    row, column = (int(at) for at in np.unravel_index(least(rates), rates.shape))
    best = (float(lr[column]), float(momentum[row])) if rates.min() < SHRINKS else None
    return FateMap(lr, momentum, rates, fate(both), best)


def rates(rule: Rule, values: Sequence[float]) -> list[complex]:
    """For each curvature, flat first, the factor of a step in the end."""
    return [complex(slowest(factors(rule, v, rule.lr, rule.momentum))) for v in values]


def worst(rule: Rule, values: Sequence[float]) -> float:
    """The size of the factor that decides: above 1 the path diverges."""
    return float(sizes(rule, values, rule.lr, rule.momentum))


def sizes(rule: Rule, values: Sequence[float], lr: Floats | float, m: Floats | float) -> Floats:
    """The same with other learning rates and momenta `m`, which may be grids."""
    found: Floats = np.max([np.abs(slowest(factors(rule, v, lr, m))) for v in values], 0)
    return found


def edge(rule: Rule, values: Sequence[float]) -> float:
    """The learning rate from which on SGD diverges: 2 (1 + momentum) / sharpness without extras."""
    sharp = max(values) * rule.scale
    if sharp <= 0:
        return inf
    if not (rule.kept or rule.dampening or rule.nesterov or rule.decay):
        return 2 * (1 + rule.momentum) / sharp
    low, high = 0.0, 8 / sharp
    for _ in range(60):
        middle = (low + high) / 2
        if worst(replace(rule, lr=middle), values) <= 1 + EVEN:
            low = middle
        else:
            high = middle
    return low


def best_lr(rule: Rule, values: Sequence[float]) -> float:
    """The learning rate with the fastest end, everything else as it is."""
    if not (rule.momentum or rule.kept or rule.decay):
        return 2 / (sum(values) * rule.scale)
    return _least(lambda lr: sizes(rule, values, lr, rule.momentum), edge(rule, values))


def best_momentum(rule: Rule, values: Sequence[float]) -> float:
    """The momentum with the fastest end, everything else as it is."""
    return _least(lambda m: sizes(rule, values, rule.lr, m), 1.0)


def fastest(values: Sequence[float], scale: float = 1.0) -> tuple[float, float]:
    """The learning rate and momentum that together are fastest for plain momentum (Polyak)."""
    flat, steep = sqrt(values[0] * scale), sqrt(values[1] * scale)
    return (2 / (flat + steep)) ** 2, ((steep - flat) / (steep + flat)) ** 2


def _least(size: Callable[[Floats], Floats], top: float) -> float:
    """Where a function on (0, top] is least: a scan, and a finer one around its best.

    In the middle where it is as small over a while, as momentum makes it: at the border of that the
    two factors are one, which is slower on the way.
    """
    low, high = 0.0, top
    best = top
    for _ in range(3):
        grid = np.linspace(low, high, 41)[1:]
        found = size(grid)
        best = float(grid[least(found)])
        if (found < found.min() + TIE).sum() > 1:
            break
        width = (high - low) / 40
        low, high = max(0.0, best - width), min(top, best + width)
    return best


def least(values: Floats) -> int:
    """The place of the smallest value in the flattened array, the middle one of several."""
    ties = np.flatnonzero(values < values.min() + TIE)
    return int(ties[len(ties) // 2])


def nearest(point: Point, minima: Sequence[Point]) -> Point:
    """The minimum that lies nearest to a point; the point itself if there is none."""
    finite = all(isfinite(part) for part in point)
    if not minima or not finite:
        return minima[0] if minima else point
    return min(minima, key=lambda m: hypot(m[0] - point[0], m[1] - point[1]))
