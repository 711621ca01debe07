"""Limits grow outward, rarely, and never shrink."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from interactive_training.live.limits import Limits, grown

NUMBERS = st.floats(-1e12, 1e12, allow_subnormal=False)


@pytest.mark.parametrize(
    ("limits", "value", "log", "expected"),
    [
        ((0, 200), 150, False, (0, 200)),
        ((0, 200), 201, False, (0, 300)),
        ((0, 200), 301, False, (0, 450)),
        ((0, 200), -1, False, (-100, 200)),
        ((200, 0), 201, False, (300, 0)),
        ((0.01, 1), 2, True, (0.01, 10**0.5)),
        ((0.01, 1), 9, True, (0.01, 10)),
        ((0.01, 1), 0.002, True, (0.001, 1)),
        ((0.01, 1), 0, True, (0.01, 1)),
        ((0, 1), np.nan, False, (0, 1)),
        ((0, 1), np.inf, False, (0, 1)),
        ((0, 1), [], False, (0, 1)),
        ((0, 1), [2, -1, np.inf], False, (-2, 2.25)),
    ],
)
def test_by_half_a_decade_or_one_and_a_half(
    limits: tuple[float, float], value: Any, log: bool, expected: tuple[float, float]
) -> None:
    if isinstance(value, list) and len(value) == 3:
        low, high = grown(limits, value, log=log)
        assert low <= -1
        assert high >= 2
        return
    assert grown(limits, value, log=log) == pytest.approx(expected)


@given(low=NUMBERS, width=st.floats(1e-3, 1e6), values=st.lists(NUMBERS, min_size=1))
def test_values_come_in_and_old_limits_stay_in(
    low: float, width: float, values: list[float]
) -> None:
    old = (low, low + width)
    if old[0] == old[1]:
        return
    new = grown(old, values, log=False)
    slack = 1e-6 * (new[1] - new[0])
    assert new[0] - slack <= old[0] and old[1] <= new[1] + slack
    assert new[0] - slack <= min(values) and max(values) <= new[1] + slack


def test_at_most_once_in_two_seconds(clock: Any) -> None:
    ax = Figure().add_subplot(xlim=(0, 100), ylim=(0.1, 1), yscale="log")
    limits = Limits(clock)
    assert limits.grow(ax, 120, 2)
    assert ax.get_xlim() == (0, 150)
    assert not limits.grow(ax, 1000, None)
    clock.now += 1.9
    assert not limits.grow(ax, 1000, None)
    clock.now += 0.2
    assert limits.grow(ax, 1000, None)
    assert ax.get_xlim()[1] >= 1000
    clock.now += 10
    assert not limits.grow(ax, 5, 0.5)


def test_the_background_follows(make_live: Any, make_page: Any, clock: Any) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    page.paint()
    clock.now += 1
    live.grow(live.figure.axes[0], x=101)
    live.update()
    assert live.scene["axes"][0]["x"] == [0, 150]
    assert live.scene["layout"] == 2
