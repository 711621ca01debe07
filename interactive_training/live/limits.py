"""Limits of axes that only grow, and rarely: a picture that rescales all the time is not read."""

from __future__ import annotations

import math
from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

REST = 2.0  # seconds between two growths of the same axes


class Limits:
    """Grows limits outward so that values come into the picture.

    Parameters: `clock` returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._grown: WeakKeyDictionary[Axes, float] = WeakKeyDictionary()

    def grow(
        self, ax: Axes, x: ArrayLike | None, y: ArrayLike | None, *, at_once: bool = False
    ) -> bool:
        """Make room in `ax` for the finite ones of `x` and `y`; return whether limits changed.

        Not within REST of the last time, unless `at_once`.
        """
        now = self._clock()
        if not at_once and now - self._grown.get(ax, -REST) < REST:
            return False
        changed = False
        if x is not None:
            old = ax.get_xlim()
            new = grown(old, x, log=ax.get_xscale() == "log")
            if new != old:
                ax.set_xlim(new)
                changed = True
        if y is not None:
            old = ax.get_ylim()
            new = grown(old, y, log=ax.get_yscale() == "log")
            if new != old:
                ax.set_ylim(new)
                changed = True
        if changed:
            self._grown[ax] = now
        return changed


def grown(limits: tuple[float, float], values: ArrayLike, *, log: bool) -> tuple[float, float]:
    """Return `limits` moved outward, by half decades (log) or by 1.5 (linear), around `values`.

    Parameters: `limits` may run downward, as on an inverted axis. Values that are not finite, or
    not above 0 on a log axis, have no place and are left out.
    """
    shown = np.asarray(values, dtype=float)
    shown = shown[np.isfinite(shown) & (shown > 0 if log else True)]
    low, high = sorted(limits)
    if shown.size == 0 or low == high:
        return limits
    least, most = float(shown.min()), float(shown.max())
    new_low = _outward(low, high, least, log) if least < low else low
    new_high = _outward(high, low, most, log) if most > high else high
    return (new_low, new_high) if limits[0] < limits[1] else (new_high, new_low)


def _outward(edge: float, other: float, value: float, log: bool) -> float:
    """Move `edge` away from `other` in whole growths until `value` lies between them."""
    if log:
        halves = math.ceil(abs(math.log10(value / edge)) * 2 - 1e-9)
        return float(10 ** (math.log10(edge) + (halves if value > edge else -halves) / 2))
    growths = math.ceil(math.log((value - other) / (edge - other), 1.5) - 1e-9)
    return other + (edge - other) * 1.5**growths
