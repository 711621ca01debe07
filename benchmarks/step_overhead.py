"""What a step of `train` costs beside the same step written by hand.

    python benchmarks/step_overhead.py

Both train an MLP 2-64-64-2 on batches of 64 rows in one thread. `train` with all records stands
against a loop that reads its loss, `train(record=False)` against one that does not. The four take
turns; the first round only warms up, and the median of nine counts. Targets: 1.2 and 1.05.
"""

import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn

from interactive_training import Recipe, Run, Task, train
from interactive_training.data import moons

ROUNDS = 9
STEPS = 1000
ROWS, BATCH, LR = 2000, 64, 0.01


def by_hand(*, reads: bool) -> Callable[[int], None]:
    """The loop that one writes with nothing but torch, ready to take so many steps."""
    torch.manual_seed(0)
    data = moons(ROWS)
    inputs, targets = data.inputs, data.targets
    model = nn.Sequential(
        nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
    )
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    losses: list[float] = []

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            for rows in torch.randperm(len(inputs)).split(BATCH):
                yield inputs[rows], targets[rows]

    def take(steps: int) -> None:
        for _, (x, y) in zip(range(steps), endless, strict=False):
            optimizer.zero_grad()
            output = model(x)
            loss = loss_fn(output, y)
            loss.backward()
            optimizer.step()
            if reads:
                losses.append(loss.item())

    endless = batches()
    return take


def by_train(*, record: bool) -> Callable[[int], None]:
    """The same as a run."""
    task = Task.named("moons", n=ROWS, width=64)
    run = Run(task, Recipe(lr=LR, batch_size=BATCH), device="cpu")

    def take(steps: int) -> None:
        for _ in train(run, steps, record=record):
            pass

    return take


def seconds(take: Callable[[int], None]) -> float:
    """The processor time that the steps take: other programs on the machine do not count."""
    start = time.process_time()
    take(STEPS)
    return time.process_time() - start


def main() -> None:
    """Print the median of each loop in microseconds a step, and the two ratios."""
    torch.set_num_threads(1)
    loops = {
        "by hand, reads its loss": by_hand(reads=True),
        "train, all records": by_train(record=True),
        "by hand, reads nothing": by_hand(reads=False),
        "train(record=False)": by_train(record=False),
    }
    rounds = [[seconds(take) for take in loops.values()] for _ in range(1 + ROUNDS)][1:]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    for name, median in zip(loops, medians, strict=True):
        print(f"{name:26}{median / STEPS * 1e6:8.1f} us")
    print(f"ratio with all records    {medians[1] / medians[0]:8.3f}")
    print(f"ratio with record=False   {medians[3] / medians[2]:8.3f}")


if __name__ == "__main__":
    main()
