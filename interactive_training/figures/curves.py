"""Curves over training steps: the loss of a run beside its ghost, and its gradient's length."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import log10
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation, blended_transform_factory
from numpy.typing import NDArray

from interactive_training.figures import style

Floats = NDArray[np.float64]
LABEL_GAP = 14 / 12  # between the labels of two lines, as a share of a letter's height
PIN_LANES = ("third", "fourth")
LETTER = 0.55  # how wide a letter is, as a share of its size
GUESS_ROOM = 470  # pixels of the narrowest picture for its label and the guess beside it
MARK_ROWS, BESIDE = (0.94, 0.84), 0.008  # where their names stand, in shares of the axes
MARKS = 6  # changes of the recipe that are named on the picture


class Curve(NamedTuple):
    """A line to draw: steps, values, and the extremes around them where there are any."""

    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None

    @property
    def end(self) -> float:
        """The last value, or NaN."""
        return float(self.y[-1]) if len(self.y) else float("nan")

    def at(self, x: float) -> float:
        """The value at a step, between two points as the line shows it."""
        return float(np.interp(x, self.x, self.y)) if len(self.x) else float("nan")


NOTHING = Curve(np.empty(0), np.empty(0))


class Guess(NamedTuple):
    """What the learner expected from step `at` on: in words, or drawn; and whether it came so."""

    at: float
    words: str = ""
    line: Curve = NOTHING
    came: bool | None = None


class LossCurve:
    """The loss per sample: every batch thin, the average of 20 thick, the ghost dashed in grey.

    `guessing` is the loss of a guess, drawn as a named reference line, or None. Notice: the two
    lines part where the recipe was changed, which a dotted line with its label marks. Names stand
    in the gutter, and what the learner expected above the axes, where no line can pass.
    """

    def __init__(self, ax: Axes, *, guessing: float | None, animated: bool = True) -> None:
        self.ax = style.article(ax, f"loss per sample{log_note(ax)}: average of 20 batches")
        self.guessing = guessing
        style.name_x(ax, "step", (0, -13))
        if ax.get_yscale() == "linear":  # large numbers have their power with them
            ax.yaxis.set_major_formatter("{x:g}")
        if guessing is not None:
            style.role(ax.axhline(guessing, linewidth=1, zorder=1), "muted")
        (self.before,) = ax.plot([], [], animated=animated)
        (self.ghost,) = ax.plot([], [], animated=animated)
        (self.raw,) = ax.plot([], [], animated=animated)
        (self.you,) = ax.plot([], [], animated=animated)
        style.lane(self.before, "ghost").set_alpha(0.55)
        style.lane(self.ghost, "ghost")
        style.lane(self.raw, "you").set(linewidth=0.8, alpha=0.35, marker="")
        style.lane(self.you, "you")
        (self.diamonds,) = ax.plot([], [], animated=animated, linestyle="", marker="D")
        style.role(self.diamonds, "you").set_markersize(6)
        self.pins = [style.lane(ax.plot([], [], animated=animated)[0], lane) for lane in PIN_LANES]
        self.marks = Marks(ax, animated)
        roles = {"you": "you", "ghost": "muted", "before": "muted", "guess": "text"}
        roles |= {lane: lane for lane in PIN_LANES} | {"guessing": "muted"}
        self.labels = EndLabels(ax, roles, animated)
        (self.drawn,) = ax.plot([], [], animated=animated)
        style.role(self.drawn, "text").set(linewidth=1.6, linestyle=(0, (1, 2.5)))
        self.guess = ax.text(0.995, 1, "", ha="right", va="baseline")
        style.role(self.guess, "text").set(fontsize=style.LABEL_SIZE, animated=animated)

    def show(
        self,
        you: Curve,
        *,
        ghost: Curve | None = None,
        ghost_name: str = "unchanged",
        before: Curve | None = None,
        pins: Sequence[Curve] = (),
        marks: Sequence[tuple[int, str]] = (),
        guess: Guess | None = None,
    ) -> None:
        """Draw these curves; `marks` are the steps at which the recipe changed, with their words.

        `guess` is what the learner expected, which stays on the picture.
        """
        draw(self.raw, zigzag(you))
        draw(self.you, you)
        draw(self.ghost, ghost or NOTHING)
        draw(self.before, before or NOTHING)
        self.marks.show(marks)
        at = [float(step) for step, _ in marks]
        draw(self.diamonds, Curve(np.array(at), np.array([you.at(step) for step in at])))
        ends = {"you": ("you", you.end)}
        if ghost is not None:
            ends["ghost"] = (ghost_name, ghost.end)
        if before is not None:
            ends["before"] = ("before", before.end)
        for number, (line, lane) in enumerate(zip(self.pins, PIN_LANES, strict=True)):
            pin = pins[number] if number < len(pins) else NOTHING
            draw(line, pin)
            ends[lane] = (f"pin {number + 1}", pin.end)
        if self.guessing is not None:
            ends["guessing"] = (f"guessing\n{self.guessing:.2f}", self.guessing)
        drawn = guess.line if guess is not None else NOTHING
        draw(self.drawn, drawn)
        ends["guess"] = ("your guess", drawn.end)
        self.labels.show(ends)
        self._write_guess(guess or Guess(0))

    def follow(self, you: Curve, ghost: Curve | None) -> None:
        """Draw only how far the run and its ghost have come; the next `show` brings the rest."""
        self.you.set_data(you.x, you.y)
        if ghost is not None:
            self.ghost.set_data(ghost.x, ghost.y)

    def _write_guess(self, guess: Guess) -> None:
        """Write the guess at the right, beside the axes' label, or above it where both are long."""
        said = f"your guess: {guess.words}" if guess.words else ""
        if said and guess.came is not None:
            said += ", right" if guess.came else ", not so"
        if said == self.guess.get_text():
            return
        self.guess.set_text(said)
        size = float(self.guess.get_fontsize())
        long = LETTER * size * (len(self.ax.get_title(loc="left")) + 2 + len(said)) > GUESS_ROOM
        up = style.TITLE_PAD + (1.2 * size if long else 0)
        figure = self.ax.figure
        place = blended_transform_factory(figure.transFigure, self.ax.transAxes)
        self.guess.set_transform(place + ScaledTranslation(0, up / 72, figure.dpi_scale_trans))


