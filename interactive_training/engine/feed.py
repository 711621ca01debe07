"""Which rows come next: epochs of shuffled rows, cut into groups and micro-batches."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class Feed:
    """The place in the data: this epoch's order of the `rows`, and the group being worked on.

    A group is the rows between two optimizer steps: `accumulate` micro-batches of `batch_size`
    rows, or what is left of the epoch. A group that has begun keeps its size.
    """

    rows: int
    order: torch.Tensor
    offset: int
    start: int
    end: int
    batch: int

    @classmethod
    def at_the_start(cls, rows: int) -> "Feed":
        """Before the first row; the first order is still to be drawn."""
        return cls(rows, torch.arange(rows), offset=rows, start=rows, end=rows, batch=1)

    @property
    def between_groups(self) -> bool:
        """Whether the next micro-batch is the first of its group."""
        return self.offset == self.end

    def next(
        self, batch_size: int, accumulate: int, shuffle: bool, generator: torch.Generator
    ) -> torch.Tensor:
        """The row numbers of the next micro-batch; a new epoch draws its order from `generator`."""
        if self.offset == self.end:
            if self.end == self.rows:
                self.offset = 0
                self.order = (
                    torch.randperm(self.rows, generator=generator)
                    if shuffle
                    else torch.arange(self.rows)
                )
            self.start = self.offset
            self.end = min(self.start + batch_size * accumulate, self.rows)
            self.batch = batch_size
        first = self.offset
        self.offset = min(first + self.batch, self.end)
        return self.order[first : self.offset]

    @property
    def first(self) -> bool:
        """Whether the micro-batch just taken is the first of its group."""
        return self.offset <= self.start + self.batch

    @property
    def last(self) -> bool:
        """Whether the micro-batch just taken is the last of its group."""
        return self.offset == self.end

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
            "order": self.order.clone(),
            "offset": self.offset,
            "start": self.start,
            "end": self.end,
            "batch": self.batch,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go to a captured place."""
        self.order = saved["order"].clone()
        self.offset, self.start = saved["offset"], saved["start"]
        self.end, self.batch = saved["end"], saved["batch"]
