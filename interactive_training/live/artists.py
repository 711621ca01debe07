"""How each class of moving artist travels: its style as plain values, its data as bytes.

Every artist has a *style*, a small dict that changes rarely and travels in the scene, and a
*block*, the bytes of one frame. Points are fractions of the artist's axes (0, 0 bottom left,
1, 1 top right) as little-endian float32: they stay true when the page gives the figure another
width. Colours are four bytes, red green blue alpha. Lists begin with their length (uint32).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection, PathCollection
from matplotlib.font_manager import weight_dict
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D, _mark_every_path  # type: ignore[attr-defined]
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.text import Annotation, Text
from matplotlib.transforms import IdentityTransform, Transform
from numpy.typing import ArrayLike, NDArray

from interactive_training.live.encode import (
    colours,
    css,
    css_family,
    listed,
    marker_path,
    padded,
    svg_path,
)

Style = dict[str, Any]
Points = NDArray[np.float64]
Stretch = tuple[Points, Points] | None

EDGE = 1e-6  # fractions; rounding must not put a point on the edge outside
FAR = 50.0  # fractions; canvases lose precision far outside, and no one sees it there
_CAPS = {"butt": "butt", "projecting": "square", "round": "round"}
_STEPS = {"steps": "pre", "steps-pre": "pre", "steps-mid": "mid", "steps-post": "post"}


class Place:
    """Where an axes lies, to turn what its transforms give into fractions of it.

    It is good until limits, size or theme change: of data and axes coordinates it knows by heart
    how they are stretched.
    """

    def __init__(self, ax: Axes) -> None:
        self.ax = ax
        x, y, width, height = ax.bbox.bounds
        self.origin = np.array((x, y))
        self.size = np.array((width, height))
        self._data = self._measured(ax.transData)
        self._axes = self._measured(ax.transAxes)

    def fractions(self, points: ArrayLike, transform: Transform) -> Points:
        """Return `points`, shape (n, 2), as fractions of the axes; NaN stays NaN."""
        values = np.asarray(points, dtype=float)
        stretch = self._stretch(transform)
        if stretch is not None:
            factor, shift = stretch
            shown = np.asarray(transform.transform_non_affine(values)) * factor + shift
        else:
            holes = np.isnan(values)  # a turn would carry a NaN in y over to x
            shown = transform.transform(np.where(holes, 1.0, values))
            shown = (shown - self.origin) / self.size
            shown[holes] = np.nan
        np.minimum(shown, FAR, out=shown)
        return np.maximum(shown, -FAR, out=shown)

    def _stretch(self, transform: Transform) -> Stretch:
        """Return what the linear part multiplies x and y by and then adds; None if it turns."""
        if transform is self.ax.transData:
            return self._data
        return self._axes if transform is self.ax.transAxes else self._measured(transform)

    def _measured(self, transform: Transform) -> Stretch:
        matrix = transform.get_affine().get_matrix()
        if not matrix[0, 1] == 0 == matrix[1, 0]:
            return None
        factor = matrix.diagonal()[:2] / self.size
        return factor, (matrix[:2, 2] - self.origin) / self.size


def line_style(line: Line2D) -> Style:
    """Colours are resolved here, so that the browser needs to know nothing of matplotlib."""
    alpha = line.get_alpha()
    offset, dash = line._dash_pattern  # type: ignore[attr-defined]
    style: Style = {
        "kind": "line",
        "colour": css(line.get_color(), alpha) if line.get_linestyle() != "None" else "",
        "width": line.get_linewidth(),
        "dash": list(dash or ()),
        "dashOffset": offset,
        "cap": _CAPS[str(line.get_dash_capstyle() if dash else line.get_solid_capstyle())],
        "join": str(line.get_dash_joinstyle() if dash else line.get_solid_joinstyle()),
        "steps": _STEPS.get(line.get_drawstyle(), ""),
    }
    if _marked(line):
        style["marker"] = {
            "path": marker_path(cast(Any, line.get_marker()), line.get_fillstyle()),
            "size": line.get_markersize(),
            "face": css(line.get_markerfacecolor(), alpha),
            "edge": css(line.get_markeredgecolor(), alpha),
            "width": line.get_markeredgewidth(),
            "every": _spacing(line),
        }
    return style


def line_block(line: Line2D, place: Place) -> list[bytes]:
    """The vertices and the points that carry a marker, where the browser cannot pick them."""
    # Not get_xydata(): it fails if another thread is between setting x and y. Cut to the common
    # length, such a frame shows one odd picture, and the update that follows heals it.
    x = _plain(line.get_xdata(), line.convert_xunits)
    y = _plain(line.get_ydata(), line.convert_yunits)
    length = min(len(x), len(y))
    points = np.empty((length, 2))
    points[:, 0] = x[:length]
    points[:, 1] = y[:length]
    points = place.fractions(points, line.get_transform())
    every = line.get_markevery()
    if not _marked(line) or length == 0 or _spacing(line):
        marked = points[:0]
    elif every is None:
        marked = points
    else:
        pixels = Path(points * place.size)
        marked = _mark_every_path(every, pixels, IdentityTransform(), place.ax).vertices
        marked = marked / place.size
    return [*listed(points), *listed(marked)]


def _spacing(line: Line2D) -> float | None:
    """How far apart the markers are along the line, in diagonals of the axes; None if otherwise.

    The lab's lines have such markers, and to pick them takes numpy as long as all the rest.
    """
    every = line.get_markevery()
    return every if isinstance(every, float) and every > 0 else None


def points_style(points: PathCollection) -> Style:
    """A scatter: one outline for all, sizes and colours in each frame."""
    paths = points.get_paths()
    return {
        "kind": "points",
        "path": svg_path(paths[0]) if paths else "",
        "width": _first(points.get_linewidth(), 1.0),
    }


def points_block(points: PathCollection, place: Place) -> list[bytes]:
    """Positions, side lengths in pixels, then the colours inside and of the outline."""
    points.update_scalarmappable()
    offsets = _numbers(points.get_offsets())
    places = place.fractions(offsets.reshape(-1, 2), points.get_offset_transform())
    return [
        *listed(places),
        *listed(np.sqrt(points.get_sizes())),
        *colours(points.get_facecolor()),
        *colours(points.get_edgecolor()),
    ]


def shapes_style(shapes: Collection) -> Style:
    """A collection of lines or of polygons, such as fill_between's."""
    offset, dash = _first(shapes.get_linestyle(), (0, None))
    return {
        "kind": "shapes",
        "width": _first(shapes.get_linewidth(), 1.0),
        "dash": list(dash or ()),
        "dashOffset": offset,
    }