class GradientNorm:
    """The length of the gradient on a log axis: solid before clipping, dashed after it.

    Notice: what stands on the rail at the bottom is exactly zero or not finite.
    """

    def __init__(self, ax: Axes, *, animated: bool = True) -> None:
        ax.set_yscale("log")
        self.ax = style.article(ax, "gradient norm (log)")
        (self.ghost,) = ax.plot([], [], animated=animated)
        (self.you,) = ax.plot([], [], animated=animated)
        (self.clipped,) = ax.plot([], [], animated=animated)
        style.lane(self.ghost, "ghost").set(alpha=0.7, linewidth=1.0)
        style.lane(self.you, "you").set(marker="", linewidth=1.6)
        style.lane(self.clipped, "third").set(marker="", linewidth=1.6)
        self.marks = Marks(ax, animated, words=False)
        roles = {"you": "you", "clipped": "third", "ghost": "muted"}
        self.labels = EndLabels(ax, roles, animated)
        self.rail = style.role(
            ax.text(0.01, 0.03, "", transform=ax.transAxes, fontsize=11, animated=animated), "muted"
        )

    def show(
        self,
        you: Curve,
        *,
        clipped: Curve | None = None,
        ghost: Curve | None = None,
        ghost_name: str = "unchanged",
        marks: Sequence[tuple[int, str]] = (),
    ) -> None:
        """Draw these curves; `clipped` is the length after clipping, if the recipe clips."""
        bottom = self.ax.get_ylim()[0]
        railed = ""
        for line, curve in ((self.you, you), (self.clipped, clipped), (self.ghost, ghost)):
            values = (curve or NOTHING).y
            outside = ~(np.isfinite(values) & (values > 0))
            if line is self.you and len(outside) and outside[-1]:
                railed = "0" if values[-1] == 0 else "not finite"
            draw(line, Curve((curve or NOTHING).x, np.where(outside, bottom, values)))
        self.rail.set_text(railed)
        self.marks.show(marks)
        ends = {"you": ("before clip" if clipped is not None else "you", you.end)}
        if clipped is not None:
            ends["clipped"] = ("after clip", clipped.end)
        if ghost is not None:
            ends["ghost"] = (ghost_name, ghost.end)
        self.labels.show(ends)


