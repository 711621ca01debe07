"""What the browser reads out of a frame is what the artists say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.path import Path

from interactive_training.live import pack
from interactive_training.live.artists import FAR
from interactive_training.live.encode import css, svg_path

Decode = Callable[[bytes, dict[str, Any]], dict[str, Any]]


@pytest.fixture
def ax() -> Axes:
    figure = Figure(figsize=(5, 2), dpi=72)
    FigureCanvasAgg(figure)
    return figure.add_subplot(xlim=(0, 100), ylim=(0.01, 10))


@pytest.fixture
def read(decode: Decode) -> Callable[[Axes], tuple[list[Any], list[Any]]]:
    def read_axes(ax: Axes) -> tuple[list[Any], list[Any]]:
        figure = ax.figure
        figure.draw_without_rendering()
        styles, blocks = pack.pack(figure, pack.items(figure), pack.Known())
        frame = pack.HEADER.pack(1, 1, 0) + b"".join(blocks)
        return styles, decode(frame, {"version": 1, "artists": styles})["blocks"]

    return read_axes


def test_a_line_is_sent_as_fractions_of_its_axes(ax: Axes, read: Any) -> None:
    (line,) = ax.plot([0, 50, 100], [0.01, np.nan, 10], animated=True)
    ax.plot([0, 1], [0, 1])  # does not move
    styles, blocks = read(ax)
    assert [style["kind"] for style in styles] == ["line"]
    np.testing.assert_allclose(blocks[0]["points"][[0, 2]], [[0, 0], [1, 1]], atol=1e-6)
    assert blocks[0]["points"][1, 0] == 0.5
    assert np.isnan(blocks[0]["points"][1, 1])
    assert blocks[0]["marked"].size == 0
    assert styles[0]["colour"] == css(line.get_color(), None)


def test_log_axes(ax: Axes, read: Any) -> None:
    ax.set_yscale("log")
    ax.plot([0, 100, 100, 100], [0.01, 0.1, 10, 0], animated=True)
    _, blocks = read(ax)
    points = blocks[0]["points"]
    np.testing.assert_allclose(points[:3], [[0, 0], [1, 1 / 3], [1, 1]], atol=1e-6)
    assert points[3, 1] == -FAR  # 0 has no place on a log axis: far below


@given(
    values=st.lists(
        st.tuples(st.floats(-1e300, 1e300), st.floats(allow_infinity=True, allow_nan=True)),
        max_size=20,
    )
)
def test_any_numbers_can_be_sent(values: list[tuple[float, float]]) -> None:
    figure = Figure(figsize=(5, 2), dpi=72)
    FigureCanvasAgg(figure)
    ax = figure.add_subplot(xlim=(0, 100), ylim=(0, 1))
    ax.plot([x for x, _ in values], [y for _, y in values], animated=True)
    ax.set(xlim=(0, 100), ylim=(0, 1))
    with np.errstate(all="ignore"):
        _, blocks = pack.pack(figure, pack.items(figure), pack.Known())
    points = np.frombuffer(blocks[0], "<f4", 2 * len(values), offset=4)
    assert points.size == 2 * len(values)
    assert not (np.abs(points) > FAR).any()


def test_a_line_caught_between_x_and_y_is_cut(ax: Axes, read: Any) -> None:
    (line,) = ax.plot([0, 1, 2], [0, 1, 2], animated=True)
    line.set_xdata([0, 1, 2, 3])
    _, blocks = read(ax)
    assert len(blocks[0]["points"]) == 3


@pytest.mark.parametrize(
    ("every", "index"),
    [
        (None, slice(None)),
        (2, slice(0, None, 2)),
        ((1, 3), slice(1, None, 3)),
        ([0, 4], [0, 4]),
        (slice(1, None, 2), slice(1, None, 2)),
        ((0.1, 0.3), [1, 3, 6, 8]),
    ],
)
def test_markers_stand_where_matplotlib_puts_them(
    ax: Axes, read: Any, every: Any, index: Any
) -> None:
    x = np.linspace(0, 100, 9)
    ax.plot(x, x / 10, "o-", markevery=every, animated=True)
    styles, blocks = read(ax)
    np.testing.assert_allclose(blocks[0]["marked"], blocks[0]["points"][index], atol=1e-6)
    assert styles[0]["marker"]["every"] is None


def test_evenly_spaced_markers_are_left_to_the_browser(ax: Axes, read: Any) -> None:
    ax.plot([0, 50, 100], [1, 2, 3], "o-", markevery=0.2, animated=True)
    styles, blocks = read(ax)
    assert len(blocks[0]["marked"]) == 0 and styles[0]["marker"]["every"] == 0.2


def test_a_spacing_of_nothing_is_refused(ax: Axes, read: Any) -> None:
    ax.plot([0, 50, 100], [1, 2, 3], "o-", markevery=0.0, animated=True)
    with pytest.raises(ValueError, match="must be positive"):
        read(ax)


def test_scatter(ax: Axes, read: Any) -> None:
    ax.scatter([0, 100], [0.01, 10], s=[9, 25], c=["red", "#00FF0080"], animated=True)
    styles, blocks = read(ax)
    np.testing.assert_allclose(blocks[0]["points"], [[0, 0], [1, 1]], atol=1e-6)
    np.testing.assert_allclose(blocks[0]["sizes"], [3, 5])
    np.testing.assert_array_equal(blocks[0]["faces"], [[255, 0, 0, 255], [0, 255, 0, 128]])
    assert styles[0]["path"].startswith("M0 -0.5C")


def test_a_scatter_of_numbers_takes_its_colours_from_the_map(ax: Axes, read: Any) -> None:
    points = ax.scatter([0, 1], [0, 1], c=[0, 1], cmap="gray", animated=True)
    points.set_array(np.array([1.0, 0.0]))
    _, blocks = read(ax)
    assert blocks[0]["faces"][:, 0].tolist() == [255, 0]


def test_neighbouring_bars_share_a_block(ax: Axes, read: Any) -> None:
    ax.set_ylim(0, 10)
    bars = ax.bar([0, 100], [5, 10], width=10, color=["red", "blue"], animated=True)
    ax.plot([0], [0], animated=True, zorder=0)
    bars[1].set_height(2.5)
    styles, blocks = read(ax)
    assert [style["kind"] for style in styles] == ["line", "bars"]
    corners = blocks[1]["bars"][:, :4]
    np.testing.assert_allclose(corners, [[-0.05, 0, 0.05, 0.5], [0.95, 0, 1.05, 0.25]], atol=1e-6)
    assert blocks[1]["faces"][:, 2].tolist() == [0, 255]
    bars[0].set_visible(False)
    _, blocks = read(ax)
    assert len(blocks[1]["bars"]) == 1


def test_an_image_of_numbers_is_one_byte_a_cell(ax: Axes, read: Any) -> None:
    ax.imshow([[0, 0.5], [1, 0]], cmap="gray", vmin=0, vmax=1, animated=True)
    ax.set_ylim(1.5, -0.5)
    styles, blocks = read(ax)
    assert blocks[0]["cells"].tolist() == [[0, 128], [255, 0]]
    palette = bytes.fromhex(styles[0]["palette"])
    assert palette[:4] == bytes((0, 0, 0, 255))
    assert palette[-4:] == bytes((255, 255, 255, 255))
    # The first row is at the top of the picture.
    assert blocks[0]["corners"][3] == pytest.approx(1)


def test_an_image_with_holes_or_colours_is_four_bytes_a_cell(ax: Axes, read: Any) -> None:
    ax.imshow([[0, np.nan]], cmap="gray", animated=True)
    ax.imshow([[[1.0, 0.0, 0.0]]], animated=True)
    styles, blocks = read(ax)
    assert [style["palette"] for style in styles] == ["", ""]
    assert blocks[0]["cells"][0, 1].tolist() == [0, 0, 0, 0]
    assert blocks[1]["cells"][0, 0].tolist() == [255, 0, 0, 255]


def test_texts_in_data_and_axes_coordinates(ax: Axes, read: Any) -> None:
    ax.text(50, 10, "wächst", animated=True, color="red", ha="right")
    ax.text(0.25, 0.5, "here", transform=ax.transAxes, animated=True)
    ax.annotate(
        "next", (100, 10), xytext=(10, 0), textcoords="offset points", animated=True, fontsize=9
    )
    styles, blocks = read(ax)
    assert [block["letters"] for block in blocks] == ["wächst", "here", "next"]
    np.testing.assert_allclose(blocks[0]["at"], [0.5, 1], atol=1e-6)
    np.testing.assert_allclose(blocks[1]["at"], [0.25, 0.5], atol=1e-6)
    np.testing.assert_allclose(blocks[2]["at"], [1 + 10 / ax.bbox.width, 1], atol=1e-6)
    assert styles[0]["colour"] == "rgba(255,0,0,1)"
    assert styles[0]["across"] == "right"
    assert styles[2]["size"] == 9


def test_a_name_beside_the_axes_is_not_cut_off(ax: Axes, read: Any) -> None:
    beside = {"xytext": (10, 0), "textcoords": "offset points", "animated": True}
    ax.annotate("at the edge", (100, 10), **beside)
    ax.annotate("outside", (101, 10), **beside)
    ax.annotate("cut", (50, 1), clip_on=True, **beside)
    styles, blocks = read(ax)
    assert [style["clip"] for style in styles] == [False, False, True]
    assert [block["letters"] for block in blocks] == ["at the edge", "", "cut"]


def test_shapes(ax: Axes, read: Any) -> None:
    ax.fill_between([0, 100], [0.01, 0.01], [10, 10], color="red", alpha=0.5, animated=True)
    lines = LineCollection([[(0, 0.01), (100, 10)], [(0, 10), (100, 0.01)]], animated=True)
    ax.add_collection(lines)
    ax.set(xlim=(0, 100), ylim=(0.01, 10))
    styles, blocks = read(ax)
    assert [style["kind"] for style in styles] == ["shapes", "shapes"]
    assert blocks[0]["faces"][0, 3] == 128
    assert np.isnan(blocks[1]["points"][:, 0]).tolist() == [False, False, True] * 2
    assert blocks[1]["faces"].size == 0


def test_the_order_is_by_z_and_then_as_made(ax: Axes, read: Any) -> None:
    ax.plot([0], [0], animated=True, zorder=3, linewidth=1)
    ax.plot([0], [0], animated=True, zorder=1, linewidth=2)
    ax.plot([0], [0], animated=True, zorder=3, linewidth=3)
    styles, _ = read(ax)
    assert [style["width"] for style in styles] == [2, 1, 3]


def test_what_is_invisible_has_an_empty_block(ax: Axes, read: Any) -> None:
    for artist in (
        ax.plot([0], [0], "o", animated=True)[0],
        ax.scatter([0], [0], animated=True),
        ax.fill_between([0, 1], [0, 1], animated=True),
        ax.imshow([[0]], animated=True),
        ax.text(0, 0, "no", animated=True),
    ):
        artist.set_visible(False)
    _, blocks = read(ax)
    lists = ("points", "marked", "sizes", "faces", "edges", "cells", "letters")
    assert all(len(block[name]) == 0 for block in blocks for name in lists if name in block)


def test_artists_that_cannot_move_are_refused(ax: Axes) -> None:
    ax.quiver([0], [0], [1], [1], animated=True)
    with pytest.raises(TypeError, match="A Quiver cannot move"):
        pack.check(ax.figure)
    ax.clear()
    ax.add_patch(Circle((0, 0), animated=True))
    with pytest.raises(TypeError, match="A Circle cannot move"):
        pack.check(ax.figure)


def test_arrows_are_refused(ax: Axes) -> None:
    ax.annotate("x", (0, 0), xytext=(1, 1), arrowprops={"arrowstyle": "->"}, animated=True)
    with pytest.raises(TypeError, match="draw it as a line"):
        pack.check(ax.figure)


def test_outlines_become_svg_paths() -> None:
    assert svg_path(Path.unit_rectangle()) == "M0 0L1 0L1 1L0 1Z"
