"""What happened, in columns: cheap to append to, and reduced to a bounded number for drawing."""

import threading
from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isnan, nan
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from interactive_training.engine.measure import Step
from interactive_training.engine.recipe import Recipe

Floats = NDArray[np.float64]

COLUMNS = ("loss", "per_sample", "average", "lr", "grad_norm", "clipped_norm", "amp_scale")
AVERAGED = 20  # micro-batches in the "average" column
POINTS = 192  # at most, of a column that is drawn: every two or three pixels
# What the columns are made of.
FIELDS = ("loss", "per_sample", "lr", "grad_norm", "clip_scale", "amp_scale")
fields_of = itemgetter(*map(Step._fields.index, FIELDS))
WAITING = 500  # steps, at most, before they come into the table


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
        # A row for each column, and then once more a row for each.
        self.least = np.full((2 * columns, POINTS), nan)  # of the values, and of their negatives
        self.sums = np.zeros((columns, POINTS))  # of the known values
        self.unknown: Floats | None = None  # how many are NaN, if any is

    def extend(self, values: Floats) -> None:
        """Take in more values, one row for each column."""
        count = values.shape[1]
        if not count:
            return
        while self.taken + count > self.width * POINTS:
            self._widen()
        first = self.taken // self.width
        starts = np.arange(-(self.taken % self.width), count, self.width)
        starts[0] = 0
        least = np.fmin.reduceat(np.concatenate((values, -values)), starts, axis=1)
        sums = np.add.reduceat(values, starts, axis=1)
        at = np.s_[:, first : first + len(starts)]
        self.taken += count
        if isnan(sums.sum()):
            nans = np.isnan(values)
            sums = np.add.reduceat(np.where(nans, 0.0, values), starts, axis=1)
            if self.unknown is None:
                self.unknown = np.zeros_like(self.sums)
            self.unknown[at] += np.add.reduceat(nans, starts, axis=1, dtype=float)
        self.least[at] = np.fmin(self.least[at], least)
        self.sums[at] += sums

    def _widen(self) -> None:
        self.least = paired(np.fmin, self.least, nan)
        self.sums = paired(np.add, self.sums, 0.0)
        if self.unknown is not None:
            self.unknown = paired(np.add, self.unknown, 0.0)
        self.width *= 2

    def reduced(self, first: int, row: int = 0) -> Reduced:
        """The buckets of one column; `first` is the step of the first value."""
        columns, filled = len(self.sums), -(-self.taken // self.width)
        rest = self.taken - self.width * (filled - 1)  # values in the last bucket
        known = np.full(filled, float(self.width))
        x = self.width * np.arange(filled, dtype=float) + (first + (self.width - 1) / 2)
        if filled:
            known[-1] = rest
            x[-1] += (rest - self.width) / 2
        if self.unknown is not None:
            known -= self.unknown[row, :filled]
            known[known == 0] = nan
        mean: Floats = self.sums[row, :filled] / known
        return Reduced(
            x, self.least[row, :filled].copy(), mean, -self.least[columns + row, :filled]
        )


def paired(ufunc: np.ufunc, values: Floats, empty: float) -> Floats:
    """Neighbours brought together in the first half of as many places."""
    found = np.full(values.shape, empty)
    found[:, : POINTS // 2] = ufunc(values[:, ::2], values[:, 1::2])
    return found


class History:
    """The records of a run by column, from the first appended step on.

    Columns are `loss`, `per_sample`, `average` (of the last 20 `per_sample`), `lr`, `grad_norm`,
    `clipped_norm` (after clipping) and `amp_scale`. `recipes` lists (step, recipe) where the
    recipe changed, `metrics` (step, metrics) where a validation was made, `skipped` the steps
    that float16 left out, `updated` the newest step that moved the weights, or -1. One thread may
    append while others read.

    Notice: a history only grows; `until` and `fork` make new ones.
    """

    # One for all, since a lock cannot be copied or pickled; nobody holds it for long.
    _lock = threading.RLock()

    def __init__(self, steps: Iterable[Step] = (), *, earlier: Iterable[float] = ()) -> None:
        self.first = 0
        self.recipes: list[tuple[int, Recipe]] = []
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self.skipped: list[int] = []
        self.updated = -1
        self._recipe: Recipe | None = None  # of the newest step
        self._waiting: list[float] = []  # the fields of steps that are not yet in the table
        self._table = array("d")  # the columns, one step after the other
        self._earlier = tuple(earlier)  # what came before the first step, for its average
        self._envelope = Envelope(len(COLUMNS))
        # What was drawn last of each column, as a whole and of a piece, and of how many steps.
        self._drawn: dict[tuple[str, bool], tuple[int, Reduced]] = {}
        self.extend(steps)

    def __len__(self) -> int:
        with self._lock:
            self._take_in()
            return len(self._table) // len(COLUMNS)

    def append(self, step: Step) -> None:
        """Add the record of the next step."""
        # A training loop waits for this. The table can wait: many steps at once cost far less.
        if step.recipe is not self._recipe or step.metrics or step.skipped:
            self._note(step)
        if step.updated:
            self.updated = step.index
        self._waiting.extend(fields_of(step))
        if len(self._waiting) > WAITING * len(FIELDS):
            self._take_in()

    def extend(self, steps: Iterable[Step]) -> None:
        """Add the records of the next steps."""
        for step in steps:
            self.append(step)

    def _note(self, step: Step) -> None:
        """Write down what few steps have; the first one is among them."""
        if self._recipe is None and not self._table:
            self.first = step.index
        self._recipe = step.recipe
        if not self.recipes or self.recipes[-1][1] != step.recipe:  # equal ones may be two objects
            self.recipes.append((step.index, step.recipe))
        if step.metrics:
            self.metrics.append((step.index, dict(step.metrics)))
        if step.skipped:
            self.skipped.append(step.index)

    def _take_in(self) -> None:
        """Put the steps that wait into the table."""
        if not self._waiting:
            return
        with self._lock:
            waiting = self._waiting[:]  # more may come meanwhile
            count = len(waiting)
            recent = deque(self._last_losses(), maxlen=AVERAGED)
            rows: list[float] = []
            each = zip(*[iter(waiting)] * len(FIELDS), strict=True)
            for loss, per_sample, lr, grad_norm, clip_scale, amp_scale in each:
                recent.append(per_sample)
                average = sum(recent) / len(recent)
                clipped = grad_norm * clip_scale
                rows += (loss, per_sample, average, lr, grad_norm, clipped, amp_scale)
            new = array("d", rows)
            self._table += new  # here ends what an interrupt may come into: it comes after calls
            del self._waiting[:count]

    def _last_losses(self) -> list[float]:
        """What the next average is taken of."""
        last = self._table[-AVERAGED * len(COLUMNS) :]
        return [*self._earlier, *last[COLUMNS.index("per_sample") :: len(COLUMNS)]]

    def _column(self, at: int, count: int) -> Floats:
        """The first values of a column, copied: a table that an array looks into cannot grow."""
        return np.array(self._table[at : count * len(COLUMNS) : len(COLUMNS)])

    def column(self, name: str) -> Floats:
        """All values of a column, one a step."""
        with self._lock:
            return self._column(COLUMNS.index(name), len(self))

    def last(self, name: str) -> float:
        """The newest value of a column, or NaN."""
        with self._lock:
            return self._table[COLUMNS.index(name) - len(COLUMNS)] if len(self) else nan

    def reduced(self, name: str, until: float = inf) -> Reduced:
        """A column for drawing, in at most 192 points; only what comes before step `until`.

        Notice: of a long history a short piece has many more points than it had in the whole.
        """
        with self._lock:
            taken = len(self)
            count = int(min(max(until - self.first, 0), taken))
            whole = count == taken
            drawn = self._drawn.get((name, whole))
            if drawn is None or drawn[0] != count:
                drawn = self._drawn[name, whole] = count, self._reduce(name, count, whole)
            return drawn[1]

    def _reduce(self, name: str, count: int, whole: bool) -> Reduced:
        at = COLUMNS.index(name)
        if count <= POINTS:  # every value is a point
            values = self._column(at, count)
            return Reduced(self.first + np.arange(count, dtype=float), values, values, values)
        if whole:
            new = np.array(self._table[self._envelope.taken * len(COLUMNS) :])
            self._envelope.extend(new.reshape(-1, len(COLUMNS)).T)
            return self._envelope.reduced(self.first, at)
        part = Envelope()
        part.extend(self._column(at, count)[np.newaxis])
        return part.reduced(self.first)

    def until(self, index: int) -> "History":
        """A history of its own with the steps before `index`."""
        found = History(earlier=self._earlier)
        with self._lock:
            self._take_in()
            found._table = self._table[: max(0, index - self.first) * len(COLUMNS)]
        found.first = self.first
        found.recipes = [item for item in self.recipes if item[0] < index]
        found.metrics = [item for item in self.metrics if item[0] < index]
        found.skipped = [step for step in self.skipped if step < index]
        found.updated = min(self.updated, index - 1)
        return found

    def copy(self) -> "History":
        """A history of its own with the same records."""
        return self.until(self.first + len(self))

    def fork(self) -> "History":
        """An empty history that goes on from this one: its first averages know the last steps."""
        with self._lock:
            self._take_in()
            return History(earlier=self._last_losses()[-AVERAGED:])
