"""Tasks of every kind for the engine's tests: built-in ones, surfaces, models of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from interactive_training import Task

HIDDEN = 12


def squashed(x: torch.Tensor) -> torch.Tensor:
    return F.relu(x) / math.pi


class Net(nn.Module):
    """Needs from around it: a constant, a function with needs of its own, two modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, HIDDEN)
        self.last = nn.Linear(HIDDEN, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(squashed(self.first(x)))


class Noisy(nn.Module):
    """Draws from torch, from numpy and from a layer that takes no generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.AlphaDropout(0.1), nn.Linear(8, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x = x + 0.1 * torch.rand_like(x) + 0.01 * float(np.random.rand())
        return self.layers(x)


class Sized(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def rows(n: int = 60, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 2, generator=generator)
    return inputs, (inputs.prod(1) > 0).long()


def own(model: nn.Module, **options: Any) -> Task:
    return Task.of(model, *rows(), validation=rows(20, 2), batch_size=25, **options)


def partly_frozen() -> nn.Module:
    model = nn.Sequential(
        nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6)),
        nn.Dropout(0.3),
        nn.Linear(6, 4, bias=False),
        nn.GELU(approximate="tanh"),
        nn.LayerNorm(4),
        nn.Linear(4, 2),
    )
    model[0].requires_grad_(False)
    model[0].eval()
    model[5].bias.requires_grad_(False)
    return model


def saddle(w: torch.Tensor) -> torch.Tensor:
    return w[0] ** 2 - w[1] ** 2 + 0.1 * w[1] ** 4


def loss(w: torch.Tensor) -> torch.Tensor:
    return (w**2).sum() * STEEP


STEEP = 3

TASKS: dict[str, Callable[[], Task]] = {
    "digits": lambda: Task.named("digits"),
    "dropout": lambda: Task.named("moons", n=100, dropout=0.3, init="he"),
    "batchnorm": lambda: Task.named("blobs", n=100, norm="BatchNorm1d", classes=4, init="xavier"),
    "layernorm": lambda: Task.named("circles", n=100, norm="LayerNorm", activation="GELU"),
    "residual": lambda: Task.named(
        "spirals", n=100, residual=True, depth=3, width=8, dropout=0.1, activation="Tanh"
    ),
    "too_large": lambda: Task.named("xor", n=100, init="too_large", activation="Sigmoid"),
    "too_small": lambda: Task.named("moons", n=100, init="too_small", activation="LeakyReLU"),
    "linear": lambda: Task.named("regression", n=100, depth=0, noise=0.3),
    "regression": lambda: Task.named("regression", n=100, residual=True, norm="LayerNorm"),
    "bowl": lambda: Task.named("bowl"),
    "def": lambda: Task.surface(saddle, (1.0, -0.5)),
    "taken name": lambda: Task.surface(loss, (1.0, -0.5)),
    "lambda": lambda: Task.surface(lambda w: w[0] ** 2 + STEEP * w[1] ** 2, start=(3, 2)),
    "sequential": lambda: own(partly_frozen()),
    "class": lambda: own(Net(), loss="MSELoss"),
    "draws": lambda: own(Noisy()),
    "double": lambda: Task.of(
        Net().double(), rows()[0].double(), rows()[1], validation=(rows()[0].double(), rows()[1])
    ),
}
task_named = cache(lambda name: TASKS[name]())
