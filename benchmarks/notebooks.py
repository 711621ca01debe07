"""Seconds and memory that each notebook takes, from start to end, its kernel and checks included.

Memory is the largest resident set of the kernel, and beside it the largest sum for the kernel and
the processes it started (a proof's script, the judge of the exercises), in which pages that they
share count once. The target is 600 MB. Linux only.

    python benchmarks/notebooks.py [notebooks/01_five_lines.ipynb ...]
"""

import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def used() -> tuple[int, int]:
    """The kernel's resident bytes, and the proportional bytes of all that runs below here."""
    kernels = psutil.Process().children()
    family = [*kernels, *(child for kernel in kernels for child in kernel.children(recursive=True))]
    resident, proportional = [], 0
    for process in family:
        try:
            memory = process.memory_full_info()
        except psutil.Error:  # it has just ended
            continue
        resident.append(memory.rss if process in kernels else 0)
        proportional += memory.pss
    return max(resident, default=0), proportional


def main() -> None:
    """Run each notebook and print a line for it."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in paths:
        peaks = [0, 0]
        done = threading.Event()

        def watch(peaks: list[int] = peaks, done: threading.Event = done) -> None:
            while not done.wait(0.05):
                peaks[:] = map(max, peaks, used())

        thread = threading.Thread(target=watch)
        thread.start()
        begin = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": path.parent}}
        NotebookClient(notebook, timeout=120, resources=resources).execute()
        seconds = time.perf_counter() - begin
        done.set()
        thread.join()
        kernel, together = (peak / 1e6 for peak in peaks)
        print(f"{path.stem}: {seconds:.1f} s, kernel {kernel:.0f} MB, with all {together:.0f} MB")


if __name__ == "__main__":
    main()
