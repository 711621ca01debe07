"""What checking an exercise costs: the first check of a kernel, the next ones, and the memory.

    python benchmarks/checks.py

The first check starts the process that judges, which imports torch; the next ones fork it. The
target is 3 seconds for the first one. Memory is that of the judge while it waits, which it does
for two minutes after the last check.
"""

import statistics
import time

import psutil
import torch

from interactive_training.exercises import check_best_rate
from interactive_training.exercises.check import judge

ROUNDS, CHECKS = 5, 20


def best_rate(hessian: torch.Tensor) -> float:
    """Return the rate at which the slowest direction shrinks fastest."""
    curvatures = torch.linalg.eigvalsh(hessian)
    return (2 / (curvatures[0] + curvatures[-1])).item()


def seconds() -> float:
    """How long one check takes."""
    begin = time.perf_counter()
    check_best_rate(best_rate).demand()
    return time.perf_counter() - begin


def main() -> None:
    """Print the medians in seconds, and the judge's memory."""
    first, later = [], []
    for _ in range(ROUNDS):
        first.append(seconds())
        later += [seconds() for _ in range(CHECKS)]
        assert judge.process is not None
        memory = psutil.Process(judge.process.pid).memory_full_info()
        judge.end()
    print(f"first check  {statistics.median(first):.2f} s (longest {max(first):.2f} s)")
    print(f"next checks  {statistics.median(later):.3f} s (longest {max(later):.3f} s)")
    print(f"judge        {memory.rss / 1e6:.0f} MB, pss {memory.pss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
