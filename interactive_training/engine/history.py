"""What happened, in columns: cheap to append to, and reduced to a bounded number for drawing."""

from array import array
from collections import deque
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from interactive_training.engine.measure import Step
from interactive_training.engine.recipe import Recipe

Floats = NDArray[np.float64]

COLUMNS = ("loss", "per_sample", "average", "lr", "grad_norm", "clipped_norm", "amp_scale")
AVERAGED = 20  # micro-batches in the "average" column


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
    """The extremes and the mean of a growing column in at most `capacity` buckets of equal width.

    When they are full, neighbours are merged and the width doubles.
    """

    def __init__(self, capacity: int = 512) -> None:
        self.capacity = capacity
        self.width = 1
        self.filled = 0  # values in the last bucket
        self.low: list[float] = []
        self.high: list[float] = []
        self.total: list[float] = []

    def append(self, value: float) -> None:
        """Take one more value; NaN leaves a gap only where a bucket holds nothing else."""
        if self.filled == 0 or self.filled == self.width:
            if len(self.low) == self.capacity:  # even, so the neighbours come in pairs
                self._merge()
            self.low.append(value)
            self.high.append(value)
            self.total.append(value)
            self.filled = 1
            return
        self.filled += 1
        if not self.low[-1] <= value:
            self.low[-1] = value
        if not self.high[-1] >= value:
            self.high[-1] = value
        self.total[-1] += value

    def _merge(self) -> None:
        self.low = [min(pair) for pair in zip(self.low[::2], self.low[1::2], strict=True)]
        self.high = [max(pair) for pair in zip(self.high[::2], self.high[1::2], strict=True)]
        self.total = [sum(pair) for pair in zip(self.total[::2], self.total[1::2], strict=True)]
        self.width *= 2
        self.filled = self.width

    def reduced(self, first: int) -> Reduced:
        """The buckets as arrays; `first` is the step of the first value."""
        counts = np.full(len(self.low), self.width, dtype=float)
        if len(counts):
            counts[-1] = self.filled
        starts = first + self.width * np.arange(len(self.low), dtype=float)
        return Reduced(
            starts + (counts - 1) / 2,
            np.array(self.low),
            np.array(self.total) / counts,
            np.array(self.high),
        )


class History:
    """The records of a run by column, from the first appended step on.

    Columns are `loss`, `per_sample`, `average` (of the last 20 `per_sample`), `lr`, `grad_norm`,
    `clipped_norm` (after clipping) and `amp_scale`. `recipes` lists (step, recipe) where the
    recipe changed, `metrics` (step, metrics) where a validation was made, `skipped` the steps
    that float16 left out.
    """

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.first = 0
        self.columns = {name: array("d") for name in COLUMNS}
        self.recipes: list[tuple[int, Recipe]] = []
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self.skipped: list[int] = []
        self._envelopes = {name: Envelope() for name in COLUMNS}
        self._recent: deque[float] = deque(maxlen=AVERAGED)
        self.extend(steps)

    def __len__(self) -> int:
        return len(self.columns["loss"])

    def append(self, step: Step) -> None:
        """Add the record of the next step."""
        if not len(self):
            self.first = step.index
        self._recent.append(step.per_sample)
        row = {
            "loss": step.loss,
            "per_sample": step.per_sample,
            "average": sum(self._recent) / len(self._recent),
            "lr": step.lr,
            "grad_norm": step.grad_norm,
            "clipped_norm": step.grad_norm * step.clip_scale,
            "amp_scale": step.amp_scale,
        }
        for name, value in row.items():
            self.columns[name].append(value)
            self._envelopes[name].append(value)
        if not self.recipes or self.recipes[-1][1] is not step.recipe:
            self.recipes.append((step.index, step.recipe))
        if step.metrics:
            self.metrics.append((step.index, dict(step.metrics)))
        if step.skipped:
            self.skipped.append(step.index)

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

    def reduced(self, name: str) -> Reduced:
        """A column for drawing, in at most 512 points."""
        return self._envelopes[name].reduced(self.first)

    def truncate(self, index: int) -> None:
        """Forget the steps from `index` on."""
        keep = max(0, index - self.first)
        if keep >= len(self):
            return
        self._envelopes = {name: Envelope() for name in COLUMNS}
        for name, values in self.columns.items():
            del values[keep:]
            for value in values:
                self._envelopes[name].append(value)
        self._recent = deque(self.columns["per_sample"][-AVERAGED:], maxlen=AVERAGED)
        self.recipes = [item for item in self.recipes if item[0] < index]
        self.metrics = [item for item in self.metrics if item[0] < index]
        self.skipped = [step for step in self.skipped if step < index]

    def copy(self) -> "History":
        """A history of its own with the same records."""
        return deepcopy(self)
