"""Exercises on a bowl, L(w) = w . H w / 2: going down, two rates, and a rolling ball.

The judge walks with the package's own `train`; what a rate does to the slowest direction follows
from the curvatures.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from interactive_training.engine.loop import train
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.task import Task
from interactive_training.exercises.check import check
from interactive_training.exercises.exercise import (
    Case,
    Exercise,
    Failed,
    all_close,
    number,
    numbers,
    plain,
)
from interactive_training.exercises.loops import flat
from interactive_training.exercises.result import Result

Solution = Callable[..., Any]


def curvatures_and_turn(draw: random.Random, size: int, *, turned: bool) -> list[list[float]]:
    """A Hessian with curvatures from 0.5 to 10 along random directions, or along the axes."""
    curvatures = torch.tensor([draw.uniform(0.5, 10) for _ in range(size)], dtype=torch.float64)
    turn = torch.eye(size, dtype=torch.float64)
    if turned:
        entries = [[draw.gauss(0, 1) for _ in range(size)] for _ in range(size)]
        turn = torch.linalg.qr(torch.tensor(entries, dtype=torch.float64)).Q
    hessian = turn @ torch.diag(curvatures) @ turn.T
    # Few digits, so that what is shown is what was tried, and symmetric to the last of them.
    rounded: list[list[float]] = ((hessian + hessian.T) / 2).mul(100).round().div(100).tolist()
    return rounded


def matrix(case: Case) -> Tensor:
    """The Hessian of an input, float64."""
    return torch.tensor(case["hessian"], dtype=torch.float64)


def safe_rate(draw: random.Random, hessian: list[list[float]]) -> float:
    """A rate well below the largest one that comes down."""
    curvatures = torch.linalg.eigvalsh(torch.tensor(hessian, dtype=torch.float64))
    return round(draw.uniform(0.2, 0.9) * 2 / float(curvatures.max()), 3)


def walk_case(draw: random.Random, at: int) -> Case:
    """A bowl of two weights with a start and a rate; the first ones lie along the axes."""
    hessian = curvatures_and_turn(draw, 2, turned=at >= 2)
    return {
        "hessian": hessian,
        "start": [round(draw.uniform(-3, 3), 2) for _ in range(2)],
        "lr": safe_rate(draw, hessian),
        "momentum": round(draw.uniform(0.3, 0.9), 2),
        "steps": (1, 2, 0, 3, 5, 10, 20, 40)[at % 8],
    }


def walk_words(case: Case) -> str:
    """A walk on a bowl in words."""
    words = f"hessian {case['hessian']}, start {case['start']}, lr={case['lr']}"
    return f"{words}, steps={case['steps']}"


def ball_words(case: Case) -> str:
    """A walk with momentum in words."""
    return f"{walk_words(case)}, momentum={case['momentum']}"


def observe_walk(solution: Solution, case: Case, *more: float) -> Any:
    """Call a solution on one bowl, and look whether its start was left alone."""
    start = torch.tensor(case["start"], dtype=torch.float64)
    returned = plain(solution(start, matrix(case), case["lr"], *more, case["steps"]))
    return {"returned": returned, "start": start.tolist()}


def judge_walk(case: Case, seen: Any, momentum: float | None = None) -> None:
    """Compare the end of a walk with that of the package's loop."""
    end = numbers(seen["returned"], 2, "the point after the last step")
    if seen["start"] != case["start"]:
        raise Failed("the start that was handed in stays as it was", f"it is {seen['start']} now")
    if case["steps"] == 0 and end != case["start"]:
        raise Failed("after 0 steps one is still at the start", f"it returned {end}")
    hessian = matrix(case)
    task = Task.surface(lambda w: 0.5 * w @ hessian @ w, case["start"])
    run = Run(task, Recipe(lr=case["lr"], momentum=momentum), device="cpu")
    for _ in train(run, case["steps"], record=False):
        pass
    if not all_close(end, flat(run.model)):
        rule = "the velocity" if momentum else "the slope"
        raise Failed(
            f"each step goes the rate times {rule} downhill, so many times",
            f"it ended at [{end[0]:.4g}, {end[1]:.4g}]",
        )


DESCEND = Exercise("descend", walk_case, walk_words, observe_walk, judge_walk)


