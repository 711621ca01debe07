"""Few combinations of many switches in which every pair of positions occurs together."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product
from typing import Any

ATTEMPTS = 200  # before a pair counts as impossible
ENOUGH = 15  # once something legal is found

Combination = dict[str, Any]
Positions = dict[str, int]


def pairwise(
    switches: Mapping[str, Sequence[Any]], legal: Callable[[Combination], bool], seed: int = 0
) -> list[Combination]:
    """Combinations that are legal and together hold every pair that is legal in one of many draws.

    Greedy: the first pair not met yet is fixed, and of some random fillings of the other switches
    the one that meets most new pairs is taken.
    """
    draw = random.Random(seed)
    missing = {
        pair: None
        for one, other in combinations(switches, 2)
        for pair in product(
            [(one, i) for i in range(len(switches[one]))],
            [(other, j) for j in range(len(switches[other]))],
        )
    }
    found: list[Combination] = []
    while missing:
        fixed = dict(next(iter(missing)))
        best: tuple[int, Positions] | None = None
        for attempt in range(ATTEMPTS):
            at = {name: draw.randrange(len(values)) for name, values in switches.items()} | fixed
            if legal(values_at(switches, at)):
                new = sum(pair in missing for pair in combinations(at.items(), 2))
                best = max(best or (0, {}), (new, at), key=lambda scored: scored[0])
            if best and attempt >= ENOUGH:
                break
        if best is None:
            missing.pop(next(iter(missing)))  # these two exclude each other
            continue
        found.append(values_at(switches, best[1]))
        for pair in combinations(best[1].items(), 2):
            missing.pop(pair, None)
    return found


def values_at(switches: Mapping[str, Sequence[Any]], at: Positions) -> Combination:
    return {name: switches[name][i] for name, i in at.items()}
