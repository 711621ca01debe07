"""Whatever a solution does, the check ends in clear words and the next one works."""

from __future__ import annotations

import doctest
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from interactive_training.exercises import check, check_best_rate, check_train_step
from interactive_training.exercises.check import judge
from interactive_training.exercises.result import Result
from interactive_training.exercises.server import SECONDS


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    judge.end()


def right(hessian):
    curvatures = torch.linalg.eigvalsh(hessian)
    return (2 / (curvatures.min() + curvatures.max())).item()


def loops(hessian):
    while True:
        pass


def loops_after_some(hessian):
    if len(hessian) == 2:
        return right(hessian)
    while True:
        pass


def prints(hessian):
    for _ in range(20_000):
        print("over and over " * 1000)


def hoards_tensors(hessian):
    kept = []
    while True:
        kept.append(torch.ones(10**6))


def hoards_lists(hessian):
    kept = []
    while True:
        kept = [*kept, *range(10**6)]


def one_huge_tensor(hessian):
    return torch.ones(10**12)


def raises(hessian):
    raise ValueError("not today")


def recurses(hessian):
    return recurses(hessian)


def exits(hessian):
    raise SystemExit


def leaves(hessian):
    os._exit(0)


def crashes(hessian):
    os.kill(os.getpid(), signal.SIGSEGV)


def ends_the_judge(hessian):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(5)


def takes_too_much(hessian, more):
    return 1.0


def writes_a_huge_file(hessian):
    with open("big", "w") as file:
        while True:
            file.write("x" * 10**6)


def holds_itself(hessian):
    found = []
    found.append(found)
    return found


def a_generator(hessian):
    yield 1.0


def an_array(hessian):
    return np.ones(2)


def not_a_number(hessian):
    return float("nan")


def a_word(hessian):
    return "1.0"


def a_huge_number(hessian):
    return 10**5000


def checks_itself(hessian):
    return check_best_rate(checks_itself).tried


OUTSIDE = torch.ones(2)


def needs_the_outside(hessian):
    return OUTSIDE.sum().item()


NOT_YET = {
    loops_after_some: "still running after 5 seconds",
    prints: "It printed: over and over",
    hoards_tensors: "more than 256 MB of memory",
    hoards_lists: "more than 256 MB of memory",
    one_huge_tensor: "more than 256 MB of memory",
    raises: 'it raised ValueError in the line `raise ValueError("not today")`: not today',
    recurses: "it raised RecursionError in the line `return recurses(hessian)`",
    exits: "it raised SystemExit",
    leaves: "its process ended before it answered",
    crashes: "its process ended before it answered",
    ends_the_judge: "its process was ended; run the cell again",
    takes_too_much: "it raised TypeError: takes_too_much() missing 1 required positional argument",
    writes_a_huge_file: "it raised OSError",
    holds_itself: "it raised RecursionError",
    a_generator: "it returned a value of type generator",
    an_array: "it returned a value of type ndarray",
    not_a_number: "it is nan",
    a_word: "it returned a value of type str",
    a_huge_number: "it returned a value of type int, too large",
    checks_itself: "it raised RuntimeError in the line",
    needs_the_outside: "the code of OUTSIDE cannot be sent; make it inside the function",
}


