"""What a network answers: to digits it has not seen, over a plane, along a line."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.text import Text
from numpy.typing import NDArray

from interactive_training.figures import style

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Corner = tuple[float, float, float, float]  # left, top, right, bottom

COLUMNS = 8
CLASS_ROLES = ("you", "twin", "third", "fourth", "muted")
CLASS_MARKERS = ("o", "^", "s", "D", "v")
TINT = 0.16


class DigitGrid:
    """Unseen digits in rows of eight, each with the network's guess under it.

    `pixels` has shape (n, 8, 8) from 0 to 1, `labels` (n,); `number` says of how many they are.
    Notice: a wrong guess has a red frame and a cross before it.
    """

    def __init__(
        self, ax: Axes, pixels: Floats, labels: Ints, number: int, *, animated: bool = True
    ) -> None:
        self.ax, self.labels = ax, labels
        rows = -(-len(pixels) // COLUMNS)
        ax.set(xlim=(0, COLUMNS), ylim=(rows, 0), xticks=[], yticks=[], frame_on=False)
        ax.patch.set_visible(False)
        style.role(ax.set_title("", loc="left", fontsize=style.LABEL_SIZE, pad=6), "text")
        ax.set_title(f"{len(pixels)} of {number} unseen digits, with guesses", loc="left")
        self.corners: list[Corner] = []
        for i, digit in enumerate(pixels):
            x, y = i % COLUMNS + 0.14, i // COLUMNS + 0.02
            image = ax.imshow(
                digit,
                vmin=0,
                vmax=1,
                extent=(x, x + 0.72, y + 0.64, y),
                aspect="auto",
                interpolation="nearest",
            )
            style.role(image, "text")
            self.corners.append((x, y, x + 0.72, y + 0.64))
        ax.set(xlim=(0, COLUMNS), ylim=(rows, 0))
        ax.set_aspect(0.72 / 0.64, anchor="NW")  # pixels are square at every width
        self.frames = LineCollection([], linewidths=2, animated=animated)
        ax.add_collection(self.frames, autolim=False)
        style.role(self.frames, "failed")
        self.guesses = [self._under(corner, "muted", animated) for corner in self.corners]
        self.crosses = [self._under(corner, "failed", animated) for corner in self.corners]
        for cross in self.crosses:
            cross.set_fontweight("bold")
        self.wrong: list[int] = []

    def _under(self, corner: Corner, role: str, animated: bool) -> Text:
        left, _, right, bottom = corner
        middle = (left + right) / 2, bottom + 0.18
        words = self.ax.text(
            *middle, "", ha="center", va="center", fontsize=style.TICK_SIZE, animated=animated
        )
        return style.role(words, role)

    def show(self, guesses: Sequence[int]) -> None:
        """Write the guesses and frame the wrong ones."""
        wrong = np.flatnonzero(self.labels != guesses).tolist()
        for i, guess in enumerate(guesses):
            self.guesses[i].set_text("" if i in wrong else str(guess))
            self.crosses[i].set_text(f"\N{MULTIPLICATION SIGN}{guess}" if i in wrong else "")
        if wrong != self.wrong:
            self.wrong = wrong
            corners = [self.corners[i] for i in wrong]
            frames = [[(a, b), (c, b), (c, d), (a, d), (a, b)] for a, b, c, d in corners]
            self.frames.set_segments(frames)


class Regions:
    """The plane of a 2D task, tinted by the class the network would answer, under the points.

    `points` has shape (n, 2), `labels` (n,). Notice: the border moves towards the points it gets
    wrong.
    """

    SHAPE = (32, 74)

    def __init__(self, ax: Axes, points: Floats, labels: Ints, *, animated: bool = True) -> None:
        self.ax = ax
        style.article(ax, "what it would answer where")
        ax.grid(False)
        middle, half = (points.max(0) + points.min(0)) / 2, 0.58 * np.ptp(points, axis=0)
        wide = self.SHAPE[1] / self.SHAPE[0]  # as the picture is: a circle stays a circle
        up = max(float(half[1]), float(half[0]) / wide)
        reach = np.array((wide * up, up))
        (left, bottom), (right, top) = middle - reach, middle + reach
        self.extent = (float(left), float(right), float(bottom), float(top))
        classes = int(labels.max()) + 1
        colours = [(*to_rgb(getattr(style.LIGHT, name)), TINT) for name in CLASS_ROLES[:classes]]
        self.image = ax.imshow(
            np.zeros(self.SHAPE),
            cmap=ListedColormap(colours),
            vmin=-0.5,
            vmax=classes - 0.5,
            extent=self.extent,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            animated=animated,
        )
        for label in range(classes):
            of_class = points[labels == label]
            (marks,) = ax.plot(
                of_class[:, 0],
                of_class[:, 1],
                linestyle="",
                marker=CLASS_MARKERS[label],
                markersize=4,
                alpha=0.8,
            )
            style.role(marks, CLASS_ROLES[label])
        ax.set(xlim=self.extent[:2], ylim=self.extent[2:], xticks=[], yticks=[])

    def plane(self) -> Floats:
        """The points at which to ask the network, shape (32 * 74, 2)."""
        left, right, bottom, top = self.extent
        rows, columns = self.SHAPE
        x, y = np.meshgrid(np.linspace(left, right, columns), np.linspace(bottom, top, rows))
        return np.column_stack((x.ravel(), y.ravel()))

    def show(self, classes: Ints) -> None:
        """Tint the plane; `classes` holds the answers at `plane()`."""
        self.image.set_data(classes.reshape(self.SHAPE))


class Fit:
    """A regression's points and the curve that the network draws through them.

    `x` and `y` have shape (n,). Notice: the curve first finds the height, then the wave.
    """

    def __init__(self, ax: Axes, x: Floats, y: Floats, *, animated: bool = True) -> None:
        self.ax = style.article(ax, "data and the network's answer")
        (points,) = ax.plot(x, y, linestyle="", marker="o", markersize=3, alpha=0.5)
        style.role(points, "ghost")
        (self.line,) = ax.plot([], [], animated=animated)
        style.lane(self.line, "you").set_marker("")
        self.x = np.linspace(x.min(), x.max(), 120)

    def show(self, answers: Floats) -> None:
        """Draw the network's answers at `x`."""
        self.line.set_data(self.x, answers)


class Descent:
    """The way of two weights over the contours of their surface.

    `height(x, y)` is given on a grid. Notice: each step is at right angles to a contour only
    while the optimizer has no memory.
    """

    def __init__(
        self, ax: Axes, x: Floats, y: Floats, height: Floats, *, animated: bool = True
    ) -> None:
        self.ax = style.article(ax, "the way down")
        ax.grid(False)
        low = max(float(height.min()), 1e-6)
        levels = np.geomspace(low + 1e-2 * (height.max() - low), height.max(), 12)
        lines = ax.contour(x, y, height, levels=levels, linewidths=0.7)
        style.role(lines, "ghost")
        ax.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
        (self.path,) = ax.plot([], [], animated=animated)
        style.lane(self.path, "you").set(marker="o", markersize=4.4, markevery=None)

    def show(self, points: Floats) -> None:
        """Draw the points reached so far, shape (n, 2)."""
        self.path.set_data(points[:, 0], points[:, 1])