def check_descend(solution: Any, student: str | None = None) -> Result:
    """Check `descend(start, hessian, lr, steps)`: plain gradient descent on w . H w / 2.

    `start` (2,) and `hessian` (2, 2) are float64 tensors; the point after the last step comes back
    as a tensor or a list. `student` chooses the random inputs, by default the account's name.
    """
    return check(DESCEND, solution, student)


ROLL = Exercise(
    "roll",
    walk_case,
    ball_words,
    lambda solution, case: observe_walk(solution, case, case["momentum"]),
    lambda case, seen: judge_walk(case, seen, case["momentum"]),
)


def check_roll(solution: Any, student: str | None = None) -> Result:
    """Check `roll(start, hessian, lr, momentum, steps)`: SGD with momentum on w . H w / 2.

    The velocity starts at 0, is multiplied by `momentum` and gets the slope added; the point moves
    by the rate times the velocity, as in torch. `student` chooses the random inputs.
    """
    return check(ROLL, solution, student)


# The edge and the best rate -----------------------------------------------------------------------


def bowl_case(draw: random.Random, at: int) -> Case:
    """A bowl of 2 to 4 weights; the first ones lie along the axes."""
    return {"hessian": curvatures_and_turn(draw, 2 + at % 3, turned=at >= 2)}


def bowl_words(case: Case) -> str:
    """A bowl in words."""
    return f"hessian {case['hessian']}"


def observe_rate(solution: Solution, case: Case) -> Any:
    """Ask a solution for a rate."""
    returned = solution(matrix(case))
    return plain(returned.item() if isinstance(returned, Tensor) else returned)


def slowest(case: Case, rate: float) -> float:
    """By what a step multiplies the distance along the direction that shrinks least."""
    return float((1 - rate * torch.linalg.eigvalsh(matrix(case))).abs().max())


def judge_edge(case: Case, seen: Any) -> None:
    """Look what happens a hair below the rate, and a hair above it."""
    rate = number(seen, "the edge")
    if not rate > 0:
        raise Failed("a rate is larger than 0", f"it is {rate:.4g}")
    if slowest(case, rate * 0.999) >= 1:
        raise Failed(
            "a hair below the edge every direction shrinks",
            f"0.1 % below {rate:.4g} one does not",
        )
    if slowest(case, rate * 1.001) <= 1:
        raise Failed(
            "a hair above the edge one direction grows",
            f"0.1 % above {rate:.4g} all still shrink",
        )


EDGE = Exercise("edge", bowl_case, bowl_words, observe_rate, judge_edge)


def check_edge(solution: Any, student: str | None = None) -> Result:
    """Check `edge(hessian)`: the rate below which gradient descent on w . H w / 2 comes down.

    `hessian` is a float64 tensor of shape (n, n) with n from 2 to 4; a Python number or a tensor
    of one number comes back. `student` chooses the random inputs, by default the account's name.
    """
    return check(EDGE, solution, student)


def judge_rate(case: Case, seen: Any) -> None:
    """Look what the rate does to the slowest direction, and whether a neighbour does better."""
    rate = number(seen, "the rate")
    if not rate > 0:
        raise Failed("a rate is larger than 0", f"it is {rate:.4g}")
    if not slowest(case, rate) < 1:
        raise Failed(
            "with this rate every direction shrinks",
            f"with {rate:.4g} one is multiplied by {slowest(case, rate):.4g} a step",
        )
    better = min((slowest(case, rate * share), share) for share in (0.9, 0.99, 1.01, 1.1))
    if better[0] < slowest(case, rate):
        side = "smaller" if better[1] < 1 else "larger"
        raise Failed(
            "no other rate shrinks the slowest direction faster",
            f"with {rate:.4g} it is multiplied by {slowest(case, rate):.4g} a step; a {side} rate "
            "does better",
        )


BEST_RATE = Exercise("best_rate", bowl_case, bowl_words, observe_rate, judge_rate)


def check_best_rate(solution: Any, student: str | None = None) -> Result:
    """Check `best_rate(hessian)`: the rate at which the slowest direction shrinks fastest.

    `hessian` is a symmetric float64 tensor of 2 to 4 weights with positive curvatures; the rate
    comes back as a number. `student` chooses the random inputs, by default the account's name.
    """
    return check(BEST_RATE, solution, student)
