"""What the tests of the bitwise promises share: small runs, and how two whole states are compared.

Nothing here rounds. Two states are the same when every tensor in them has the same bits and every
number is equal; NaN equals NaN.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from interactive_training import Recipe, Run, Step, Task, train
from interactive_training.engine.choices import STAGES

FP16 = Recipe(amp="float16", lr=0.01)


def without(*stages: str) -> tuple[str, ...]:
    """The usual order of lines with some left out."""
    return tuple(stage for stage in STAGES if stage not in stages)


def small(**options: Any) -> Task:
    """36 training rows of two classes and a small network: batches of 8 leave a tail of 4."""
    return replace(Task.named("moons", n=60, **options), batch_size=8)


def noisy() -> Task:
    """The same with everything that has a state of its own: BatchNorm and dropout."""
    return small(norm="BatchNorm1d", dropout=0.25)


def take(run: Run, steps: int, *, record: bool = True) -> list[Step]:
    """Train, and return the records."""
    return list(train(run, steps, record=record))


def unlike(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """The places in which two nested containers differ in any bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            where = f"{at}/{key}"
            if key in one and key in other:
                yield from unlike(one[key], other[key], where)
            else:
                yield where
    elif isinstance(one, (list, tuple)) and type(one) is type(other) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from unlike(a, b, f"{at}/{number}")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if not same_bits(one, other):
            yield at
    elif type(one) is not type(other) or (one != other and (one == one or other == other)):
        yield at


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same bytes, so that 0.0 is not -0.0; torch.equal says it is."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    a, b = (t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (one, other))
    return torch.equal(a, b)


def different(run: Run, twin: Run) -> list[str]:
    """The parts of the whole state in which two runs differ; empty when they are the same."""
    return list(unlike(run.capture(), twin.capture()))


def weights(run: Run) -> list[torch.Tensor]:
    """A copy of the parameters."""
    return [p.detach().clone() for p in run.model.parameters()]


def same_weights(run: Run, twin: Run) -> bool:
    """Whether every parameter of two runs has the same bits."""
    return all(same_bits(a, b) for a, b in zip(weights(run), weights(twin), strict=True))


def model_of(run: Run, kind: type[nn.Module]) -> Any:
    """The first layer of that kind."""
    return next(module for module in run.model.modules() if isinstance(module, kind))
