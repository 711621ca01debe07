"""What sixteen bits do to a gradient."""

import torch

from interactive_training.engine.run import Run

SMALLEST_HALF = 2.0**-24  # the smallest positive float16; less than half of it becomes 0


def flushed_share(run: Run) -> float:
    """The share of the run's gradient numbers that float16 would round to zero without a scale.

    Only numbers that are not zero already count. Notice: the loss scale lifts them back into
    float16's range, which is all that it is for.
    """
    grads = [p.grad.abs().flatten().float() for _, p in run.trainable if p.grad is not None]
    if not grads:
        return 0.0
    sizes = torch.cat(grads)
    alive = sizes > 0
    count = int(alive.sum())
    return 0.0 if count == 0 else float((alive & (sizes < SMALLEST_HALF / 2)).sum()) / count
