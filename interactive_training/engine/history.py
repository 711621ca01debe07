"""What happened, in columns: cheap to append to, and reduced to a bounded number for drawing."""

from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from interactive_training.engine.measure import Step
from interactive_training.engine.recipe import Recipe

Floats = NDArray[np.float64]

COLUMNS = ("loss", "per_sample", "average", "lr", "grad_norm", "clipped_norm", "amp_scale")
AVERAGED = 20  # micro-batches in the "average" column
POINTS = 192  # at most, of a column that is drawn: every two or three pixels


@dataclass(frozen=True)
class Reduced:
    """A column for drawing: the steps `x`, and the least, mean and greatest value at each.

    Notice: no spike is lost, because the extremes of every bucket are kept.
    """

    x: Floats
    low: Floats
    mean: Floats
    high: Floats


class Envelope:
    """The extremes and the mean of columns that grow together, in a bounded number of buckets.

    All buckets but the last hold `width` values; when there are too many, neighbours are merged
    and the width doubles. NaN leaves a gap only where a bucket holds nothing else.
    """

    def __init__(self, columns: int = 1) -> None:
        self.width = 1
        self.taken = 0  # values of each column
        self.least = np.empty((2, columns, 0))  # of the values, and of their negatives
        self.sums = np.empty((2, columns, 0))  # of the known values, and their number

    def extend(self, values: Floats) -> None:
        """Take in more values, one row for each column."""
        count = values.shape[1]
        if not count:
            return
        begun = self.taken % self.width  # values in the last bucket, where it is not full
        self.taken += count
        starts = np.arange(-begun, count, self.width)
        starts[0] = 0
        known = ~np.isnan(values)
        least = np.fmin.reduceat(np.stack((values, -values)), starts, axis=2)
        sums = np.add.reduceat(np.stack((np.where(known, values, 0.0), known)), starts, axis=2)
        if begun:
            least[..., 0] = np.fmin(least[..., 0], self.least[..., -1])
            sums[..., 0] += self.sums[..., -1]
        kept = slice(None, -1) if begun else slice(None)
        self.least = np.concatenate((self.least[..., kept], least), axis=2)
        self.sums = np.concatenate((self.sums[..., kept], sums), axis=2)
        while self.least.shape[2] > POINTS:
            pairs = np.arange(0, self.least.shape[2], 2)
            self.least = np.fmin.reduceat(self.least, pairs, axis=2)
            self.sums = np.add.reduceat(self.sums, pairs, axis=2)
            self.width *= 2

    def reduced(self, first: int) -> list[Reduced]:
        """The buckets of every column; `first` is the step of the first value."""
        low, negative = self.least
        total, count = self.sums
        begins = self.width * np.arange(low.shape[1], dtype=float)
        ends = np.minimum(begins + self.width, self.taken)
        x = first + (begins + ends - 1) / 2
        mean = np.divide(total, count, np.full(low.shape, nan), where=count > 0)
        return [Reduced(x, *rows) for rows in zip(low, mean, -negative, strict=True)]


