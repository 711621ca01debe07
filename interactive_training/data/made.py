"""Sets made from a formula and a seed: small, exact and the same on every machine.

Each function draws from its own generator, so the random state outside stays as it was. The
formulas run in float64 and are rounded to float32 at the end, which hides last-digit differences
between processors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from interactive_training.data.split import Data, split

FEWEST_ROWS = 10


def moons(n: int = 500, noise: float = 0.2, seed: int = 0) -> Data:
    """Make two half circles that reach into each other, one class each.

    `n` is the number of rows in all (10 or more), `noise` the standard deviation added to both
    coordinates (0 or more). Inputs (rows, 2) lie within about -1 to 2; targets are 0 (upper) and
    1 (lower). A bad value raises ValueError.

    Notice: no straight line separates them, and with much more noise no curve does either.
    """
    generator = _start("moons", n, noise, seed)
    label, place = _deal(n, 2, generator)
    angle = math.pi * place
    lower = label == 1
    across = torch.where(lower, 1 - angle.cos(), angle.cos())
    up = torch.where(lower, 0.5 - angle.sin(), angle.sin())
    return _finish(across, up, label, noise, generator)


def circles(n: int = 500, noise: float = 0.1, factor: float = 0.5, seed: int = 0) -> Data:
    """Make a ring of radius 1 (class 0) around a ring of radius `factor` (class 1).

    `n` is the number of rows in all (10 or more), `noise` the standard deviation added to both
    coordinates (0 or more), `factor` lies between 0 and 1, both excluded. Inputs (rows, 2),
    targets 0 and 1. A bad value raises ValueError.

    Notice: the two classes have the same mean, so a linear model can do no better than a coin.
    """
    generator = _start("circles", n, noise, seed)
    if not 0 < factor < 1:
        raise ValueError(f"circles: factor must lie between 0 and 1, not {factor}; try factor=0.5.")
    label, place = _deal(n, 2, generator, closed=True)
    angle = 2 * math.pi * place
    radius = 1 - (1 - factor) * label.double()
    return _finish(radius * angle.cos(), radius * angle.sin(), label, noise, generator)


def spirals(n: int = 500, noise: float = 0.05, turns: float = 1.5, seed: int = 0) -> Data:
    """Make two spiral arms that wind round the same centre, one class each.

    `n` is the number of rows in all (10 or more), `noise` the standard deviation added to both
    coordinates (0 or more), `turns` how often an arm goes round (more than 0). Inputs (rows, 2)
    lie within about -2 to 2; targets are 0 and 1. A bad value raises ValueError.

    Notice: every turn adds a ring that the boundary has to follow, and training takes longer.
    """
    generator = _start("spirals", n, noise, seed)
    if not (math.isfinite(turns) and turns > 0):
        raise ValueError(f"spirals: turns must be more than 0, not {turns}; try turns=1.5.")
    label, place = _deal(n, 2, generator)
    # Without the square root the points would crowd at the centre, where a turn is short.
    outward = (0.02 + 0.98 * place).sqrt()
    angle = 2 * math.pi * turns * outward + math.pi * label.double()
    return _finish(2 * outward * angle.cos(), 2 * outward * angle.sin(), label, noise, generator)


def xor(n: int = 500, noise: float = 0.1, seed: int = 0) -> Data:
    """Make four filled squares round the origin, coloured like a chess board.

    `n` is the number of rows in all (10 or more), `noise` the standard deviation added to both
    coordinates after the class is decided (0 or more). Inputs (rows, 2) lie within about -1 to 1;
    the target is 1 where the two signs differed, else 0. A bad value raises ValueError.

    Notice: neither coordinate alone says anything about the class; only their product does.
    """
    generator = _start("xor", n, noise, seed)
    label = torch.arange(n) % 2
    size = torch.rand(n, 2, generator=generator, dtype=torch.float64)
    # Rows 0 and 1 take the right-hand squares, rows 2 and 3 the left-hand ones, and so on.
    across_sign = 1 - 2 * (torch.arange(n) // 2 % 2)
    up_sign = across_sign * (1 - 2 * label)
    return _finish(size[:, 0] * across_sign, size[:, 1] * up_sign, label, noise, generator)


def blobs(n: int = 500, classes: int = 3, noise: float = 0.6, seed: int = 0) -> Data:
    """Make round clouds whose centres stand evenly on a circle of radius 2, one class each.

    `n` is the number of rows in all (10 or more, and 5 or more for each class), `classes` a whole
    number from 2 to 20, `noise` the standard deviation of a cloud (0 or more). Inputs (rows, 2);
    targets from 0 to `classes` - 1. A bad value raises ValueError.

    Notice: straight boundaries are the best there are here, so a hidden layer buys nothing.
    """
    generator = _start("blobs", n, noise, seed)
    if not (_whole(classes) and 2 <= classes <= 20):
        raise ValueError(
            f"blobs: classes must be a whole number from 2 to 20, not {classes!r}; try classes=3."
        )
    if n < 5 * classes:
        raise ValueError(
            f"blobs: {classes} classes need 5 rows each and n is {n}; try n={5 * classes}."
        )
    label = torch.arange(n) % classes
    angle = 2 * math.pi * label.double() / classes
    return _finish(2 * angle.cos(), 2 * angle.sin(), label, noise, generator)


def regression(n: int = 500, noise: float = 0.1, seed: int = 0) -> Data:
    """Make points on the wave y = sin(3x) + x / 2 for x from -2 to 2.

    `n` is the number of rows in all (10 or more), `noise` the standard deviation added to y (0 or
    more). Inputs and targets are float32, both of shape (rows, 1). A bad value raises ValueError.

    Notice: the best mean squared error is not 0 but `noise` squared.
    """
    generator = _start("regression", n, noise, seed)
    x = 4 * torch.rand(n, 1, generator=generator, dtype=torch.float64) - 2
    y = (3 * x).sin() + x / 2
    y = y + noise * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    return split(x.float(), y.float(), generator)


def _start(name: str, n: int, noise: float, seed: int) -> torch.Generator:
    """Check what all sets have in common and return the generator for `seed`."""
    if not (_whole(n) and n >= FEWEST_ROWS):
        raise ValueError(
            f"{name}: n must be a whole number of at least {FEWEST_ROWS}, not {n!r}; try n=500."
        )
    if not (math.isfinite(noise) and noise >= 0):
        raise ValueError(f"{name}: noise must be 0 or more and finite, not {noise}; try noise=0.1.")
    if not (_whole(seed) and 0 <= seed < 2**63):
        raise ValueError(
            f"{name}: seed must be a whole number of 0 or more, not {seed!r}; try seed=0."
        )
    return torch.Generator().manual_seed(seed)


def _whole(value: object) -> bool:
    """Whether `value` is an integer; True and False do not count."""
    return isinstance(value, int) and not isinstance(value, bool)


def _deal(
    n: int, classes: int, generator: torch.Generator, *, closed: bool = False
) -> tuple[Tensor, Tensor]:
    """Deal `n` rows to the classes in turn and give each a place from 0 to 1 along its curve.

    Places are evenly spaced within a class and in random order. On a `closed` curve 0 and 1 are
    the same point, so the last place stays free.
    """
    label = torch.arange(n) % classes
    place = torch.empty(n, dtype=torch.float64)
    for each in range(classes):
        rows = (label == each).nonzero().flatten()
        steps = len(rows) if closed else len(rows) - 1
        even = torch.arange(len(rows), dtype=torch.float64) / steps
        place[rows] = even[torch.randperm(len(rows), generator=generator)]
    return label, place


def _finish(
    across: Tensor, up: Tensor, label: Tensor, noise: float, generator: torch.Generator
) -> Data:
    """Join the two coordinates, add the noise, round to float32 and split."""
    inputs = torch.stack([across, up], dim=1)
    inputs = inputs + noise * torch.randn(inputs.shape, generator=generator, dtype=torch.float64)
    return split(inputs.float(), label, generator)