def shapes_block(shapes: Collection, place: Place) -> list[bytes]:
    """The vertices with a NaN after each shape, then the colours inside and of the outline."""
    shapes.update_scalarmappable()
    gap = np.full((1, 2), np.nan)
    paths = [np.asarray(part) for path in shapes.get_paths() for part in (path.vertices, gap)]
    points = place.fractions(np.concatenate(paths), shapes.get_transform()) if paths else gap[:0]
    return [
        *listed(points),
        *colours(shapes.get_facecolor()),
        *colours(shapes.get_edgecolor()),
    ]


def bars_style(_bars: Sequence[Rectangle]) -> Style:
    """Neighbouring rectangles of one axes; all that they have differs from one to the next."""
    return {"kind": "bars"}


def bars_block(bars: Sequence[Rectangle], place: Place) -> list[bytes]:
    """Two opposite corners and the outline's width of each, then the colours."""
    corners = np.array(
        [
            ((x := bar.get_x(), y := bar.get_y()), (x + bar.get_width(), y + bar.get_height()))
            for bar in bars
        ]
    )
    # Bars share their transform with the axes; each has its own only to place the unit square.
    spread = place.fractions(corners.reshape(-1, 2), bars[0].get_data_transform())
    widths = [bar.get_linewidth() for bar in bars]
    return [
        *listed(np.column_stack((spread.reshape(-1, 4), widths))),
        *colours([bar.get_facecolor() for bar in bars]),
        *colours([bar.get_edgecolor() for bar in bars]),
    ]


