"""What a path over a surface costs beside the same path written by hand, and what 1,000 cost.

    python benchmarks/path.py

Every optimizer takes 100 steps down the bowl, as `engine.paths.path` does it for BowlLab and as a
loop with nothing but torch.optim, both with every point kept and in one thread; they take turns,
the first round only warms up, and the median of nine counts. Then 1,000 starts of one optimizer in
one run stand against one start. Targets: 1.3 and 3.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from interactive_training import Recipe
from interactive_training.engine.choices import OPTIMIZERS
from interactive_training.engine.paths import ELEMENTWISE, cloud, path
from interactive_training.engine.recipe import optimizer_values
from interactive_training.engine.surfaces import bowl

ROUNDS = 9
STEPS = 100
START = (3.0, 2.0)
LR = 0.15


def by_hand(name: str) -> torch.Tensor:
    """The loop that one writes with nothing but torch; it keeps every point."""
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = OPTIMIZERS[name].make([w], **optimizer_values(Recipe(optimizer=name, lr=LR)))
    points = [w.detach().clone()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = bowl(w)
        loss.backward()
        optimizer.step()
        points.append(w.detach().clone())
    return torch.stack(points)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def medians(*works: Callable[[], object]) -> list[float]:
    """The median of each in milliseconds; they take turns."""
    rounds = [[seconds(work) for work in works] for _ in range(1 + ROUNDS)][1:]
    return [1e3 * statistics.median(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    """Print for every optimizer the times of 100 steps and the two ratios."""
    torch.set_num_threads(1)
    starts = np.random.default_rng(0).uniform(-3, 3, (1000, 2))
    print(f"{'':10}{'by hand ms':>12}{'path ms':>10}{'ratio':>8}{'cloud ms':>10}{'ratio':>8}")
    for name in OPTIMIZERS:
        recipe = Recipe(optimizer=name, lr=LR)

        def one(recipe: Recipe = recipe) -> object:
            return path(bowl, START, recipe, STEPS)

        def many(recipe: Recipe = recipe) -> object:
            return cloud(bowl, starts, recipe, STEPS)

        works = [lambda name=name: by_hand(name), one, *([many] * (name in ELEMENTWISE))]
        hand, ours, *cloudy = medians(*works)
        row = f"{name:10}{hand:12.2f}{ours:10.2f}{ours / hand:8.2f}"
        if cloudy:
            row += f"{cloudy[0]:10.2f}{cloudy[0] / ours:8.2f}"
        print(row)


if __name__ == "__main__":
    main()
