"""How many processor threads torch uses for a run.

For a small network more threads than one only wait for one another at every operation: two keep
both cores busy and train no faster, and at a quarter of the speed when a browser needs a core.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from interactive_training.engine.run import Run

SMALL = 1_000_000  # weights


def threads_for(run: "Run") -> int:
    """One for a small model, else as many as the calling thread has now."""
    weights = sum(p.numel() for p in run.model.parameters())
    return 1 if weights < SMALL else torch.get_num_threads()


@contextmanager
def threads_of(run: "Run") -> Iterator[None]:
    """Let the calling thread use `threads_for(run)` until the end of the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads_for(run))
    try:
        yield
    finally:
        torch.set_num_threads(before)
