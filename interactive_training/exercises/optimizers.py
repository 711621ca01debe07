"""Exercises on optimizers: Adam's step. The judge walks with torch's own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch

from interactive_training.exercises.check import check
from interactive_training.exercises.exercise import Case, Exercise, Failed, close, kind_of, plain
from interactive_training.exercises.result import Result

Solution = Callable[..., Any]


def adam_case(draw: random.Random, at: int) -> Case:
    """Gradients of one weight, small and large, and Adam's values; the first are the usual ones."""
    size = 10 ** draw.uniform(-3, 3)
    return {
        "gradients": [float(f"{draw.gauss(0, size):.3g}") for _ in range(1 if at == 0 else 12)],
        "lr": (0.001, 0.1, 0.01)[at % 3],
        "beta1": 0.9 if at < 2 else round(draw.uniform(0.5, 0.95), 2),
        "beta2": 0.999 if at < 2 else round(draw.uniform(0.9, 0.99), 3),
        "eps": 1e-8 if at < 4 else 0.01,
    }


def adam_words(case: Case) -> str:
    """The gradients and values in words."""
    values = ", ".join(f"{name}={value}" for name, value in case.items() if name != "gradients")
    return f"the gradients {case['gradients']}, {values}"


def observe_adam(solution: Solution, case: Case) -> Any:
    """Call a solution for one gradient after the other, with what it returned as m and v."""
    values = {name: value for name, value in case.items() if name != "gradients"}
    m, v, seen = 0.0, 0.0, []
    for t, gradient in enumerate(case["gradients"], 1):
        returned = solution(gradient, m, v, t, **values)
        seen.append(plain(returned))
        _, m, v = returned
    return seen


def judge_adam(case: Case, seen: Any) -> None:
    """Compare each step with that of torch.optim.Adam."""
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    betas = (case["beta1"], case["beta2"])
    optimizer = torch.optim.Adam([w], lr=case["lr"], betas=betas, eps=case["eps"])
    for t, (gradient, returned) in enumerate(zip(case["gradients"], seen, strict=True), 1):
        before = w.item()
        w.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        wanted = w.item() - before
        three = isinstance(returned, list) and len(returned) == 3
        if not three or not all(type(part) in (int, float) for part in returned):
            raise Failed("three numbers are returned: step, m, v", f"it returned {kind_of(seen)}")
        if not close(returned[0] / case["lr"], wanted / case["lr"]):
            raise Failed(
                "each step is the one that torch.optim.Adam takes",
                f"step {t} is {returned[0]:.4g}",
            )


ADAM_STEP = Exercise("adam_step", adam_case, adam_words, observe_adam, judge_adam)


def check_adam_step(solution: Any, student: str | None = None) -> Result:
    """Check `adam_step(gradient, m, v, t, lr, beta1, beta2, eps)`: one step of Adam on one number.

    Called with t = 1, 2, 3 and so on; returns the step (to be added to the weight) and the new m
    and v as Python numbers. `student` chooses the random inputs, by default the account's name.
    """
    return check(ADAM_STEP, solution, student)
