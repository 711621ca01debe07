"""An exercise: random inputs, what is looked at, and the properties that must hold.

The solution runs in one process, which only writes down what it did; another process, in which
no solution ever runs, makes the same inputs again and judges. What passes between them is plain
values. So a solution can spoil nothing but its own answers, and no answer is stored: the judge
computes each anew from the input.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch

Case = dict[str, Any]
CASES = 8
MOST_NUMBERS = 1_000  # of a returned tensor or list that are written down
LARGEST = 10**300  # of an integer that a float can hold
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")  # of so many batches at most


class Failed(Exception):
    """A property that does not hold, and what was seen instead."""

    def __init__(self, prop: str, saw: str = "") -> None:
        super().__init__(prop)
        self.prop = prop
        self.saw = saw


@dataclass(frozen=True)
class Exercise:
    """What a solution called `name` is tried on and how it is judged.

    `case` draws one random input from a generator, as plain values; the number beside it counts
    the inputs from 0, so that the first ones can be simple. `show` puts an input into words.
    `observe` calls the solution on an input and returns what it did, as plain values. `judge`
    raises Failed unless that is what the input asks for.
    """

    name: str
    case: Callable[[random.Random, int], Case]
    show: Callable[[Case], str]
    observe: Callable[[Callable[..., Any], Case], Any]
    judge: Callable[[Case, Any], None]

    def cases(self, seed: int) -> list[Case]:
        """The inputs for a learner's seed, the same at every try."""
        draw = random.Random(seed)  # noqa: S311  nothing secret is drawn
        return [self.case(draw, number) for number in range(CASES)]


def seed_of(student: str, exercise: str) -> int:
    """A learner's own seed for an exercise: neighbours are tried on different numbers."""
    digest = hashlib.sha256(f"{student}/{exercise}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


def plain(value: Any) -> Any:
    """What a solution returned as plain values; what is no number or list of numbers is named."""
    if isinstance(value, torch.Tensor):
        graph = value.grad_fn is not None
        many = value.numel() > MOST_NUMBERS
        numbers = None if many else value.detach().tolist()
        return {"kind": "tensor", "values": numbers, "graph": graph, "shape": list(value.shape)}
    if isinstance(value, int) and abs(value) >= LARGEST:
        return {"kind": "int, too large"}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple)) and len(value) <= MOST_NUMBERS:
        return [plain(part) for part in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a number of numpy
        return plain(value.item())
    return {"kind": type(value).__name__}


def kind_of(value: Any) -> str:
    """What a plain value was, with its article, as a sentence names it."""
    if isinstance(value, dict):
        kind = str(value["kind"])
        if kind == "tensor":
            size = "x".join(map(str, value["shape"])) or "one number"
            return f"a tensor ({size}{', with its graph' if value['graph'] else ''})"
        return f"a value of type {kind}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "nothing" if value is None else repr(value)


def number(value: Any, what: str) -> float:
    """A returned number that holds no graph; raises Failed for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Failed(f"{what} is returned as a Python number", f"it returned {kind_of(value)}")
    return float(value)


def numbers(value: Any, count: int, what: str) -> list[float]:
    """So many returned numbers, from a list or a tensor; raises Failed for anything else."""
    if isinstance(value, dict) and value["kind"] == "tensor" and value["shape"] == [count]:
        value = value["values"]
    prop = f"{what}: {count} numbers are returned"
    if not isinstance(value, list) or len(value) != count:
        raise Failed(prop, f"it returned {kind_of(value)}")
    return [number(part, what) for part in value]


def close(seen: float, wanted: float, *, share: float = 1e-6) -> bool:
    """Whether two numbers agree up to rounding."""
    return isfinite(seen) and abs(seen - wanted) <= share * max(1.0, abs(wanted))


def all_close(seen: Sequence[float], wanted: Sequence[float]) -> bool:
    """Whether two rows of numbers agree up to rounding."""
    return len(seen) == len(wanted) and all(map(close, seen, wanted))
