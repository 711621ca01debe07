"""A surface from above: its contours, and the paths that optimizers take over it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

from interactive_training.figures import style
from interactive_training.figures.curves import Curve, draw, put

Floats = NDArray[np.float64]
LEVELS = 12
THINNED_AFTER = 40  # steps from which on not every one has a dot
ARROW = 9  # pixels
LANES = ("you", "twin", "third")
# No colour of a run but that of the step, which is the run's own.
ARROWS = {"gradient": "text", "clipped": "muted", "momentum": "fourth", "step": "you"}
# Where on an arrow its name stands, and how far beside it: two may point the same way.
BESIDE = {
    "gradient": (1.0, (-8, 4)),
    "clipped": (0.45, (10, -8)),
    "momentum": (1.0, (10, -8)),
    "step": (1.0, (-8, 6)),
}
HIDING = (
    "The surface is hidden. Like an optimizer, you know\nthe height and the gradient where you are."
)
LETTER = 6.6  # pixels, about
APART = 0.012  # of the picture: a path nearer than that to another has no name of its own


class Track(NamedTuple):
    """A path to draw, shape (n, 2), the step at which it leaves the picture, and its name."""

    points: Floats
    leaves: int | None = None
    name: str = ""


NOWHERE = Track(np.empty((0, 2)))


class SurfaceMap:
    """Contours that stand still, paths that move, and a start to drag.

    `start` is the artist to make draggable. Notice: without memory every step is at right angles
    to the contour that it starts on.
    """

    def __init__(self, ax: Axes, *, animated: bool = True) -> None:
        self.ax = style.article(ax, "w1")
        corner = ax.text(0.992, 0.015, "w0", ha="right", transform=ax.transAxes)
        style.role(corner, "text").set_fontsize(style.LABEL_SIZE)
        ax.grid(False)
        ax.spines["bottom"].set_visible(False)
        self.contours: list[PathCollection] = []
        self.hidden = False
        empty: Floats = np.empty((0, 2))
        self.ways = LineCollection([], linewidths=0.6, alpha=0.07, zorder=1.9, animated=animated)
        ax.add_collection(self.ways, autolim=False)
        style.role(self.ways, "text")
        self.cloud = ax.scatter([], [], s=5, linewidths=0, alpha=0.7, zorder=2, animated=animated)
        style.role(self.cloud, "text")
        (self.ghost,) = ax.plot(*empty.T, animated=animated)
        style.lane(self.ghost, "ghost")
        self.halos, self.paths, self.dots, self.ends, self.tips, self.labels = (
            {},
            {},
            {},
            {},
            {},
            {},
        )
        for order, lane in enumerate(reversed(LANES)):
            z = 3 + order / 10
            (halo,) = ax.plot([], [], linewidth=4, zorder=z, animated=animated)
            (line,) = ax.plot([], [], zorder=z + 0.02, animated=animated)
            (dots,) = ax.plot([], [], linestyle="", zorder=z + 0.03, animated=animated)
            (end,) = ax.plot([], [], linestyle="", zorder=z + 0.04, animated=animated)
            tip = LineCollection([], linewidths=2, zorder=z + 0.04, animated=animated)
            ax.add_collection(tip, autolim=False)
            self.halos[lane] = style.role(halo, "ground")
            self.paths[lane] = style.lane(line, lane)
            line.set(marker="", linewidth=2)
            mark = style.LANES[lane].marker
            self.dots[lane] = style.role(dots, lane)
            dots.set(marker=mark, markersize=4.4, markeredgewidth=0)
            self.ends[lane] = style.role(end, lane)
            end.set(marker=mark, markersize=9, markeredgewidth=0)
            self.tips[lane] = style.role(tip, lane)
            self.labels[lane] = self._label(lane, animated)
        self.arrows: dict[str, LineCollection] = {}
        for name, role in ARROWS.items():
            arrow = LineCollection([], linewidths=2.2, zorder=5, animated=animated)
            ax.add_collection(arrow, autolim=False)
            self.arrows[name] = style.role(arrow, role)
        self.arrow_names = {name: self._label(role, animated) for name, role in ARROWS.items()}
        self.squares_name = self._label("fourth", animated)
        self.squares = PolyCollection([], linewidths=1.2, zorder=4.5, animated=animated)
        ax.add_collection(self.squares, autolim=False)
        self.squares.set_facecolor("none")
        style.role(self.squares, "fourth")
        self.limit = PolyCollection([], linewidths=1.2, zorder=4.5, animated=animated)
        ax.add_collection(self.limit, autolim=False)
        self.limit.set_facecolor("none")
        self.limit.set_linestyle([(0, (2, 2))])
        style.role(self.limit, "muted")
        (self.trail,) = ax.plot([], [], zorder=4, animated=animated)
        style.lane(self.trail, "fourth").set(markevery=None, markersize=5)
        (self.start,) = ax.plot([0], [0], linestyle="", zorder=6, animated=animated)
        self.start.set(marker="o", markersize=14, markeredgewidth=2, markerfacecolor="none")
        style.role(self.start, "text").set_clip_on(False)
        self.hiding = ax.text(0.5, 0.08, HIDING, ha="center", transform=ax.transAxes, visible=False)
        style.role(self.hiding, "muted").set_fontsize(style.LABEL_SIZE)
        self.hint = self._label("text", animated)
        self.before = self._label("muted", animated)

    def _label(self, role: str, animated: bool) -> Text:
        """A word on the picture, next to what it names."""
        text = self.ax.text(0, 0, "", fontsize=style.LABEL_SIZE, zorder=6, animated=animated)
        return style.role(text, role)

    def show_surface(self, x: Floats, y: Floats, height: Floats, lowest: float) -> None:
        """Draw the contours of `height` (len(y), len(x)) on 12 levels, even in its logarithm."""
        for old in self.contours:
            old.remove()
        above = height - min(lowest, float(np.nanmin(height)))
        top = float(np.nanmax(above)) or 1.0
        least = max(float(np.nanquantile(above, 0.004)), 1e-3 * top)
        levels = np.geomspace(least, top, LEVELS + 1)[:-1]
        above = np.nan_to_num(above, nan=top, posinf=top)
        filled: list[Path] = []
        for level in levels:
            found = self.ax.contourf(x, y, above, levels=[level, 2 * top])
            filled += found.get_paths()
            found.remove()
        lines = self.ax.contour(x, y, above, levels=levels, linewidths=0.7)
        outlines = lines.get_paths()
        lines.remove()
        # Layers of one colour, each a little of it: so both themes come out of one role each.
        fill = PathCollection(filled, linewidths=0, alpha=1 - 0.12 ** (1 / LEVELS), zorder=0.5)
        edge = PathCollection(outlines, linewidths=0.7, facecolors="none", alpha=0.45, zorder=0.6)
        self.contours = [style.role(fill, "fill_high"), style.role(edge, "ghost")]
        fill.set_edgecolor("none")
        for layer in self.contours:
            layer.set_transform(self.ax.transData)
            self.ax.add_collection(layer, autolim=False)
        self.ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))

    def hide_surface(self, hidden: bool) -> None:
        """Take the contours away and say why, or bring them back."""
        self.hidden = hidden
        for layer in self.contours:
            layer.set_visible(not hidden)
        self.hiding.set_visible(hidden)

    def show(
        self,
        start: tuple[float, float],
        tracks: Mapping[str, Track],
        *,
        ghost: Track = NOWHERE,
        cloud: tuple[Floats, Floats] | None = None,
        trail: Floats | None = None,
        hint: str = "",
    ) -> None:
        """Draw the paths by lane, the one before, and a path taken by hand.

        `cloud` holds the starts and ends of many runs, each (N, 2), which are joined by lines.
        """
        draw(self.start, Curve(np.array([start[0]]), np.array([start[1]])))
        before = self._within(ghost)
        draw(self.ghost, Curve(*before.T))
        drawn = {lane: self._within(tracks.get(lane, NOWHERE)) for lane in LANES}
        self._name(self.before, "before", before, [drawn["you"]])
        for lane in LANES:
            track = tracks.get(lane, NOWHERE)
            self._show_lane(lane, drawn[lane], track.leaves is not None)
            if track.leaves is None:
                others = [points for other, points in drawn.items() if other != lane]
                self._name(self.labels[lane], track.name, drawn[lane], others)
            else:
                words = f"{track.name} leaves the picture at step {track.leaves}".strip()
                self._place(self.labels[lane], drawn[lane][-1], words, (10, 14))
        self._part([self.before, *self.labels.values()])
        if cloud is not None or np.size(self.cloud.get_offsets()):
            self.cloud.set_offsets(np.empty((0, 2)) if cloud is None else cloud[1])
        put(self.ways, [] if cloud is None else list(np.stack(cloud, 1)))
        draw(self.trail, Curve(*(np.empty((0, 2)) if trail is None else trail).T))
        self._place(self.hint, start, hint, (14, -4))

    def _part(self, texts: Sequence[Text]) -> None:
        """Move names down that would lie on those before them."""
        pixel = self.ax.figure.get_dpi() / 72
        placed: list[tuple[float, float, float]] = []  # left, right, height
        for text in texts:
            words = text.get_text()
            if not words:
                continue
            size = float(text.get_fontsize()) * pixel
            long = LETTER / style.LABEL_SIZE * size * len(words) / self.ax.bbox.width
            line = 1.2 * size / self.ax.bbox.height
            x, y = text.get_position()
            left = x - long if text.get_horizontalalignment() == "right" else x
            for a, b, height in placed:
                if left < b and a < left + long and abs(y - height) < line:
                    y = height - line
            text.set_position((x, y))
            placed.append((left, left + long, y))

    def _name(self, text: Text, words: str, path: Floats, others: Sequence[Floats]) -> None:
        """Name a path where it lies farthest from the others, unless it lies on one of them."""
        at, gap = np.zeros(2), 0.0
        if words and len(path):
            low, high = np.transpose([self.ax.get_xlim(), self.ax.get_ylim()])
            around = [p[:: 1 + len(p) // 100] for p in others if len(p)] or [np.full((1, 2), 1e9)]
            there, here = (path - low) / (high - low), (np.concatenate(around) - low) / (high - low)
            there = there[:: 1 + len(there) // 100]
            gaps = np.hypot(*(there[:, None] - here[None]).T).min(0)
            gap = float(gaps.max())
            at = low + there[int(np.argmax(gaps))] * (high - low)
        self._place(text, at, words if gap > APART else "", (8, 6))

    def _show_lane(self, lane: str, points: Floats, gone: bool) -> None:
        every = max(1, -(-len(points) // THINNED_AFTER))
        for line, data in (
            (self.halos[lane], points),
            (self.paths[lane], points),
            (self.dots[lane], points[1:-1:every]),
            (self.ends[lane], points[:0] if gone else points[-1:]),
        ):
            draw(line, Curve(*data.T))
        head = self._head(points[-2], points[-1]) if gone and len(points) > 1 else []
        put(self.tips[lane], head)

    def show_arrows(
        self,
        at: tuple[float, float] | None,
        arrows: Mapping[str, Floats],
        squares: Floats | None = None,
        limit: tuple[str, float] | None = None,
        lane: str = "you",
    ) -> None:
        """Draw a lane's arrows from a point: vectors by name, see ARROWS.

        `squares` are half the sides of a box around it, the roots of Adam's squares.
        `limit` is what clipping leaves of a gradient: ("norm", radius) or ("value", half a side).
        Lengths are shares of the picture, so that a long gradient stays a picture; the direction
        is true.
        """
        for own in (self.arrows["step"], self.arrow_names["step"]):
            if style.role_of(own) != lane:
                style.role(own, lane)
        known = {name: v for name, v in arrows.items() if np.isfinite(v).all() and v.any()}
        rooms = {name: self._room(np.asarray(at), vector) for name, vector in known.items()}
        if limit is None:  # gradient and momentum are compared, so the frame cuts both alike
            compared = [name for name in rooms if name != "step"]
            rooms |= dict.fromkeys(compared, min([1.0, *(rooms[name] for name in compared)]))
        for name, collection in self.arrows.items():
            vector = known.get(name)
            if at is None or vector is None:
                put(collection, [])
                self._place(self.arrow_names[name], (0, 0), "", (0, 0))
                continue
            tip = np.asarray(at) + rooms[name] * vector
            shaft = np.array([at, tip])
            put(collection, [shaft, *self._head(*shaft)])
            along, away = BESIDE[name]
            self._place(self.arrow_names[name], shaft[0] + along * (tip - shaft[0]), name, away)
        corners = []
        if at is not None and squares is not None:
            (a, b), (x, y) = squares, at
            corners = [[(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)]]
        put(self.squares, corners)
        corner = corners[0][3] if corners else (0.0, 0.0)
        self._place(self.squares_name, corner, "root of squares" * bool(corners), (2, 6))
        outline = []
        if at is not None and limit is not None:
            sides = 4 if limit[0] == "value" else 48
            turn = (np.arange(sides) + 0.5) * 2 * np.pi / sides
            reach = limit[1] * (2**0.5 if limit[0] == "value" else 1.0)
            outline = [np.array(at) + reach * np.column_stack((np.cos(turn), np.sin(turn)))]
        put(self.limit, outline)

    def _within(self, track: Track) -> Floats:
        """The points of a track, cut where it leaves the frame for good."""
        points = track.points if track.leaves is None else track.points[: track.leaves + 1]
        if track.leaves is None or len(points) < 2:
            return points
        inner, outer = points[-2], points[-1]
        if not np.isfinite(outer).all():
            return points[:-1]
        way = outer - inner
        cut: Floats = np.concatenate((points[:-1], [inner + self._room(inner, way) * way]))
        return cut

    def _room(self, at: Floats, way: Floats) -> float:
        """The share of `way`, at most 1, that a line from `at` can go and stay on the picture."""
        low, high = np.transpose([self.ax.get_xlim(), self.ax.get_ylim()])
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(way > 0, (high - at) / way, (low - at) / way)
        share = float(np.nanmin(np.where(way != 0, room, np.inf)))
        return min(1.0, max(0.0, 0.985 * share))

    def _head(self, before: Floats, tip: Floats) -> list[Floats]:
        """Two strokes that make an arrow's head at `tip`, of the same size at any scale."""
        if not np.isfinite([before, tip]).all():
            return []
        to_pixels = self.ax.transData - IdentityTransform()
        a, b = to_pixels.transform([before, tip])
        way = (b - a) / (np.hypot(*(b - a)) or 1.0)
        pixel = self.ax.figure.get_dpi() / 72
        heads = []
        for turn in (2.6, -2.6):
            c, s = np.cos(turn), np.sin(turn)
            barb = b + ARROW * pixel * np.array((c * way[0] - s * way[1], s * way[0] + c * way[1]))
            heads.append(to_pixels.inverted().transform([b, barb]))
        return heads

    def _place(
        self, text: Text, at: Sequence[float] | Floats, words: str, away: tuple[float, float]
    ) -> None:
        """Put words beside a point: on the side that `away` says if there is room for them."""
        text.set_text(words)
        if not words:
            return
        to_axes = self.ax.transData + self.ax.transAxes.inverted()
        x, y = to_axes.transform(at)
        pixel = self.ax.figure.get_dpi() / 72
        width = self.ax.bbox.width / pixel
        letter = LETTER * float(text.get_fontsize()) / style.LABEL_SIZE
        long = (letter * len(words) + abs(away[0])) / width
        left = x - long > 0.01 if away[0] < 0 else x + long > 0.99
        if left and x - long < 0.01:  # too long for either side
            left, x = False, 0.99 - long
        text.set_horizontalalignment("right" if left else "left")
        below = y > 0.9
        dx = (-abs(away[0]) if left else abs(away[0])) / width
        dy = (-away[1] - 8 if below else away[1]) * pixel / self.ax.bbox.height
        text.set_transform(self.ax.transAxes)
        text.set_position((float(np.clip(x + dx, 0.01, 0.99)), float(np.clip(y + dy, 0.02, 0.96))))
