"""Seconds and memory that each notebook takes, from start to end, its kernel and checks included.

Memory is the largest sum of the resident sets of the kernel and the processes it started, which
counts pages that they share twice; the second number, `pss`, counts them once. Linux only.

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


def used(family: list[psutil.Process]) -> tuple[int, int]:
    """Resident and proportional bytes of some processes."""
    resident = proportional = 0
    for process in family:
        try:
            memory = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        resident += memory.rss
        proportional += memory.pss
    return resident, proportional


def main() -> None:
    """Run each notebook and print a line for it."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in paths:
        peaks = [0, 0]
        done = threading.Event()

        def watch(peaks: list[int] = peaks, done: threading.Event = done) -> None:
            while not done.wait(0.05):
                now = used(psutil.Process().children(recursive=True))
                peaks[:] = map(max, peaks, now)

        thread = threading.Thread(target=watch)
        thread.start()
        begin = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": path.parent}}
        NotebookClient(notebook, timeout=120, resources=resources).execute()
        seconds = time.perf_counter() - begin
        done.set()
        thread.join()
        megabytes = [peak / 1e6 for peak in peaks]
        print(f"{path.stem}: {seconds:.1f} s, {megabytes[0]:.0f} MB, pss {megabytes[1]:.0f} MB")


if __name__ == "__main__":
    main()