@pytest.mark.parametrize(
    ("solution", "said"), NOT_YET.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_bad_solutions_end_in_clear_words(solution: Any, said: str) -> None:
    begin = time.monotonic()
    result = check_best_rate(solution, student="ada")
    assert not result
    assert said in str(result)
    assert len(str(result)) < 1200
    assert time.monotonic() - begin < 15
    assert check_best_rate(right, student="ada").passed


@pytest.mark.parametrize("given", [None, 3, "edge", ..., right(torch.eye(2)), torch.ones(2), type])
def test_what_is_no_function_is_named(given: Any) -> None:
    assert "is a function, given without brackets" in str(check_best_rate(given))


def test_a_lambda_is_a_function_too() -> None:
    assert "every direction shrinks" in str(check_best_rate(lambda hessian: 1.0))


# Solutions that attack the check ------------------------------------------------------------------


def patches_the_table(hessian):
    from interactive_training.exercises.table import EXERCISES

    object.__setattr__(EXERCISES["best_rate"], "judge", lambda case, seen: None)
    return 1.0


def patches_the_server(hessian):
    import sys

    for module in list(sys.modules.values()):
        if hasattr(module, "verdict"):
            module.verdict = lambda folder: {"tried": 8}
    return 1.0


def patches_the_comparison(hessian):
    import builtins

    torch.linalg.eigvalsh = lambda matrix: torch.ones(2)
    torch.allclose = torch.equal = lambda *args, **kwargs: True
    builtins.abs = builtins.max = lambda *args: 0.0
    return 1.0


def patches_json(hessian):
    import json

    json.dumps = lambda *args, **kwargs: '{"tried": 8}'
    return 1.0


def spoils_its_answer(hessian):
    import json

    with open("seen.json", "w") as file:
        json.dump({"observed": {"all": "right"}, "raised": ""}, file)
    os._exit(0)


def claims_to_be_right(hessian):
    import json

    with open("seen.json", "w") as file:
        json.dump({"observed": [0.2] * 8, "raised": ""}, file)
    print('{"tried": 8}', flush=True)
    os.write(1, b'{"tried": 8}\n')
    os._exit(0)


def agrees_with_everything(hessian):
    class Yes(float):
        def __eq__(self, other):
            return True

        def __lt__(self, other):
            return True

        __gt__ = __le__ = __ge__ = __lt__
        __hash__ = float.__hash__

    return Yes(1.0)


ATTACKS = [
    patches_the_table,
    patches_the_server,
    patches_the_comparison,
    patches_json,
    spoils_its_answer,
    claims_to_be_right,
    agrees_with_everything,
]


@pytest.mark.parametrize("solution", ATTACKS, ids=lambda v: v.__name__)
def test_an_attack_passes_nothing_now_or_later(solution: Any) -> None:
    assert not check_best_rate(solution, student="ada").passed
    assert not check_best_rate(plainly_wrong, student="ada").passed
    assert check_best_rate(right, student="ada").passed


def plainly_wrong(hessian):
    return 1.0


def starts_others(hessian):
    import subprocess

    others = subprocess.Popen(["sleep", "60"])
    raise ValueError(f"pid {others.pid}")


def test_what_a_solution_started_ends_with_it() -> None:
    found = re.search(r"pid (\d+)", check_best_rate(starts_others).saw)
    assert found is not None
    end = time.monotonic() + 5
    while time.monotonic() < end and alive(int(found[1])):
        time.sleep(0.02)
    assert not alive(int(found[1]))


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_interrupt_leaves_no_process_and_no_answer_for_the_next_check() -> None:
    assert check_best_rate(right)

    trying: list[psutil.Process] = []

    def interrupt(*_: object) -> None:
        assert judge.process is not None
        process = psutil.Process(judge.process.pid)
        trying.extend([process, *process.children(recursive=True)])
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            check_best_rate(loops)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - start < SECONDS  # not when the solution's time is up
    assert len(trying) >= 3  # the server, the judge and the solution
    assert not any(alive(process.pid) for process in trying)
    assert check_best_rate(right)


def test_the_judge_rests_when_it_has_nothing_to_do() -> None:
    assert check_best_rate(right)
    assert judge.rest is not None and judge.process is not None
    judge.retire()
    assert judge.process is None
    assert check_best_rate(right)


def test_it_works_where_no_process_can_be_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, runpy\n"
        "if __name__ == '__main__':\n"
        "    del os.fork\n"
        f"    runpy.run_path({str(check.SERVER)!r}, run_name='__main__')\n"
    )
    (tmp_path / "no_fork.py").write_text(program)
    monkeypatch.setattr(check, "SERVER", tmp_path / "no_fork.py")
    judge.end()
    assert check_best_rate(right)
    assert "larger than 0" in str(check_best_rate(negative))
    judge.end()


# What graders need --------------------------------------------------------------------------------


def test_a_test_cell_can_assert_and_demand() -> None:
    """As nbgrader grades: a cell that raises has failed."""
    assert check_best_rate(right)
    check_best_rate(right).demand()
    with pytest.raises(AssertionError, match=r"Must hold: a rate is larger than 0"):
        check_best_rate(negative).demand()


def negative(hessian):
    return -1.0


def test_a_doctest_can_compare() -> None:
    """As otter grades: prompts, and what they must print."""
    text = ">>> check_best_rate(solution).passed\nTrue\n"
    for solution, failures in ((right, 0), (negative, 1)):
        names = {"check_best_rate": check_best_rate, "solution": solution}
        test = doctest.DocTestParser().get_doctest(text, names, "rate", None, None)
        assert doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed == failures


def test_a_failure_names_property_input_and_what_was_seen() -> None:
    result = check_train_step(nothing, student="ada")
    assert isinstance(result, Result)
    first, must, tried, seen = str(result).splitlines()
    assert first == "nothing: not yet."
    assert must.startswith("  Must hold: ")
    assert tried.startswith("  Tried on: a ")
    assert seen == "  Seen: it returned nothing"


def nothing(model, optimizer, loss_fn, x, y):
    return None


def test_a_result_has_the_name_of_the_learners_own_function() -> None:
    def of(name: str) -> str:
        def solution(hessian):
            return -1.0

        solution.__name__ = name
        result = check_best_rate(solution, student="ada")
        assert str(result).startswith(f"{result.name}: not yet.\n")
        return result.name

    assert of("my_rate") == "my_rate"
    assert of("x" * 40) == "x" * 40
    for other in ("x" * 41, "<b>", "two words", ""):
        assert of(other) == "best_rate"
    assert check_best_rate(lambda hessian: 0.1).name == "best_rate"
    assert str(check_best_rate(right)).startswith("right: right, on 8 random inputs.")
    result = check_best_rate(raises, student="ada")
    assert result.failed == "raises comes to an end and returns something"
