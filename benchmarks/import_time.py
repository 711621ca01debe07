"""What `import interactive_training` costs beside `import torch`.

    python benchmarks/import_time.py

Each round starts one fresh interpreter for either import, one after the other, so that both see
the same machine. The first round only warms the disk cache. `Run` is asked for by name, so that an
import put off until first use would count all the same. The target is a ratio of 1.1.
"""

import statistics
import subprocess
import sys

ROUNDS = 9
PROGRAM = """
import time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""


def seconds(statement: str) -> float:
    """Run an import in a fresh interpreter and return how long it took there."""
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    """Print both medians in seconds and their ratio."""
    statements = ("import torch", "from interactive_training import Run")
    rounds = [[seconds(statement) for statement in statements] for _ in range(1 + ROUNDS)][1:]
    torch, package = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"import torch                {torch:.3f} s")
    print(f"import interactive_training {package:.3f} s")
    print(f"ratio                       {package / torch:.3f}")


if __name__ == "__main__":
    main()
