"""The notebook's side of a check: send the solution's source out, show what comes back."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FunctionType
from typing import Any

from interactive_training.engine.definitions import Definitions, import_lines
from interactive_training.exercises.exercise import Exercise, seed_of
from interactive_training.exercises.result import Result

SERVER = Path(__file__).with_name("server.py")
LONGEST_NAME = 40  # letters of a solution's own name that are shown
IDLE = 120.0  # seconds without a check after which the judge's process ends


class Judge:
    """The process that judges: started by the first check, ended when it has nothing to do."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.lock = threading.Lock()
        self.rest: threading.Timer | None = None
        self.on_trial = False  # in the process of a solution, which must not start judges

    def ask(self, folder: str) -> dict[str, Any]:
        """Hand in a folder and wait for the verdict."""
        if self.on_trial:
            raise RuntimeError("a solution cannot check solutions")
        with self.lock:
            if self.rest is not None:
                self.rest.cancel()
            if self.process is None or self.process.poll() is not None:
                self.process = started()
            try:
                assert self.process.stdin is not None and self.process.stdout is not None
                self.process.stdin.write(folder + "\n")
                self.process.stdin.flush()
                answer: dict[str, Any] = json.loads(self.process.stdout.readline())
            except ValueError:
                self.end()
                ended = "the check comes to an end"
                return {"failed": ended, "saw": "its process was ended; run the cell again"}
            except BaseException:  # an interrupt: the answer must not wait for the next check
                self.end()
                raise
            self.rest = threading.Timer(IDLE, self.retire)
            self.rest.daemon = True
            self.rest.start()
            return answer

    def retire(self) -> None:
        """End the process unless a check is under way."""
        if self.lock.acquire(blocking=False):
            self.end()
            self.lock.release()

    def end(self) -> None:
        """End the process, and with it the solution that it may be trying."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
            self.process = None


def started() -> subprocess.Popen[str]:
    """A new judge, in a session of its own, so that an interrupt does not reach it."""
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(  # noqa: S603  our own script, with this Python
        [sys.executable, "-P", str(SERVER), root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )


judge = Judge()


def check(exercise: Exercise, solution: Any, student: str | None = None) -> Result:
    """Try a solution of an exercise in a process of its own, and say what held.

    `student` chooses the random inputs; by default it is the name of the account. A solution that
    fails, hangs, or cannot be sent gives a Result that says so; nothing is raised.
    """
    name = exercise.name
    if not isinstance(solution, FunctionType):
        blank = "nothing yet, only the three dots"
        given = blank if solution is ... else f"a value of type {type(solution).__name__}"
        return Result(name, failed=f"{name} is a function, given without brackets", saw=given)
    code = Definitions()
    function = solution.__name__ if solution.__name__.isidentifier() else name  # a lambda has none
    called = function if len(function) <= LONGEST_NAME else name
    code.add(solution, function)
    if code.lost:
        return Result(
            called,
            failed=f"{called} runs in a process of its own, with nothing but its code",
            saw=f"the code of {code.lost[0]} cannot be sent; make it inside the function",
        )
    request = {
        "exercise": name,
        "function": function,
        "called": called,
        "cases": exercise.cases(seed_of(student or account(), name)),
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        text = f"{import_lines(set(code.imports.values()))}\n\n\n{code}\n"
        (place / "solution.py").write_text(text, encoding="utf-8")
        (place / "request.json").write_text(json.dumps(request), encoding="utf-8")
        return Result(called, **judge.ask(folder))


def account() -> str:
    """The learner's name on a hub, else on this computer."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "learner"
