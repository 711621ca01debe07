"""Numbers as bytes, and what matplotlib calls colours, fonts and outlines in the web's words."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from numpy.typing import ArrayLike

_GENERIC = ("serif", "sans-serif", "monospace", "cursive", "fantasy")
_PATH_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


def listed(values: ArrayLike) -> list[bytes]:
    """Return the length of `values` and `values` as float32."""
    numbers = np.asarray(values, dtype="<f4")
    return [struct.pack("<I", len(numbers)), numbers.tobytes()]


def colours(values: ArrayLike) -> list[bytes]:
    """Return the number of colours and each as four bytes."""
    shades = (to_rgba_array(cast(Any, values)) * 255 + 0.5).astype(np.uint8)
    return [struct.pack("<I", len(shades)), shades.tobytes()]


def padded(data: bytes) -> bytes:
    """Return `data` lengthened to whole words: float32 must begin at a multiple of four."""
    return data + bytes(-len(data) % 4)


def css(colour: Any, alpha: float | None) -> str:
    """Return a matplotlib colour as CSS writes it; "" for one that cannot be seen."""
    return _css(colour if isinstance(colour, str) else tuple(colour), alpha)


@lru_cache(maxsize=256)
def _css(colour: Any, alpha: float | None) -> str:
    red, green, blue, opacity = to_rgba(colour, alpha)
    if opacity == 0:
        return ""
    return f"rgba({red * 255:.0f},{green * 255:.0f},{blue * 255:.0f},{opacity:.3g})"


@lru_cache(maxsize=64)
def css_family(families: tuple[str, ...]) -> str:
    """Return font families as CSS writes them, with those that matplotlib puts for a generic."""
    names: list[str] = []
    for family in families:
        if family in _GENERIC:
            names += cast(Any, matplotlib.rcParams)[f"font.{family}"]
        names.append(family)
    quoted = [name if name in _GENERIC else '"' + name.replace('"', "") + '"' for name in names]
    return ", ".join(dict.fromkeys(quoted))


@lru_cache(maxsize=256)
def marker_path(marker: Any, fillstyle: Any) -> str:
    """Return the outline of a marker of size 1 as an SVG path."""
    shape = MarkerStyle(marker, fillstyle)
    return svg_path(shape.get_path().transformed(shape.get_transform()))


def svg_path(path: Path) -> str:
    """Return an outline as an SVG path, y upward as in matplotlib."""
    words: list[str] = []
    for points, code in path.iter_segments(curves=True, simplify=False):
        if code == Path.CLOSEPOLY:
            words.append("Z")
        else:
            words.append(_PATH_LETTERS[code] + " ".join(f"{value:.4g}" for value in points))
    return "".join(words)