class ScaleStairs:
    """float16's loss scale as stairs of powers of two; a cross where a step was skipped.

    Notice: every overflow halves the scale and costs one step, and no weight moves in it; 2,000
    steps without one double it.
    """

    def __init__(self, ax: Axes, *, animated: bool = True) -> None:
        ax.set_yscale("log", base=2)
        self.ax = style.article(ax, "loss scale of float16 (log)")
        (self.you,) = ax.plot([], [], animated=animated, drawstyle="steps-post")
        style.lane(self.you, "you").set_marker("")
        (self.skips,) = ax.plot([], [], animated=animated, linestyle="", marker="x", markersize=7)
        style.role(self.skips, "failed")
        self.words = style.role(
            ax.text(0.01, 0.05, "", transform=ax.transAxes, fontsize=11, animated=animated), "text"
        )

    def show(self, scale: Curve, skipped: Sequence[int], flushed: float) -> None:
        """Draw the scale; `flushed` is the share of gradients that would be 0 without it."""
        draw(self.you, scale)
        self.skips.set_data(list(skipped), [scale.at(step) for step in skipped])
        zero = f"unscaled: {100 * flushed:.2g} % are 0"
        self.words.set_text(f"{len(skipped)} steps skipped\n{zero}")


class Marks:
    """Dotted lines where the recipe changed, with labels in two staggered rows at the top edge.

    Notice: where there is no room for all, the newest are named.
    """

    def __init__(self, ax: Axes, animated: bool, words: bool = True) -> None:
        self.ax = ax
        self.lines = LineCollection([], linewidths=1, linestyles=[(0, (1, 2))], animated=animated)
        ax.add_collection(self.lines, autolim=False)
        style.role(self.lines, "muted")
        self.texts: list[Text] = [
            style.role(
                ax.text(0, 0, "", fontsize=11, transform=ax.transAxes, animated=animated), "muted"
            )
            for _ in range(MARKS if words else 0)
        ]
        self.shown: tuple[object, ...] = ()

    def show(self, marks: Sequence[tuple[int, str]]) -> None:
        """Show the newest of these (step, words)."""
        left, low, right, high = self.ax.viewLim.extents
        width = self.ax.bbox.width * 72 / self.ax.figure.get_dpi()
        shown = (low, high, left, right, width, *marks)
        if shown == self.shown:
            return
        self.shown = shown
        self.lines.set_segments([[(step, low), (step, high)] for step, _ in marks])
        newest = list(marks)[: -MARKS - 1 : -1]
        taken: list[list[tuple[float, float]]] = [[] for _ in MARK_ROWS]
        for number, text in enumerate(self.texts):
            step, words = newest[number] if number < len(newest) else (0, "")
            at = (step - left) / (right - left)
            long = LETTER * float(text.get_fontsize()) * len(words) / width + BESIDE
            before = at + long > 1
            span = (at - long, at) if before else (at, at + long)
            free = (all(span[1] < a or b < span[0] for a, b in spans) for spans in taken)
            row = next((row for row, is_free in enumerate(free) if is_free), None)
            text.set_text("" if row is None else words)
            if row is not None:
                taken[row].append(span)
                text.set_horizontalalignment("right" if before else "left")
                text.set_position((at - BESIDE if before else at + BESIDE, MARK_ROWS[row]))


