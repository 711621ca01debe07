"""What drawing from a history costs after a million steps beside a thousand.

    python benchmarks/history_cost.py

A frame takes in the thirty steps since the last one and reduces every column. The two histories
take turns; the median of many frames counts. The target is a ratio of 1.2.
"""

import statistics
import time

from interactive_training import History, Recipe, Step
from interactive_training.engine.history import COLUMNS

FRAMES = 300
STEPS_A_FRAME = 30
RECIPE = Recipe()


def grow(history: History, steps: int) -> None:
    """Append steps with a loss that goes up and down."""
    for index in range(len(history), len(history) + steps):
        loss = 1 / (1 + index % 97)
        history.append(
            Step(index, loss, loss, 32, 0.1, 1.0, (), (), 1.0, 1.0, False, True, {}, RECIPE)
        )


def frame(history: History) -> float:
    """The seconds that one frame takes."""
    grow(history, STEPS_A_FRAME)
    start = time.perf_counter()
    for name in COLUMNS:
        history.reduced(name)
    return time.perf_counter() - start


def main() -> None:
    """Print both medians in microseconds and their ratio."""
    histories = History(), History()
    for history, steps in zip(histories, (1_000, 1_000_000), strict=True):
        grow(history, steps)
        frame(history)
    frames = [[frame(history) for history in histories] for _ in range(FRAMES)]
    short, long = (statistics.median(column) for column in zip(*frames, strict=True))
    print(f"after     1,000 steps {short * 1e6:8.0f} us a frame")
    print(f"after 1,000,000 steps {long * 1e6:8.0f} us a frame")
    print(f"ratio                 {long / short:8.3f}")


if __name__ == "__main__":
    main()
