"""What stands still: drawn once by Agg, and measured so that the browser can put the rest on it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage, imsave

# One point is one CSS pixel: a line of width 2.2 is 2.2 pixels wide on the screen.
POINTS = 72


def resize(figure: Figure, width: float, height: float, density: float) -> None:
    """Give `figure` a size in CSS pixels and `density` device pixels for each."""
    figure.set_dpi(POINTS * density)
    figure.set_size_inches(width / POINTS, height / POINTS)


def draw(canvas: FigureCanvasAgg, above: Iterable[Artist] = ()) -> bytes:
    """Return the figure without its moving parts as PNG; `above` are artists to draw on top."""
    figure = canvas.figure
    images = [
        artist
        for ax in figure.axes
        for artist in ax.get_images()
        if artist.get_animated() and artist.get_visible()
    ]
    # matplotlib leaves out animated artists, but not images: "they are static for some backends".
    _show(images, False)
    try:
        canvas.draw()
    finally:
        _show(images, True)
    for artist in above:
        figure.draw_artist(artist)
    png = io.BytesIO()
    # Level 1 takes half the time and a tenth more bytes.
    imsave(png, canvas.buffer_rgba(), format="png", pil_kwargs={"compress_level": 1})
    return png.getvalue()


def geometry(figure: Figure) -> list[dict[str, Any]]:
    """Return for each axes its box (left, top, width, height as fractions) and its limits."""
    return [_geometry(ax) for ax in figure.axes]


def limits(figure: Figure) -> list[tuple[Any, ...]]:
    """Return what makes a new background necessary when it changes."""
    return [_limits(ax) for ax in figure.axes]


def _geometry(ax: Axes) -> dict[str, Any]:
    x0, y0, width, height = (float(edge) for edge in ax.get_position().bounds)
    return {
        "box": [x0, 1 - y0 - height, width, height],
        "x": [float(edge) for edge in ax.get_xlim()],
        "y": [float(edge) for edge in ax.get_ylim()],
        "scale": [ax.get_xscale(), ax.get_yscale()],
    }


def _limits(ax: Axes) -> tuple[Any, ...]:
    return (*ax.viewLim.extents, ax.get_xscale(), ax.get_yscale(), ax.get_visible())


def _show(images: Iterable[AxesImage], visible: bool) -> None:
    for image in images:
        image.set_visible(visible)
