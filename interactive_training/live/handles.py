"""Points that the learner can move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

OnDrag = Callable[[float, float, bool], bool | None]
Bounds = tuple[tuple[float, float], tuple[float, float]] | None


@dataclass(frozen=True)
class Handle:
    """One point, who wants to know where it goes, and how far it may go.

    Raises TypeError if the artist is not a moving line or scatter, ValueError if its axes are
    neither linear nor log.
    """

    artist: Artist
    on_drag: OnDrag
    bounds: Bounds
    label: str

    def __post_init__(self) -> None:
        if not isinstance(self.artist, Line2D | PathCollection) or not self.artist.get_animated():
            raise TypeError("Only a line or scatter made with animated=True can be dragged.")
        ax = self.artist.axes
        if not isinstance(ax, Axes) or {ax.get_xscale(), ax.get_yscale()} - {"linear", "log"}:
            raise ValueError("A point can be dragged on linear and log axes only.")

    def described(self, artists: Sequence[Artist]) -> dict[str, Any]:
        """Return what the browser needs: which of `artists` it is, its label and bounds."""
        index = artists.index(self.artist) if self.artist in artists else -1
        return {"artist": index, "label": self.label, "bounds": self.bounds}

    def move(self, x: float, y: float) -> tuple[float, float]:
        """Put the artist at `x`, `y` in data coordinates, within bounds; return where it is now."""
        if self.bounds is not None:
            (left, right), (bottom, top) = self.bounds
            x, y = min(max(x, left), right), min(max(y, bottom), top)
        if isinstance(self.artist, Line2D):
            self.artist.set_data([x], [y])
        elif isinstance(self.artist, PathCollection):
            self.artist.set_offsets([[x, y]])
        return x, y
