"""Runs a solution in a process of its own and writes down what it did.

The folder holds `request.json` (the exercise's name and its inputs) and `solution.py`. What is
written beside them is `seen.json`, one observation for each input or the reason why there is no
further one, and `printed.txt`, the beginning of what was printed.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from interactive_training.exercises.check import judge
from interactive_training.exercises.table import EXERCISES

if sys.platform != "win32":  # there is no limit but time
    import resource

MEMORY = 256 * 2**20  # bytes beyond what the process has when the solution starts
FILE = 2**20  # bytes of any file that it writes
BACKSTOP = 20  # seconds after which a trial ends even if nobody is left to end it
PRINTED = 200  # characters of its output that are shown


def run(folder: str) -> None:
    """Try the solution in `folder` on every input; ends the process with what it observed."""
    place = Path(folder)
    request = json.loads((place / "request.json").read_text(encoding="utf-8"))
    # The descriptors lead to the one who judges; nothing of the solution's may reach them.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    observed: list[Any] = []
    with (place / "printed.txt").open("w", encoding="utf-8") as file:
        sys.stdout = sys.stderr = Beginning(file)
        try:
            os.chdir(place)
            judge.on_trial = True
            limit()
            exercise = EXERCISES[request["exercise"]]
            solution: Callable[..., Any] = runpy.run_path("solution.py")[request["function"]]
            for case in request["cases"]:
                torch.manual_seed(0)
                observed.append(exercise.observe(solution, case))
                keep(place, {"observed": observed, "raised": ""})
        except BaseException as error:  # a SystemExit too is an answer
            keep(place, {"observed": observed, "raised": said(error)})
    os._exit(0)


def keep(place: Path, seen: dict[str, Any]) -> None:
    """Write down what was seen so far, whole or not at all: the process may end at any moment."""
    (place / "new.json").write_text(json.dumps(seen), encoding="utf-8")
    (place / "new.json").replace(place / "seen.json")


class Beginning(io.TextIOBase):
    """A stream that keeps the beginning of what is written to it, and forgets the rest."""

    def __init__(self, file: io.TextIOBase) -> None:
        self.file = file
        self.left = PRINTED

    def writable(self) -> bool:
        """Whether one may write here."""
        return True

    def write(self, text: str) -> int:
        """Keep what fits; a line that stops short of it shows that there was more."""
        if self.left > 0:
            self.file.write(text[: self.left] + (" ..." if len(text) > self.left else ""))
            self.file.flush()
            self.left -= len(text)
        return len(text)


def limit() -> None:
    """Put this process and what it starts in a group of their own, with little memory to take."""
    if sys.platform == "win32":
        return
    with suppress(PermissionError):  # it leads a group already
        os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the judge's own way of ending is not ours
    signal.alarm(BACKSTOP)
    resource.setrlimit(resource.RLIMIT_CPU, (BACKSTOP, BACKSTOP))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmData"))
        most = int(line.split()[1]) * 1024 + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def said(error: BaseException) -> str:
    """What went wrong in the solution, in one sentence with the line it happened in."""
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return f"it took more than {MEMORY // 2**20} MB of memory"
    kind = type(error).__name__
    words = str(error).strip().partition("\n")[0][:200]
    rows = [row for row in traceback.extract_tb(error.__traceback__) if "solution" in row.filename]
    where = f" in the line `{rows[-1].line}`" if rows and rows[-1].line else ""
    return f"it raised {kind}{where}" + (f": {words}" if words else "")
