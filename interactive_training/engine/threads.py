"""How many processor threads torch uses for a run in the background.

For a small network more threads than one only wait for one another at every operation: two keep
both cores busy and train no faster, and at a quarter of the speed when a browser needs a core.
Sums of another number of threads may round in another way, so the run's script says the number.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from interactive_training.engine.run import Run

SMALL = 1_000_000  # weights


def threads_for(run: "Run") -> int | None:
    """One for a small network; None, as many as torch would take, for a large one."""
    if run.task.is_surface:
        return None  # two numbers are never shared out
    return 1 if sum(p.numel() for p in run.model.parameters()) < SMALL else None


@contextmanager
def threads_of(run: "Run") -> Iterator[None]:
    """Let the calling thread use `run.threads` until the end of the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(run.threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