def image_style(image: AxesImage) -> Style:
    """A grid of cells: the palette travels here, so that a frame needs one byte a cell."""
    if not _indexed(image):
        return {"kind": "image", "palette": ""}
    shades = image.cmap(np.arange(image.cmap.N), alpha=image.get_alpha(), bytes=True)
    return {"kind": "image", "palette": np.asarray(shades, np.uint8).tobytes().hex()}


def image_block(image: AxesImage, place: Place) -> list[bytes]:
    """Rows, columns, two opposite corners, then a byte (palette) or four (colour) a cell."""
    left, right, bottom, top = image.get_extent()
    corners = place.fractions([[left, bottom], [right, top]], image.get_transform())
    data = _cells(image)
    if _indexed(image):
        count = image.cmap.N
        cells = np.clip(np.ma.getdata(image.norm(data)) * count, 0, count - 1).astype(np.uint8)
    else:
        cells = image.to_rgba(data, alpha=image.get_alpha(), bytes=True)
    if image.origin == "lower":
        cells = cells[::-1]
    size = struct.pack("<2I", *cells.shape[:2])
    return [size, corners.astype("<f4").tobytes(), padded(cells.tobytes())]


def text_style(text: Text) -> Style:
    """Its letters and its place move; how it is written does not."""
    return {
        "kind": "text",
        "colour": css(text.get_color(), text.get_alpha()),
        "size": text.get_fontsize(),
        "weight": weight_dict.get(str(text.get_fontweight()), text.get_fontweight()),
        "slant": text.get_fontstyle(),
        "family": css_family(tuple(text.get_fontfamily())),
        "across": text.get_horizontalalignment(),
        "upright": text.get_verticalalignment(),
        "angle": text.get_rotation(),
    }


def text_block(text: Text, place: Place) -> list[bytes]:
    """Its place and its letters (UTF-8)."""
    if not text.get_text():
        return [bytes(12)]  # no letters, wherever they would stand
    if isinstance(text, Annotation):
        canvas = cast(FigureCanvasAgg, place.ax.figure.canvas)
        text.update_positions(canvas.get_renderer())
    position = place.fractions([text.get_unitless_position()], text.get_transform())
    letters = b"" if _out_of_sight(text, place) else text.get_text().encode()
    return [position.astype("<f4").tobytes(), struct.pack("<I", len(letters)), padded(letters)]


def _plain(values: Any, convert: Callable[[Any], Any]) -> Points:
    """Return `values` as float64; an array of them has no units that `convert` would know."""
    if type(values) is np.ndarray and values.dtype == np.float64:
        return values
    return _numbers(convert(values))


def _numbers(values: Any) -> Points:
    """Return `values` as float64, NaN where they are masked."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(float), np.nan)
    return np.asarray(values, dtype=float)


def _out_of_sight(text: Text, place: Place) -> bool:
    """Whether `text` points to a place outside its axes; matplotlib then leaves it out."""
    if not isinstance(text, Annotation):
        return False
    clip = text.get_annotation_clip()
    if clip is False or (clip is None and text.xycoords != "data"):
        return False
    x, y = place.fractions([text.xy], place.ax.transData)[0]
    return not (-EDGE <= x <= 1 + EDGE and -EDGE <= y <= 1 + EDGE)


def _marked(line: Line2D) -> bool:
    return line.get_marker() not in ("None", "none", " ", "", None)


def _indexed(image: AxesImage) -> bool:
    """Whether one byte a cell says it all: numbers, all finite, and at most 256 colours."""
    data = _cells(image)
    if data.ndim != 2 or image.cmap.N > 256 or np.ma.is_masked(data):
        return False
    return bool(np.isfinite(data).all())


def _cells(image: AxesImage) -> NDArray[Any]:
    data = image.get_array()
    return np.zeros((0, 0)) if data is None else data


def _first(values: Any, default: Any) -> Any:
    return values[0] if len(values) else default
