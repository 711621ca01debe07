"""LiveFigure: a matplotlib figure in the notebook whose moving artists the browser paints."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from interactive_training.live import pack
from interactive_training.live.flow import NOBODY_AFTER
from interactive_training.live.group import Group
from interactive_training.live.handles import Bounds, Handle, OnDrag
from interactive_training.live.limits import Limits
from interactive_training.live.picture import STATIC_WIDTH, Page, Picture
from interactive_training.live.views import Views

_HERE = Path(__file__).parent


class LiveFigure(anywidget.AnyWidget):
    """Show a matplotlib figure and repaint its animated artists up to 30 times a second.

    Artists made with ``animated=True`` move: lines, scatters, rectangles, images, texts,
    collections of lines or polygons. All else is drawn by matplotlib once, and again only when
    its limits, its size or the theme change. Moving artists lie above the rest, by their z-order.
    One point is one CSS pixel. Colours given with `figures.style.role` follow JupyterLab's theme,
    and so do matplotlib's own black texts and axes.

    Parameters: `figure` is made with ``matplotlib.figure.Figure``, not pyplot. `height` is in
    pixels; the width is the page's. `label` tells a screen reader what the picture is. `draw`, if
    given, sets the artists and is called just before a frame is made, on any thread. Figures of one
    `group` are sent together and share their `lock`. `clock` returns seconds. Raises TypeError for
    an animated artist that cannot be painted.

        figure = Figure()
        ax = figure.add_subplot(xlim=(0, 200), ylim=(0, 2.5), xlabel="step", ylabel="loss")
        (line,) = ax.plot([], [], animated=True)
        live = LiveFigure(figure, label="loss of every step")
        display(live)
        losses = []
        for step in train(run, 200):
            losses.append(step.loss)
            line.set_data(range(len(losses)), losses)
            live.update()

    Notice: `update` costs next to nothing while the browser is busy, and the last state always
    reaches the screen. Where another thread changes the artists, it does so under `live.lock`.
    """

    # As text: given paths, anywidget watches the files and keeps every figure alive for ever.
    _esm = (_HERE / "figure.js").read_text(encoding="utf-8")
    _css = (_HERE / "figure.css").read_text(encoding="utf-8")

    # Written here, read by the browser. What the browser has to say comes as messages, and frames
    # go through the group.
    background = traitlets.Bytes().tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    group = traitlets.Unicode().tag(sync=True)  # its name in the browser, and the place in it
    place = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        figure: Figure,
        *,
        height: int = 200,
        label: str = "loss per sample",
        draw: Callable[[], None] | None = None,
        group: Group | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._picture = Picture(figure, height, draw)
        self.figure = figure
        self._own_group = group is None
        self._group = group = group or Group(clock)
        self.lock = group.lock
        self.error: Exception | None = None
        self.frame = b""  # the last one sent
        self.sent = 0  # the number of the message it went with
        self.due = False  # whether it may look different from that
        self._content: tuple[int, int, bytes] | None = None  # what the page has or will have
        self.views = Views(group.clock)
        self._limits = Limits(group.clock)
        self._handles: list[Handle] = []
        self._answered = 0
        self._on_click: list[Callable[[int, float, float], None]] = []
        self._on_view: list[Callable[[bool], None]] = []
        self._told_visible = False
        self._failed = ""  # the kind of message that went wrong last
        self._answers = {
            "view": self._viewed,
            "gone": self._gone,
            "drag": self._dragged,
            "click": self._clicked,
        }
        super().__init__(height=height, label=label, group=group.model_id, place=group.join(self))
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"LiveFigure({self.label!r}, height={self.height})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live view, and beside it a picture and its words for where no kernel runs."""
        data, metadata = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        data["image/png"] = b64encode(self.png()).decode()
        data["text/plain"] = f"{self.label}: {self.text}" if self.text else self.label
        size = {"width": STATIC_WIDTH, "height": self.height, "alt": data["text/plain"]}
        return data, {**metadata, "image/png": size}

    @property
    def watching(self) -> bool:
        """False if no page has shown this figure for a minute, or none has answered a frame.

        Notice: a page that is loaded again is away for some seconds.
        """
        with self.lock:
            return max(self.views.away, self._group.flow.waited()) < NOBODY_AFTER

    @property
    def visible(self) -> bool:
        """True while the figure is on a screen, scrolled into sight and in the tab in front."""
        with self.lock:
            return self.watching and self.views.visible

    def update(self) -> None:
        """Show the artists as they are now, as soon as the browser can take a frame."""
        self._group.update([self])

    def flush(self) -> None:
        """Send the newest state at once, whatever is on the way; nothing if no page watches."""
        with self.lock:
            self.again()
            self._group.send_frames()

    def redraw(self) -> None:
        """Draw the background again, after a change to what does not move."""
        with self.lock:
            self._picture.stale = True
        self.flush()

    def say(self, text: str) -> None:
        """Tell in one sentence what the picture shows; a screen reader reads it every 2 s at most.

        Parameters: `text` has a number and what it is compared with, in at most 90 characters.
        """
        with self.lock:
            self.text = text

    def grow(
        self,
        ax: Axes,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        at_once: bool = False,
    ) -> bool:
        """Move the limits of `ax` outward if `x` or `y` lie outside; return whether they moved.

        Parameters: `x` and `y` are data that should be seen: numbers or arrays. Limits grow by
        half a decade (log) or by 1.5 (linear) and never shrink; at most once in 2 s, unless
        `at_once`, for a last state.
        """
        with self.lock:
            return self._limits.grow(ax, x, y, at_once=at_once)

    def draggable(
        self, artist: Artist, on_drag: OnDrag, bounds: Bounds = None, label: str = "point"
    ) -> None:
        """Let the learner move `artist` with mouse, touch or arrow keys (Shift: ten times as far).

        Parameters: `artist` is an animated Line2D or scatter of one point on linear or log axes.
        ``on_drag(x, y, done)`` gets data coordinates after the artist was moved there; `done` is
        True when it was let go. It returns True if it will call `update` itself, once what follows
        from the drag is ready. `bounds` is ((lowest x, highest x), (lowest y, highest y)), None
        for the axes. `label` names the point for a screen reader. Raises TypeError or ValueError
        for what cannot be dragged.
        """
        handle = Handle(artist, on_drag, bounds, label)
        with self.lock:
            self._handles.append(handle)
        self.update()

    def on_click(self, callback: Callable[[int, float, float], None]) -> None:
        """Call ``callback(axes index, x, y)``, data coordinates, when an axes is clicked.

        From the keyboard: Tab puts a cross on the figure, arrow keys move it by a hundredth of
        the axes (Shift: a tenth), Enter or Space clicks there.
        """
        with self.lock:
            self._on_click.append(callback)
        self.update()

    def on_view(self, callback: Callable[[bool], None]) -> None:
        """Call ``callback(visible)`` when the figure comes on the screen or leaves it."""
        with self.lock:
            self._on_view.append(callback)

    def png(self) -> bytes:
        """Return the whole figure as PNG: light, on white, 1696 pixels wide."""
        with self.lock:
            return self._picture.static()

    def close(self) -> None:
        """Take the figure off every page and let go of callbacks."""
        if self.comm is None:
            return
        with self.lock:
            layout = self.layout
            self.due, self.views = False, Views(time.monotonic)
            self._on_click.clear()
            self._on_view.clear()
            self._handles.clear()
            super().close()
            layout.close()
            if self._own_group:
                self._group.close()

    # What the group asks; it holds the lock.

    @property
    def sized(self) -> bool:
        """Whether a view has said its size; the group's answer may speak of one that has not."""
        return self._picture.page is not None

    def again(self) -> None:
        """Let the next message hold this figure, whether or not it looks different."""
        self.due, self._content = True, None

    def take(self, number: int) -> bytes:
        """Return the frame for message `number`, empty if it would be the same as the last one.

        The scene and the background, if they changed, are sent before it.
        """
        self.due = False
        parts = self._picture.parts(self._handles, bool(self._on_click))
        if parts.scene is not None:
            with self.hold_sync():  # one message: a background never meets another one's scene
                if parts.background is not None:
                    self.background = parts.background
                self.scene = parts.scene
        content = (self._picture.version, self._answered, parts.blocks)
        if content == self._content:
            return b""
        self._content, self.sent = content, number
        self.frame = pack.HEADER.pack(number, *content[:2]) + parts.blocks
        return self.frame

    # Messages from the browser: they come on any thread.

    def _receive(self, _: Any, message: dict[str, Any], __: Any) -> None:
        """Hand a message to what it is for."""
        kind = message["kind"]
        with self.showing_errors(kind):
            self._answers[kind](message)
            self.tell_visible()

    @contextmanager
    def showing_errors(self, kind: str) -> Iterator[None]:
        """Show what goes wrong with this kind of message, since no cell would, until it works."""
        try:
            yield
        except Exception as error:
            with self.lock:
                self.error = error
                self._failed = kind
                self.problem = f"{type(error).__name__}: {error}"
        else:
            if kind == self._failed:
                with self.lock:
                    self._failed = self.problem = ""

    def tell_visible(self) -> None:
        """Call back if the figure has come on the screen or left it."""
        with self.lock:
            changed = self.visible != self._told_visible
            self._told_visible = visible = self.visible
        if changed:
            for callback in list(self._on_view):
                callback(visible)

    def _viewed(self, message: dict[str, Any]) -> None:
        """A view came, came back, or has another size or theme: show it everything."""
        page = Page(message["width"], message["density"], message["theme"])
        with self.lock:
            self.views.heard(message["view"], message["visible"])
            self._picture.show_on(page)
            self._group.flow.start_over()
            known = self.scene
            self.flush()
            if self.scene is known and message["scene"] != self._picture.version:
                self.send_state(("background", "scene"))  # they were lost on their way

    def _gone(self, message: dict[str, Any]) -> None:
        with self.lock:
            self.views.gone(message["view"])

    def _dragged(self, message: dict[str, Any]) -> None:
        """Move the artist and tell its owner; the next frame answers the browser."""
        with self.lock:
            handle = self._handles[message["handle"]]
            x, y = handle.move(message["x"], message["y"])
            self._answered = message["id"]
        later = False
        try:
            later = bool(handle.on_drag(x, y, message["done"]))  # without the lock: it may wait
        finally:
            if not later:
                self.update()

    def _clicked(self, message: dict[str, Any]) -> None:
        for callback in list(self._on_click):
            callback(message["axes"], message["x"], message["y"])
