"""The judge: a process that has imported torch and neither runs a solution nor judges one itself.

    python server.py FOLDER_OF_THE_PACKAGE

Each line that comes in names a folder with a request; the solution is tried in a child, and the
line that goes out is the verdict as JSON. A child is forked where the system can, which costs
milliseconds; a fresh interpreter would import torch again for every check. Where there is an
accelerator, torch refuses to differentiate in the child of a process that has done so itself, so
judging has a child of its own too.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS = 5.0  # that a solution may take for all its inputs
FORKS = hasattr(os, "fork")


def main() -> None:
    """Answer requests until the notebook's kernel closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is meant for the kernel
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which ends the child too
    sys.path.append(sys.argv[1])
    import torch

    from interactive_training.engine.lean import without_compiler

    without_compiler()
    import interactive_training.exercises.table  # noqa: F401  before the fork, not after it

    torch.set_num_threads(1)
    for line in sys.stdin:
        folder = line.rstrip("\n")
        if not FORKS:
            answer(folder)
        elif not answered(folder):
            print(flush=True)


def answered(folder: str) -> bool:
    """Let a child answer; return whether it came to a verdict."""
    child = multiprocessing.get_context("fork").Process(target=answer, args=(folder,))
    child.start()
    try:
        child.join()
    finally:
        child.terminate()  # which ends the trial too
        child.join()
    return child.exitcode == 0


def answer(folder: str) -> None:
    """Print the verdict on the solution in `folder`."""
    print(json.dumps(verdict(folder)), flush=True)


def verdict(folder: str) -> dict[str, Any]:
    """Try the solution in `folder` and judge what it did: the fields of a Result, but its name."""
    from interactive_training.exercises.exercise import Failed
    from interactive_training.exercises.table import EXERCISES

    place = Path(folder)
    request = json.loads((place / "request.json").read_text(encoding="utf-8"))
    exercise, cases = EXERCISES[request["exercise"]], request["cases"]
    called = request["called"]
    otherwise = tried(folder)
    found: dict[str, Any] = {"tried": len(cases)}
    with suppress(OSError):
        found["printed"] = (place / "printed.txt").read_text(encoding="utf-8", errors="replace")
    try:
        seen = json.loads((place / "seen.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        seen = {"observed": [], "raised": otherwise}
    case = cases[0]
    try:
        for case, observed in zip(cases, seen["observed"], strict=False):
            exercise.judge(case, observed)
        if len(seen["observed"]) < len(cases):
            case = cases[len(seen["observed"])]
            ends = f"{called} comes to an end and returns something"
            raise Failed(ends, seen["raised"] or otherwise)
    except Failed as failure:
        return {**found, "failed": failure.prop, "shown": exercise.show(case), "saw": failure.saw}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # What `observe` writes never does this.
        return {**found, "failed": f"{called} leaves the check alone", "saw": "it does not"}
    return found


def tried(folder: str) -> str:
    """Run the solution in a child within its time; return what to say where it did not answer."""
    from interactive_training.exercises import trial

    context: Any = multiprocessing.get_context("fork" if FORKS else "spawn")
    child = context.Process(target=trial.run, args=(folder,))
    child.start()
    try:
        child.join(SECONDS if FORKS else SECONDS + 30)
        late = child.is_alive()
    finally:
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)  # with all that it started
        child.kill()
        child.join()
    if late:
        return f"it was still running after {SECONDS:.0f} seconds"
    return "its process ended before it answered"


if __name__ == "__main__":
    main()
