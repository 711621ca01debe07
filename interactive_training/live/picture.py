"""A figure taken apart for the browser: background, scene and frame, with no widget in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from interactive_training.figures import style
from interactive_training.live import background, pack
from interactive_training.live.artists import Style
from interactive_training.live.handles import Handle

STATIC_WIDTH = 848  # CSS pixels, twice as many in the file: sharp where a notebook is only read


@dataclass(frozen=True)
class Page:
    """What the page gives a figure: `width` in CSS pixels, device pixels for each, its theme."""

    width: float
    density: float
    theme: str


@dataclass(frozen=True)
class Parts:
    """What one message carries; `background` and `scene` are None where they are as before."""

    background: bytes | None
    scene: dict[str, Any] | None
    blocks: bytes


class Picture:
    """Draws what stands still, packs what moves, and remembers what the browser knows.

    Parameters: `height` is in CSS pixels. `draw`, if given, sets the artists before each picture.
    """

    def __init__(self, figure: Figure, height: int, draw: Callable[[], None] | None) -> None:
        pack.check(figure)
        self.figure = figure
        self.height = height
        self.page: Page | None = None
        self.stale = True
        self.version = 0  # of the scene
        self._canvas = FigureCanvasAgg(figure)
        self._draw = draw
        self._layout = 0
        self._limits: list[tuple[Any, ...]] = []
        self._told: tuple[Any, ...] = ()  # what the browser has of all but the frame
        self._packed = pack.Known()

    def show_on(self, page: Page) -> None:
        """Take the size and the theme of `page` from now on."""
        self.stale = self.stale or page != self.page
        self.page = page

    def parts(self, handles: Sequence[Handle], clicks: bool) -> Parts:
        """Return the picture as it is now. Needs a page."""
        if self._draw is not None:
            self._draw()
        png = None
        if self.stale or background.limits(self.figure) != self._limits:
            png = self._background()
        found = pack.items(self.figure)
        styles, blocks = pack.pack(self.figure, found, self._packed)
        artists = [item.first for item in found]
        dragged = [{"id": i, **handle.described(artists)} for i, handle in enumerate(handles)]
        telling = (self._layout, styles, dragged, clicks)
        scene = None
        if telling != self._told:
            self._told = telling
            self.version += 1
            scene = self._scene(styles, dragged, clicks)
        return Parts(png, scene, b"".join(blocks))

    def static(self) -> bytes:
        """Return the whole figure as PNG: light, on white, 1696 pixels wide."""
        if self._draw is not None:
            self._draw()
        style.apply(self.figure, style.LIGHT)
        self.figure.patch.set_facecolor(style.LIGHT.ground)
        background.resize(self.figure, STATIC_WIDTH, self.height, density=2)
        moving = [artist for _, artist in pack.moving(self.figure) if artist.get_visible()]
        png = background.draw(self._canvas, above=moving)
        if self.page is not None:  # back to the page's size, colours and places of the axes
            self._dress(self.page)
            self.figure.draw_without_rendering()
            self._packed = pack.Known()
        return png

    def _background(self) -> bytes:
        assert self.page is not None
        self._dress(self.page)
        png = background.draw(self._canvas)
        self._limits = background.limits(self.figure)
        self._packed = pack.Known()
        self._layout += 1
        self.stale = False
        return png

    def _dress(self, page: Page) -> None:
        style.apply(self.figure, style.THEMES[page.theme])
        background.resize(self.figure, page.width, self.height, page.density)

    def _scene(
        self, styles: list[Style], handles: list[dict[str, Any]], clicks: bool
    ) -> dict[str, Any]:
        """What the browser needs to understand frames."""
        assert self.page is not None
        return {
            "version": self.version,
            "layout": self._layout,
            "width": self.page.width,
            "height": self.height,
            "theme": asdict(style.THEMES[self.page.theme]),
            "axes": background.geometry(self.figure),
            "artists": styles,
            "handles": handles,
            "clicks": clicks,
        }