class EndLabels:
    """The names of the lines at their right ends, in the gutter, pushed apart."""

    def __init__(self, ax: Axes, roles: dict[str, str], animated: bool) -> None:
        self.ax = ax
        self.texts = {
            key: style.role(
                ax.text(
                    1.012,
                    0,
                    "",
                    transform=ax.transAxes,
                    va="center",
                    fontsize=style.LABEL_SIZE,
                    clip_on=False,
                    animated=animated,
                ),
                role,
            )
            for key, role in roles.items()
        }

    def show(self, ends: dict[str, tuple[str, float]]) -> None:
        """Put each name beside the last value of its line."""
        shown = {key: value for key, (_, value) in ends.items() if np.isfinite(value)}
        for key, text in self.texts.items():
            text.set_text(ends[key][0] if key in shown else "")
        if not shown:
            return
        heights = dict(zip(shown, shares(self.ax, list(shown.values())), strict=True))
        keys = sorted(heights, key=heights.__getitem__)
        pixel = self.ax.figure.get_dpi() / 72
        letter = float(self.texts[keys[0]].get_fontsize())
        gap = LABEL_GAP * letter * pixel / max(self.ax.bbox.height, 1)
        sizes = [gap * (1 + ends[key][0].count("\n")) for key in keys]
        for key, height in zip(keys, spread([heights[key] for key in keys], sizes), strict=True):
            if self.texts[key].get_position() != (1.012, height):  # or it would be sent anew
                self.texts[key].set_position((1.012, height))


def spread(heights: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Middles of labels from 0 to 1, sorted, moved as little as needed for their sizes.

    Labels that would touch stand side by side around the middle of where they belong, in the sense
    of least squares (isotonic regression by pooling neighbours).
    """
    # How far above the first one a label stands where all touch.
    below = [0.0, *accumulate((a + b) / 2 for a, b in pairwise(sizes))][: len(sizes)]
    pools: list[tuple[float, int]] = []  # where the first would be, and of how many labels
    for height, offset in zip(heights, below, strict=True):
        mean, count = height - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean = (mean * count + other * others) / (count + others)
            count += others
        pools.append((mean, count))
    # Not above the axis, where its numbers stand.
    least, most = sizes[0] / 2 if sizes else 0.0, 1.0 - (below[-1] if below else 0.0)
    firsts = [min(max(mean, least), most) for mean, count in pools for _ in range(count)]
    return [first + offset for first, offset in zip(firsts, below, strict=True)]


def shares(ax: Axes, values: Sequence[float]) -> list[float]:
    """How high values of the y axis stand, as shares of the axes; on a log axis at least 0."""
    low, high = ax.get_ylim()
    if ax.get_yscale() == "log":
        low, high, *values = [log10(max(value, low)) for value in (low, high, *values)]
    return [(value - low) / (high - low) for value in values]


def zigzag(curve: Curve) -> Curve:
    """A curve through the extremes of every point, so that no spike is lost."""
    same = curve.low is curve.high  # every point is one step
    if same or curve.low is None or curve.high is None or np.array_equal(curve.low, curve.high):
        return curve if curve.low is None else Curve(curve.x, curve.low)
    ends = np.column_stack((curve.low, curve.high)).ravel()
    return Curve(np.repeat(curve.x, 2), ends)


def draw(line: Line2D, curve: Curve) -> None:
    """Put a curve into a line; one that stays as it is is not drawn anew."""
    x, y = map(np.asarray, line.get_data())
    empty = len(x) == len(curve.x) == 0  # as most lines are most of the time
    same = len(x) == len(curve.x) and (curve.x == x).all()
    if not empty and not (same and np.array_equal(curve.y, y, equal_nan=True)):
        line.set_data(curve.x, curve.y)


def put(collection: LineCollection | PolyCollection, shapes: Sequence[Any]) -> None:
    """Put shapes into a collection; one that stays empty is not drawn anew."""
    if len(shapes) or collection.get_paths():
        collection.set_verts(shapes)


def log_note(ax: Axes) -> str:
    """What the label of an axis adds when it is logarithmic."""
    return " (log)" if ax.get_yscale() == "log" else ""
