"""Which rows come next: epochs of shuffled rows, cut into groups and micro-batches.

A step takes what was cut ahead, many micro-batches at once: one gather costs no more than one
step's does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

AHEAD = 64  # micro-batches that are cut at once, at most
ROOM = 2**20  # bytes of them, unless a single one is larger

MicroBatch = tuple[torch.Tensor, ...]  # its rows of every tensor


@dataclass
class Feed:
    """The place in the data: this epoch's order of the `rows`, and the group being worked on.

    A group is the rows between two optimizer steps: `accumulate` micro-batches of `batch` rows,
    or what is left of the epoch. A group that has begun keeps its size. Every epoch draws its
    order from `generator`, unless it takes the rows as they are. A surface, whose every step is
    an epoch, asks for no rows and leaves the feed as it is made.
    """

    rows: int
    generator: torch.Generator
    order: torch.Tensor
    offset: int
    start: int
    end: int
    batch: int = 1
    accumulate: int = 1
    shuffle: bool = True
    taken: int = 1  # rows in the micro-batch just taken
    first: bool = True  # whether the micro-batch just taken is the first of its group
    last: bool = True  # whether it is the last
    ahead: Iterator[MicroBatch] = field(default_factory=lambda: iter(()))

    @classmethod
    def at_the_start(cls, rows: int, generator: torch.Generator) -> "Feed":
        """Before the first row; the first order is still to be drawn."""
        return cls(rows, generator, torch.arange(rows), offset=rows, start=rows, end=rows)

    @property
    def between_groups(self) -> bool:
        """Whether the next micro-batch is the first of its group."""
        return self.offset == self.end

    def set(self, batch: int, accumulate: int, shuffle: bool) -> None:
        """Go on in groups of this size, which may differ from the last one only between groups."""
        if (batch, accumulate) != (self.batch, self.accumulate):
            self.batch, self.accumulate = batch, accumulate
            self.forget()
        self.shuffle = shuffle

    def forget(self) -> None:
        """Cut what comes next anew, because the sizes, the place or the data are others."""
        self.ahead = iter(())

    def next(self, *data: torch.Tensor) -> MicroBatch:
        """The next micro-batch: its rows of each tensor of `data`, which has `rows` of them."""
        found = next(self.ahead, None)
        if found is None:
            self._look_ahead(data)
            found = next(self.ahead)
        self.first = self.offset == self.end
        if self.first:
            self.start = self.offset
            self.end = min(self.start + self.batch * self.accumulate, self.rows)
        self.taken = min(self.batch, self.end - self.offset)
        self.offset += self.taken
        self.last = self.offset == self.end
        return found

    def _look_ahead(self, data: MicroBatch) -> None:
        """Cut the micro-batches to come, at most to the end of the epoch."""
        if self.offset == self.rows:
            self._draw_order()
            self.offset = self.end = 0
        size = self.batch * sum(tensor.nbytes for tensor in data) // self.rows
        ahead = max(1, min(AHEAD, ROOM // size))
        rows = self.order[self.offset : self.offset + ahead * self.batch]
        self.ahead = zip(*(cut(tensor, rows, self.batch) for tensor in data), strict=True)

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
        self.forget()


def cut(tensor: torch.Tensor, rows: torch.Tensor, batch: int) -> Sequence[torch.Tensor]:
    """These rows of a tensor in parts of `batch`, from one gather where that changes nothing.

    Where a part begins in memory may decide in which order a kernel sums it. So every part begins
    where it would as a tensor of its own: the run's losses must be those of its script.
    """
    rows = rows.to(tensor.device)
    begins = 64 if tensor.device.type == "cpu" else 512  # bytes, a multiple of which torch gives
    if batch * tensor[0].nbytes % begins:
        return [tensor.index_select(0, part) for part in rows.split(batch)]
    # To autograd the parts are no views, so that a model may write into its input.
    return tensor.index_select(0, rows).unsafe_split(batch)
