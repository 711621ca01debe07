"""How fast it goes down: heights by step, and the fate of every learning rate and momentum."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from interactive_training.figures import style
from interactive_training.figures.curves import NOTHING, Curve, EndLabels, draw, put
from interactive_training.figures.surface import LANES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FLOOR, CEILING = 1e-10, 1e4
HEIGHTS = {FLOOR: "below", 1e-8: "1e-08", 1e-4: "1e-04", 1.0: "1", CEILING: "1e+04"}
SHADES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
EVEN = 1 + 1e-6  # a factor of exactly 1 may be rounded upward
EDGE = 0.14  # of the map's width: nearer to the left edge a name begins there
# Where the name of a mark may stand, and how far names have to be apart, in shares of the map.
BESIDE = ((0.0, 0.1), (-0.16, -0.1), (0.0, -0.1))
APART, ENOUGH = (0.2, 0.12), 1.1
THIN = 0.1  # of the map's height: a region narrower than that has its name beside it


class HeightChart:
    """Heights above the lowest point by step, on a log axis; those below it lie on a rail.

    Notice: on a bowl each direction is a straight line of its own, and the slower one decides.
    """

    def __init__(self, ax: Axes, *, animated: bool = True) -> None:
        ax.set_yscale("log")
        ax.set_ylim(FLOOR, CEILING)
        self.ax = style.article(ax, "")
        style.name_x(ax, "step", (18, -4))
        ax.set_yticks(list(HEIGHTS), labels=list(HEIGHTS.values()))
        ax.minorticks_off()
        self.lines = {}
        for name, lane in {
            "ghost": "ghost",
            "third": "third",
            "twin": "twin",
            "flat": "you",
            "you": "you",
            "fourth": "fourth",
        }.items():
            (line,) = ax.plot([], [], animated=animated)
            self.lines[name] = style.lane(line, lane)
        self.lines["flat"].set(linestyle=(0, (5 / 2.2, 3 / 2.2)), marker="")
        self.labels = EndLabels(
            ax,
            {
                "you": "you",
                "flat": "you",
                "twin": "twin",
                "third": "third",
                "fourth": "fourth",
                "ghost": "ghost",
            },
            animated,
        )
        self.goal = LineCollection([], linewidths=1, linestyles=[(0, (1, 2))], animated=animated)
        ax.add_collection(self.goal, autolim=False)
        style.role(self.goal, "muted")
        self.goal_name = style.role(
            ax.text(0, 0, "", fontsize=style.TICK_SIZE, ha="right", animated=animated), "muted"
        )

        self.guess = style.role(
            ax.text(
                0.99, 0.05, "", ha="right", va="bottom", transform=ax.transAxes, animated=animated
            ),
            "text",
        )

    def show(
        self, lines: Mapping[str, tuple[str, Floats]], steps: int, goal: float | None = None
    ) -> bool:
        """Draw heights by lane with the name of each; return whether the limits changed."""
        for key, line in self.lines.items():
            _, heights = lines.get(key, ("", np.empty(0)))
            shown = np.clip(np.nan_to_num(heights, nan=np.inf, posinf=1e300), FLOOR, 1e300)
            draw(line, Curve(np.arange(len(shown), dtype=float), shown))
        ends = {
            key: (name, float(np.clip(np.nan_to_num(h[-1], nan=CEILING), FLOOR, CEILING)))
            for key, (name, h) in lines.items()
            if len(h) and name
        }
        self.labels.show(ends | {key: ("", np.nan) for key in self.labels.texts if key not in ends})
        put(self.goal, [] if goal is None else [[(0, goal), (steps, goal)]])
        self.goal_name.set_text("" if goal is None else "goal")
        if goal is not None:
            self.goal_name.set_position((steps, goal * 1.6))
        changed = self.ax.get_xlim() != (0, steps)
        if changed:
            self.ax.set_xlim(0, steps)
        return changed

    def name(self, words: str) -> bool:
        """Say what is drawn, above the top left corner; return whether that is new."""
        changed = self.ax.get_title(loc="left") != words
        if changed:
            self.ax.set_title(words, loc="left", y=1.0)
        return changed


class FateChart:
    """What comes of every learning rate and momentum: darker is slower, bare is off the picture.

    `pin` is the artist to drag. Notice: momentum widens the range of learning rates that converge.
    """

    def __init__(self, ax: Axes, *, animated: bool = True) -> None:
        self.ax = style.article(ax, "momentum")
        style.name_x(ax, "lr")
        ax.grid(False)
        ax.set(xlim=(0, 1), ylim=(0, 1), yticks=(0, 0.5, 1))
        self.layers: list[PathCollection] = []
        self.names: list[Text] = []
        (self.best,) = ax.plot([], [], linestyle="", marker="+", markersize=9, zorder=4)
        self.best.set_markeredgewidth(1.6)
        style.role(self.best, "text")
        self.best_name = style.role(
            ax.text(0, 0, "", fontsize=style.TICK_SIZE, ha="center", va="center"), "text"
        )
        self.marks = {}
        for lane in LANES:
            (mark,) = ax.plot([], [], linestyle="", zorder=5, animated=animated)
            mark.set(marker=style.LANES[lane].marker, markersize=7, markeredgewidth=0)
            self.marks[lane] = style.role(mark, lane)
            mark.set_clip_on(False)
        (self.pin,) = ax.plot([0], [0], linestyle="", zorder=6, animated=animated)
        self.pin.set(marker="o", markersize=11, markeredgewidth=2.2, markerfacecolor="none")
        style.role(self.pin, "you").set_clip_on(False)
        self.note = style.role(
            ax.text(
                0.5, 0.5, "", ha="center", va="center", transform=ax.transAxes, animated=animated
            ),
            "muted",
        )

    def show_map(
        self,
        lr: Floats,
        momentum: Floats,
        rates: Floats,
        fates: Ints,
        names: tuple[str, ...],
        best: tuple[float, float] | None,
    ) -> None:
        """Draw the regions of `fates` (rows: momentum), shaded by the factor a step, `rates`.

        The axis of the learning rate is logarithmic where `lr` is spaced so.
        """
        log = not np.isclose(lr[1] - lr[0], lr[-1] - lr[-2])
        self.ax.set_xscale("log" if log else "linear")
        if log:
            decades = 10.0 ** np.arange(np.ceil(np.log10(lr[0])), np.log10(lr[-1]) + 0.5)
            self.ax.set_xticks(decades, labels=[f"{decade:g}" for decade in decades])
            self.ax.minorticks_off()
        else:  # long numbers would touch
            self.ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
            self.ax.xaxis.set_major_formatter("{x:g}")  # small numbers have their power with them
        for old in (*self.layers, *self.names):
            old.remove()
        paths: list[Path] = []
        for shade in SHADES[:-1]:
            found = self.ax.contourf(lr, momentum, rates, levels=[shade, EVEN])
            paths += found.get_paths()
            found.remove()
        whole = self.ax.contourf(lr, momentum, rates, levels=[-1, EVEN])
        paths += whole.get_paths()
        whole.remove()
        outlines: list[Path] = []
        for kind in range(len(names)):
            if (fates == kind).any() and (fates != kind).any():
                lines = self.ax.contour(lr, momentum, (fates == kind).astype(float), levels=[0.5])
                outlines += lines.get_paths()
                lines.remove()
        shades = PathCollection(paths, linewidths=0, alpha=0.28, zorder=0.5)
        edges = PathCollection(outlines, linewidths=0.9, facecolors="none", zorder=0.6)
        self.layers = [style.role(shades, "fill_high"), style.role(edges, "ghost")]
        shades.set_edgecolor("none")
        for layer in self.layers:
            layer.set_transform(self.ax.transData)
            self.ax.add_collection(layer, autolim=False)
        self.ax.set(xlim=(lr[0] if log else 0, lr[-1]), ylim=(0, 1))
        self.names = [self._name(lr, momentum, fates == kind, n) for kind, n in enumerate(names)]
        self.best.set_data(*([], []) if best is None else ([best[0]], [best[1]]))
        self.best_name.set_text("" if best is None else "fastest")
        if best is not None:
            self._place_best(best)
        self.hide(False)

    def say(self, what: str) -> None:
        """Name the axis of the momentum, and beside it what is mapped if that needs words."""
        self.ax.set_title(f"momentum; {what}" if what else "momentum", loc="left", y=1.0)

    def _place_best(self, best: tuple[float, float]) -> None:
        """Put the mark's name above, left below or below it, away from the names of the regions."""
        to_axes = self.ax.transData + self.ax.transAxes.inverted()
        mark = to_axes.transform(best)
        names = [to_axes.transform(name.get_position()) for name in self.names if name.get_text()]

        def room(there: Floats) -> float:
            gap = min(float(np.max(np.abs(there - name) / APART)) for name in names)
            return min(gap, ENOUGH) if 0.05 < there[1] < 0.95 else 0.0

        there = max((mark + np.array(away) for away in BESIDE), key=room)
        x, y = to_axes.inverted().transform(there)
        self.best_name.set_position((x, y))

    def _name(self, lr: Floats, momentum: Floats, inside: NDArray[np.bool_], name: str) -> Text:
        """The name of a region: in its middle, or beside it where it is thin."""
        depth, row, column = middle(inside)
        across = "center"
        if depth < THIN * len(momentum):
            row = int(0.45 * len(momentum))
            columns = np.flatnonzero(inside[row])
            at = columns[-1] if len(columns) else 0
            column = at + len(lr) // 50 + 1
            across, name = "left", f"\u2190 {name}" if len(lr) / 4 < at < 3 * len(lr) / 4 else ""
        elif column < EDGE * len(lr):
            column, across = len(lr) // 60, "left"
        column = min(column, len(lr) - 1)
        text = self.ax.text(
            lr[column], momentum[row], name, va="center", fontsize=style.TICK_SIZE, clip_on=True
        )
        text.set_horizontalalignment(across)  # type: ignore[arg-type]
        return style.role(text, "text")

    @property
    def mapped(self) -> bool:
        """Whether there is a map, and with it a pin."""
        return len(self.pin.get_xdata()) > 0  # type: ignore[arg-type]

    def hide(self, hidden: bool) -> None:
        """Take the regions away, or bring them back."""
        for artist in (*self.layers, *self.names, self.best, self.best_name):
            artist.set_visible(not hidden)

    def steer(self, lane: str) -> bool:
        """Make the pin that of another racer; return whether it is."""
        changed = style.role_of(self.pin) != lane
        if changed:
            style.role(self.pin, lane)
        return changed

    def show(self, racers: Mapping[str, tuple[float, float]], note: str = "") -> None:
        """Put pin and marks where the racers are, at the edge if they lie beyond, by lane.

        `note` says why there is no map.
        """
        left, right = self.ax.get_xlim()
        for lane, mark in self.marks.items():
            at, here = racers.get(lane), NOTHING
            if at is not None:
                here = Curve(np.array([min(max(at[0], left), right)]), np.array([at[1]]))
            steered = lane == style.role_of(self.pin)
            draw(mark, NOTHING if steered else here)
            if steered:
                draw(self.pin, here)
        self.note.set_text(note)


def middle(inside: NDArray[np.bool_]) -> tuple[int, int, int]:
    """How many cells a region is deep, and the row and column where it is deepest."""
    depth = np.pad(inside, 1, constant_values=False).astype(int)
    layer = depth.copy()
    while layer.any():
        layer = (
            layer
            * np.roll(layer, 1, 0)
            * np.roll(layer, -1, 0)
            * np.roll(layer, 1, 1)
            * np.roll(layer, -1, 1)
        )
        depth += layer
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(depth.max()), int(row) - 1, int(column) - 1