class History:
    """The records of a run by column, from the first appended step on.

    Columns are `loss`, `per_sample`, `average` (of the last 20 `per_sample`), `lr`, `grad_norm`,
    `clipped_norm` (after clipping) and `amp_scale`. `recipes` lists (step, recipe) where the
    recipe changed, `metrics` (step, metrics) where a validation was made, `skipped` the steps
    that float16 left out, `updated` the newest step that moved the weights, or -1.

    Notice: a history only grows; `until` and `fork` make new ones.
    """

    def __init__(self, steps: Iterable[Step] = (), *, earlier: Iterable[float] = ()) -> None:
        self.first = 0
        self.columns = {name: array("d") for name in COLUMNS}
        self.recipes: list[tuple[int, Recipe]] = []
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self.skipped: list[int] = []
        self.updated = -1
        self._earlier = tuple(earlier)  # what came before the first step, for its average
        self._recent = deque(self._earlier, maxlen=AVERAGED)
        self._envelope = Envelope(len(COLUMNS))
        # What was drawn last: of how many steps, and what it gave for which columns.
        self._whole: tuple[int, dict[str, Reduced]] = -1, {}
        self._parts: tuple[int, dict[str, Reduced]] = -1, {}
        self.extend(steps)

    def __len__(self) -> int:
        return len(self.columns["loss"])

    def append(self, step: Step) -> None:
        """Add the record of the next step."""
        if not len(self):
            self.first = step.index
        self._recent.append(step.per_sample)
        columns = self.columns
        columns["loss"].append(step.loss)
        columns["per_sample"].append(step.per_sample)
        columns["average"].append(sum(self._recent) / len(self._recent))
        columns["lr"].append(step.lr)
        columns["grad_norm"].append(step.grad_norm)
        columns["clipped_norm"].append(step.grad_norm * step.clip_scale)
        columns["amp_scale"].append(step.amp_scale)
        last = self.recipes[-1][1] if self.recipes else None
        if last is not step.recipe and last != step.recipe:  # mostly it is the same object
            self.recipes.append((step.index, step.recipe))
        if step.metrics:
            self.metrics.append((step.index, dict(step.metrics)))
        if step.skipped:
            self.skipped.append(step.index)
        if step.updated:
            self.updated = step.index

    def extend(self, steps: Iterable[Step]) -> None:
        """Add the records of the next steps."""
        for step in steps:
            self.append(step)

    def column(self, name: str) -> Floats:
        """All values of a column, one a step."""
        return np.array(self.columns[name])

    def last(self, name: str) -> float:
        """The newest value of a column, or NaN."""
        return self.columns[name][-1] if len(self) else nan

    def reduced(self, name: str, until: float = inf) -> Reduced:
        """A column for drawing, in at most 192 points; only what comes before step `until`.

        Notice: of a long history a short piece has many more points than it had in the whole.
        """
        # Of the column that a step comes to last: it may be drawn while the worker appends one.
        taken = len(self.columns[COLUMNS[-1]])
        count = int(min(max(until - self.first, 0), taken))
        if count == taken:
            if self._whole[0] != count:
                self._whole = count, self._reduce(COLUMNS, self._envelope, count)
            return self._whole[1][name]
        if self._parts[0] != count:
            self._parts = count, {}
        if name not in self._parts[1]:
            self._parts[1].update(self._reduce((name,), Envelope(), count))
        return self._parts[1][name]

    def _reduce(self, names: tuple[str, ...], envelope: Envelope, count: int) -> dict[str, Reduced]:
        if count <= POINTS:  # every value is a point
            x = self.first + np.arange(count, dtype=float)
            values = {name: np.array(self.columns[name][:count]) for name in names}
            return {name: Reduced(x, each, each, each) for name, each in values.items()}
        envelope.extend(np.array([self.columns[name][envelope.taken : count] for name in names]))
        return dict(zip(names, envelope.reduced(self.first), strict=True))

    def until(self, index: int) -> "History":
        """A history of its own with the steps before `index`."""
        keep = max(0, index - self.first)
        found = History(earlier=self._earlier)
        found.first = self.first
        found.columns = {name: values[:keep] for name, values in self.columns.items()}
        found.recipes = [item for item in self.recipes if item[0] < index]
        found.metrics = [item for item in self.metrics if item[0] < index]
        found.skipped = [step for step in self.skipped if step < index]
        found.updated = min(self.updated, index - 1)
        found._recent.extend(found.columns["per_sample"][-AVERAGED:])
        return found

    def copy(self) -> "History":
        """A history of its own with the same records."""
        return self.until(self.first + len(self))

    def fork(self) -> "History":
        """An empty history that goes on from this one: its first averages know the last steps."""
        return History(earlier=self._recent)
