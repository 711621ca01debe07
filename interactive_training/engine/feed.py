"""Which rows come next: epochs of shuffled rows, cut into groups and micro-batches."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import torch


@dataclass
class Feed:
    """The place in the data: this epoch's order of the `rows`, and the group being worked on.

    A group is the rows between two optimizer steps: `accumulate` micro-batches of `batch` rows,
    or what is left of the epoch. A group that has begun keeps its size. Every epoch draws its
    order from `generator`, or takes the rows as they are.
    """

    rows: int
    generator: torch.Generator
    device: torch.device  # where the numbers of the rows are wanted
    order: torch.Tensor
    offset: int
    start: int
    end: int
    batch: int = 1
    accumulate: int = 1
    shuffle: bool = True
    first: bool = False  # whether the micro-batch just taken is the first of its group
    last: bool = True  # whether it is the last
    parts: Iterator[torch.Tensor] = field(init=False)  # what is left of the epoch, in batches

    def __post_init__(self) -> None:
        self._cut()

    @classmethod
    def at_the_start(cls, rows: int, generator: torch.Generator, device: torch.device) -> "Feed":
        """Before the first row; the first order is still to be drawn."""
        return cls(rows, generator, device, torch.arange(rows), offset=rows, start=rows, end=rows)

    @property
    def between_groups(self) -> bool:
        """Whether the next micro-batch is the first of its group."""
        return self.offset == self.end

    def set(self, batch: int, accumulate: int, shuffle: bool) -> None:
        """Go on in groups of this size, which may differ from the last one only between groups."""
        self.accumulate, self.shuffle = accumulate, shuffle
        if batch != self.batch:
            self.batch = batch
            self._cut()

    def next(self) -> torch.Tensor:
        """The row numbers of the next micro-batch."""
        self.first = self.offset == self.end
        if self.first:
            if self.end == self.rows:
                self._begin_epoch()
            self.start = self.offset
            self.end = min(self.start + self.batch * self.accumulate, self.rows)
        self.offset = min(self.offset + self.batch, self.end)
        self.last = self.offset == self.end
        return next(self.parts)

    def _begin_epoch(self) -> None:
        self.offset = 0
        if self.rows == 1:  # a surface: every step is an epoch, which must cost nothing
            return
        if self.shuffle:
            self.order = torch.randperm(self.rows, generator=self.generator)
        else:
            self.order = torch.arange(self.rows)
        self._cut()

    def _cut(self) -> None:
        """Cut what is left of the epoch into batches."""
        if self.rows == 1:
            self.parts = repeat(self.order.to(self.device))
        else:
            self.parts = iter(self.order[self.offset :].to(self.device).split(self.batch))

    @property
    def group_rows(self) -> int:
        """The number of rows in the present group."""
        return self.end - self.start

    @property
    def epoch_ends(self) -> bool:
        """Whether the present group is the last of its epoch."""
        return self.end == self.rows

    def capture(self) -> dict[str, Any]:
        """The place as plain values."""
        return {
            "order": self.order,  # never changed in place
            "offset": self.offset,
            "start": self.start,
            "end": self.end,
            "batch": self.batch,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go to a captured place, with groups of the size that is set."""
        self.order, self.offset = saved["order"], saved["offset"]
        self.start, self.end = saved["start"], saved["end"]
        self._cut()
