"""Every check accepts right solutions in more than one style and rejects planted wrong ones."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from interactive_training import exercises
from interactive_training.exercises.check import judge
from interactive_training.exercises.exercise import CASES, seed_of
from interactive_training.exercises.table import EXERCISES


def planted() -> dict[str, tuple[list[Any], dict[Any, str]]]:
    """The solutions, from the file beside this one."""
    path = Path(__file__).with_name("planted.py")
    spec = importlib.util.spec_from_file_location("planted", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, tuple[list[Any], dict[Any, str]]] = module.PLANTED
    return found


PLANTED = planted()
RIGHT = [(name, solution) for name, (right, _) in PLANTED.items() for solution in right]
WRONG = [(name, *pair) for name, (_, wrong) in PLANTED.items() for pair in wrong.items()]


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    judge.end()


def check_of(name: str) -> Callable[..., exercises.Result]:
    found: Callable[..., exercises.Result] = getattr(exercises, f"check_{name}")
    return found


def test_every_exercise_is_planted_well() -> None:
    assert set(PLANTED) == set(EXERCISES)
    for right, wrong in PLANTED.values():
        assert len(right) >= 2
        assert len(wrong) >= 5


@pytest.mark.parametrize(("name", "solution"), RIGHT, ids=lambda v: getattr(v, "__name__", v))
def test_a_right_solution_passes(name: str, solution: Any) -> None:
    for student in ("ada", "emmy", "grace"):
        result = check_of(name)(solution, student=student)
        assert result.passed, result
        assert result.tried == CASES


@pytest.mark.parametrize(
    ("name", "solution", "said"), WRONG, ids=lambda v: getattr(v, "__name__", None)
)
def test_a_wrong_solution_is_told_what_failed(name: str, solution: Any, said: str) -> None:
    for student in ("ada", "emmy", "grace"):
        result = check_of(name)(solution, student=student)
        assert not result.passed
        assert result.failed and result.shown and result.saw
        assert said in str(result)


@pytest.mark.parametrize("student", ["ada", "emmy", "grace"])
def test_what_is_said_holds_no_answer(student: str) -> None:
    """The right rate of the very input that is shown stands nowhere in the words."""
    (right, *_), wrong = PLANTED["best_rate"]
    for solution in wrong:
        result = check_of("best_rate")(solution, student=student)
        shown = json.loads(result.shown.removeprefix("hessian "))
        answer = right(torch.tensor(shown, dtype=torch.float64))
        assert 0 < answer < 4
        numbers = re.findall(r"\d+\.\d+", str(result).replace(result.shown, ""))
        assert not any(abs(float(number) / answer - 1) < 0.005 for number in numbers), result


@pytest.mark.parametrize("name", EXERCISES)
def test_students_have_inputs_of_their_own(name: str) -> None:
    exercise = EXERCISES[name]
    ada = exercise.cases(seed_of("ada", name))
    assert ada == exercise.cases(seed_of("ada", name))
    assert ada != exercise.cases(seed_of("emmy", name))
    shown = [exercise.show(case) for case in ada]
    assert len(set(shown)) > CASES // 2


def test_of_several_loops_it_is_not_said_which_one_leaks() -> None:
    (right, *_), wrong = PLANTED["mean_loss"]
    leaks = next(iter(wrong))
    found = exercises.check_mean_loss(right, leaks, right)
    assert not found
    assert "2 of the 3 do" in str(found)
    assert leaks.__name__ not in str(found)
    together = exercises.check_mean_loss(right, right, student="ada")
    assert str(together) == "2 loops: right, on 8 random inputs."


# Stands for a machine with an accelerator: torch's autograd starts a thread for it.
ACCELERATOR = """
from torch.utils import backend_registration
backend_registration._setup_privateuseone_for_python_backend("stand_in")
"""


def test_checks_go_on_where_there_is_an_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(ACCELERATOR)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    judge.end()
    for _ in range(2):
        for name, solution in RIGHT:
            assert check_of(name)(solution, student="ada").passed, name
    judge.end()
