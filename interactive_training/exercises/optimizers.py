"""Exercises on optimizers: two steps and groups of parameters. The judge walks with torch's own."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from interactive_training.exercises.check import check
from interactive_training.exercises.exercise import Case, Exercise, Failed, close, kind_of, plain
from interactive_training.exercises.result import Result

Solution = Callable[..., Any]

# Adam's step --------------------------------------------------------------------------------------


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


# AdamW's step -------------------------------------------------------------------------------------


def adamw_case(draw: random.Random, at: int) -> Case:
    """The same with a weight to begin with and a decay; the first ones go without decay."""
    return {
        **adam_case(draw, at),
        "w": round(draw.uniform(-3, 3), 2),
        "decay": 0.0 if at < 2 else round(draw.uniform(0.05, 1.0), 2),
    }


def adamw_words(case: Case) -> str:
    """The weight, the gradients and the values in words."""
    return f"w={case['w']}, {adam_words({k: v for k, v in case.items() if k != 'w'})}"


def observe_adamw(solution: Solution, case: Case) -> Any:
    """Call a solution for one gradient after the other, with what it returned as w, m and v."""
    values = {name: value for name, value in case.items() if name not in ("gradients", "w")}
    w, m, v, seen = case["w"], 0.0, 0.0, []
    for t, gradient in enumerate(case["gradients"], 1):
        returned = solution(w, gradient, m, v, t, **values)
        seen.append(plain(returned))
        w, m, v = returned
    return seen


def judge_adamw(case: Case, seen: Any) -> None:
    """Compare the weight after each step with that of torch.optim.AdamW."""
    w = torch.tensor(case["w"], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.AdamW(
        [w],
        lr=case["lr"],
        betas=(case["beta1"], case["beta2"]),
        eps=case["eps"],
        weight_decay=case["decay"],
    )
    for t, (gradient, returned) in enumerate(zip(case["gradients"], seen, strict=True), 1):
        w.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        three = isinstance(returned, list) and len(returned) == 3
        if not three or not all(type(part) in (int, float) for part in returned):
            raise Failed("three numbers are returned: w, m, v", f"it returned {kind_of(seen)}")
        if not close(returned[0], w.item(), share=1e-9):
            raise Failed(
                "the weight goes where torch.optim.AdamW takes it",
                f"after step {t} it is {returned[0]:.6g}",
            )


ADAMW_STEP = Exercise("adamw_step", adamw_case, adamw_words, observe_adamw, judge_adamw)


def check_adamw_step(solution: Any, student: str | None = None) -> Result:
    """Check `adamw_step(w, gradient, m, v, t, lr, decay, beta1, beta2, eps)`: a step of AdamW.

    Called with t = 1, 2, 3 and so on; returns the new weight, m and v as Python numbers. `student`
    chooses the random inputs, by default the account's name.
    """
    return check(ADAMW_STEP, solution, student)


# Groups -------------------------------------------------------------------------------------------


def groups_case(draw: random.Random, at: int) -> Case:
    """Widths of a network and a decay; from the third on with layer norms between."""
    return {
        "widths": [draw.randint(2, 6) for _ in range(draw.randint(2, 4))],
        "norms": at >= 2,
        "decay": round(draw.uniform(0.01, 0.5), 3),
    }


def layers(case: Case) -> list[nn.Module]:
    """The layers of an input that have parameters."""
    found: list[nn.Module] = []
    widths = case["widths"]
    for wide, narrow in pairwise(widths):
        found += [nn.Linear(wide, narrow), *[nn.LayerNorm(narrow)] * case["norms"]]
    return found


def groups_words(case: Case) -> str:
    """The network and the decay in words."""
    sizes = [
        f"{type(one).__name__}{tuple(reversed(one.weight.shape))}".replace(",)", ")")  # type: ignore[arg-type]
        for one in layers(case)
    ]
    return f"a network of {', '.join(sizes)}, decay={case['decay']}"


def observe_groups(solution: Solution, case: Case) -> Any:
    """Give what a solution returns to AdamW; write down the decays of each parameter's groups."""
    model = nn.Sequential(*layers(case))
    groups = torch.optim.AdamW(solution(model, case["decay"]), lr=0.01).param_groups
    return {
        name: [plain(g["weight_decay"]) for g in groups if any(p is one for one in g["params"])]
        for name, p in model.named_parameters()
    }


def judge_groups(case: Case, seen: Any) -> None:
    """Every parameter once: matrices with the decay, whatever has one dimension without."""
    for name, p in nn.Sequential(*layers(case)).named_parameters():
        found = seen[name]
        if len(found) != 1:
            raise Failed("every parameter is in one group", f"{name} is in {len(found)}")
        wanted = case["decay"] if p.dim() > 1 else 0.0
        if not isinstance(found[0], float | int) or not close(found[0], wanted):
            what = (
                "a matrix of weights decays" if wanted else "what has one dimension does not decay"
            )
            raise Failed(what, f"{name} has the decay {found[0]}")


GROUPS = Exercise("groups", groups_case, groups_words, observe_groups, judge_groups)


def check_groups(solution: Any, student: str | None = None) -> Result:
    """Check `groups(model, decay)`: the parameters in groups, as an optimizer takes them.

    Returns a list of dicts with "params" and "weight_decay": matrices with the decay, biases and
    whatever else has one dimension without. `student` chooses the random inputs, by default the
    account's name.
    """
    return check(GROUPS, solution, student)
