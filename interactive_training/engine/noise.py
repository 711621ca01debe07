"""What minibatches make of a surface: a gradient that is right on average only."""

from collections.abc import Callable

import torch

Surface = Callable[[torch.Tensor], torch.Tensor]


def noisy(surface: Surface, noise: float) -> Surface:
    """The surface as minibatches show it: tilted another way at every look.

    `noise` is the standard deviation of the error in each part of the gradient; a batch four
    times as large halves it. Many points at once see the same batch. Notice: SGD never rests.
    """

    def noisy_surface(w: torch.Tensor) -> torch.Tensor:
        tilt = noise * torch.randn(2, dtype=torch.float64)
        return surface(w) + tilt[0] * w[0] + tilt[1] * w[1]

    return noisy_surface
