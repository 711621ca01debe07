"""Which rows come next: epochs of shuffled rows, cut into groups and micro-batches."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import torch

AHEAD = 64  # micro-batches that are cut at once: a step then only takes the next one

# The numbers of its rows, then what the feed's `taken`, `first`, `last`, `offset`, `start` and
# `end` are when it has been taken.
MicroBatch = tuple[torch.Tensor, int, bool, bool, int, int, int]


@dataclass
class Feed:
    """The place in the data: this epoch's order of the `rows`, and the group being worked on.

    A group is the rows between two optimizer steps: `accumulate` micro-batches of `batch` rows,
    or what is left of the epoch. A group that has begun keeps its size. Every epoch draws its
    order from `generator`, unless it takes the rows as they are.
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
    taken: int = 0  # rows in the micro-batch just taken
    first: bool = False  # whether the micro-batch just taken is the first of its group
    last: bool = True  # whether it is the last
    ahead: Iterator[MicroBatch] = field(default_factory=lambda: iter(()))

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
        if (batch, accumulate) != (self.batch, self.accumulate):
            self.batch, self.accumulate, self.ahead = batch, accumulate, iter(())
        self.shuffle = shuffle

    def next(self) -> torch.Tensor:
        """The row numbers of the next micro-batch."""
        try:
            found = next(self.ahead)
        except StopIteration:
            self._look_ahead()
            found = next(self.ahead)
        rows, self.taken, self.first, self.last, self.offset, self.start, self.end = found
        return rows

    def _look_ahead(self) -> None:
        """Cut the micro-batches to come, at most to the end of the epoch."""
        if self.rows == 1:  # a surface: every step is an epoch, which must cost nothing
            self.ahead = repeat((self.order.to(self.device), 1, True, True, 1, 0, 1))
            return
        offset, start, end = self.offset, self.start, self.end
        if offset == self.rows:
            self._draw_order()
            offset = end = 0
        found: list[MicroBatch] = []
        rows = self.order[offset : offset + AHEAD * self.batch].to(self.device)
        for part in rows.split(self.batch):
            first = offset == end
            if first:
                start, end = offset, min(offset + self.batch * self.accumulate, self.rows)
            taken = min(self.batch, self.rows - offset)
            offset += taken
            found.append((part, taken, first, offset == end, offset, start, end))
        self.ahead = iter(found)

    def _draw_order(self) -> None:
        if self.shuffle:
            self.order = torch.randperm(self.rows, generator=self.generator)
        else:
            self.order = torch.arange(self.rows)

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
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go to a captured place, with groups of the size that is set."""
        self.order, self.offset = saved["order"], saved["offset"]
        self.start, self.end = saved["start"], saved["end"]
        self.ahead = iter(())
