"""Which rows come next: epochs of shuffled rows, cut into groups and micro-batches."""

from collections.abc import Iterator
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
    device: torch.device  # where the rows are asked for
    order: torch.Tensor
    offset: int
    start: int
    end: int
    batch: int
    first: bool = False  # whether the micro-batch just taken is the first of its group
    last: bool = True  # whether it is the last
    parts: Iterator[torch.Tensor] | None = None  # what is left of the epoch, cut into batches

    @classmethod
    def at_the_start(cls, rows: int, device: torch.device) -> "Feed":
        """Before the first row; the first order is still to be drawn."""
        return cls(rows, device, torch.arange(rows), offset=rows, start=rows, end=rows, batch=1)

    @property
    def between_groups(self) -> bool:
        """Whether the next micro-batch is the first of its group."""
        return self.offset == self.end

    def next(
        self, batch_size: int, accumulate: int, shuffle: bool, generator: torch.Generator
    ) -> torch.Tensor:
        """The row numbers of the next micro-batch; a new epoch draws its order from `generator`."""
        self.first = self.offset == self.end
        if self.first:
            if self.end == self.rows:
                self._begin_epoch(shuffle, generator)
            if batch_size != self.batch:
                self.batch, self.parts = batch_size, None
            self.start = self.offset
            self.end = min(self.start + batch_size * accumulate, self.rows)
        if self.parts is None:
            if self.rows == 1:  # a surface: every step is an epoch, which must cost nothing
                self.parts = iter((self.order,))
            else:
                self.parts = iter(self.order[self.offset :].to(self.device).split(self.batch))
        self.offset = min(self.offset + self.batch, self.end)
        self.last = self.offset == self.end
        return next(self.parts)

    def _begin_epoch(self, shuffle: bool, generator: torch.Generator) -> None:
        self.offset, self.parts = 0, None
        if shuffle:
            self.order = torch.randperm(self.rows, generator=generator)
        elif self.rows > 1:
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
            "batch": self.batch,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go to a captured place."""
        self.order, self.parts = saved["order"], None
        self.offset, self.start = saved["offset"], saved["start"]
        self.end, self.batch = saved["end"], saved["batch"]
