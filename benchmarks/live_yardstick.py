"""The lab with ipympl in place of LiveFigure: what the live benchmarks measure against.

Everything else is the lab's own: its drawing functions, its animated artists, its worker, its
controls. A figure asks for a frame with `draw_idle`, as ipympl's users do; the artists that move
are drawn when matplotlib has drawn the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from ipympl.backend_nbagg import Canvas, FigureManager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interactive_training.figures import style
from interactive_training.labs import BowlLab, TrainingLab, bowlview, panels
from interactive_training.live import background, pack
from interactive_training.live.limits import Limits


class IpymplFigure(Canvas):
    """An ipympl figure that the lab uses as it does a LiveFigure; `widths` are by height."""

    widths: dict[int, float] = {}  # noqa: RUF012

    def __init__(self, figure: Figure, *, height: int, label: str, group: object = None) -> None:
        super().__init__(figure)
        self.header_visible = self.footer_visible = self.toolbar_visible = self.resizable = False
        style.apply(figure, style.LIGHT)
        figure.patch.set_facecolor("white")  # opaque: ipympl may send what differs, not all
        background.resize(figure, self.widths[height], height, density=1)
        FigureManager(self, 0)
        self.lock = threading.RLock()
        self.watching = True
        self._growing = Limits(time.monotonic)
        self._still: Any = None
        self.mpl_connect("draw_event", self._drawn)

    def _drawn(self, _event: object) -> None:
        self._still = self.copy_from_bbox(self.figure.bbox)
        self._draw_moving()

    def _draw_moving(self) -> None:
        for _, artist in pack.moving(self.figure):
            if artist.get_visible():
                self.figure.draw_artist(artist)

    def draw(self) -> None:
        """Draw everything; not while another thread moves the artists."""
        with self.lock:
            super().draw()

    def update(self) -> None:
        """Show the artists as they are now, when the page asks for it."""
        self.draw_idle()

    def update_by_blitting(self) -> None:
        """Show the artists as they are now over the picture of what stands still."""
        with self.lock:
            self.restore_region(self._still)
            self._draw_moving()
            self.blit()

    def grow(self, ax: Axes, x: Any = None, y: Any = None, **options: bool) -> bool:
        """Move the limits outward, by LiveFigure's rules."""
        return self._growing.grow(ax, x, y, **options)

    def say(self, text: str) -> None:
        """Leave the text line out."""

    def on_view(self, callback: Callable[[bool], None]) -> None:
        """Tell nothing of what is on the screen: the run is started by hand."""

    def redraw(self) -> None:
        """Draw everything again: ipympl draws nothing else."""
        self.draw_idle()

    def draggable(self, artist: object, on_drag: object, **_: object) -> None:
        """Leave dragging out: ipympl has none."""

    def on_click(self, callback: Callable[[int, float, float], None]) -> None:
        """Leave clicks out."""


class IpymplGroup:
    """What ipympl has instead of a Group: each figure for itself."""

    def update(self, figures: Iterable[IpymplFigure], *, urgent: bool = False) -> None:
        """Show these figures as they are now."""
        for canvas in figures:
            canvas.update()

    def close(self) -> None:
        """Nothing is open."""


def lab_with(
    figure: Callable[..., Any] = IpymplFigure,
    group: Callable[[], Any] = IpymplGroup,
    **options: Any,
) -> TrainingLab:
    """A TrainingLab whose figures are made by `figure`, called as LiveFigure is."""
    usual = panels.LiveFigure, panels.Group
    panels.LiveFigure, panels.Group = figure, group
    try:
        return TrainingLab("digits", **options)
    finally:
        panels.LiveFigure, panels.Group = usual


def bowl_with(
    figure: Callable[..., Any] = IpymplFigure,
    group: Callable[[], Any] = IpymplGroup,
    **options: Any,
) -> BowlLab:
    """A BowlLab whose figures are made by `figure`, called as LiveFigure is."""
    usual = bowlview.LiveFigure, bowlview.Group
    bowlview.LiveFigure, bowlview.Group = figure, group
    try:
        return BowlLab(**options)
    finally:
        bowlview.LiveFigure, bowlview.Group = usual
