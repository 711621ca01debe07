"""Exercises on the five lines: one step, and a whole loop.

The judge takes the same steps with the package's own `train`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from interactive_training.engine.loop import train
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.task import Task
from interactive_training.exercises.check import check
from interactive_training.exercises.exercise import (
    ORDINALS,
    Case,
    Exercise,
    Failed,
    all_close,
    close,
    kind_of,
    number,
    plain,
)
from interactive_training.exercises.result import Result

Solution = Callable[..., Any]
RECIPES: tuple[dict[str, Any], ...] = (
    {"optimizer": "SGD", "lr": 0.1},
    {"optimizer": "SGD", "lr": 0.05, "momentum": 0.9},
    {"optimizer": "Adam", "lr": 0.01},
)
MODELS = ("Tanh", "Sigmoid", "SiLU")


def network_case(draw: random.Random, at: int) -> Case:
    """A small network, an optimizer and batches that the data splits into; the first is SGD."""
    size = draw.randint(2, 5)
    return {
        "seed": draw.randrange(10**6),
        "inputs": draw.randint(1, 4),
        "width": draw.randint(2, 5),
        "outputs": draw.randint(1, 3),
        "activation": MODELS[at % len(MODELS)],
        "batch": size,
        "rows": size * draw.randint(3, 6),
        "recipe": RECIPES[at % len(RECIPES)],
    }


def in_words(case: Case) -> str:
    """A network, its optimizer and its batches, as a learner would describe them."""
    sizes = "-".join(str(case[name]) for name in ("inputs", "width", "outputs"))
    recipe = dict(case["recipe"])
    optimizer = recipe.pop("optimizer")
    values = ", ".join(f"{name}={value}" for name, value in recipe.items())
    batches = case["rows"] // case["batch"]
    rows = f"{batches} batches of {case['batch']} rows"
    return f"a {sizes} network with {case['activation']}, {optimizer}({values}), {rows}"


def made(case: Case) -> tuple[nn.Module, Tensor, Tensor]:
    """The network of an input with its data, in float64 so that rounding decides nothing."""
    torch.manual_seed(case["seed"])
    model = nn.Sequential(
        nn.Linear(case["inputs"], case["width"]),
        getattr(nn, case["activation"])(),
        nn.Linear(case["width"], case["outputs"]),
    ).double()
    x = torch.randn(case["rows"], case["inputs"], dtype=torch.float64)
    y = torch.randn(case["rows"], case["outputs"], dtype=torch.float64)
    return model, x, y


def optimizer_for(model: nn.Module, case: Case) -> torch.optim.Optimizer:
    """The torch optimizer of an input."""
    values = {key: value for key, value in case["recipe"].items() if key != "optimizer"}
    optimizer: torch.optim.Optimizer = getattr(torch.optim, case["recipe"]["optimizer"])(
        model.parameters(), **values
    )
    return optimizer


def flat(model: nn.Module) -> list[float]:
    """All weights of a model as one list."""
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    numbers: list[float] = weights.tolist()
    return numbers


def taken(case: Case) -> Iterable[tuple[float, list[float]]]:
    """The loss of each step of the package's own loop, and the weights after it."""
    model, x, y = made(case)
    task = Task.of(model, x, y, loss="MSELoss", batch_size=case["batch"])
    run = Run(task, Recipe(shuffle=False, **case["recipe"]), device="cpu")
    for step in train(run, case["rows"] // case["batch"]):
        yield step.loss, flat(run.model)


# One step -----------------------------------------------------------------------------------------


def observe_step(solution: Solution, case: Case) -> Any:
    """Call a solution once for each batch."""
    model, x, y = made(case)
    optimizer, loss_fn = optimizer_for(model, case), nn.MSELoss()
    size = case["batch"]
    seen = [{"returned": None, "weights": flat(model)}]
    for a, b in zip(x.split(size), y.split(size), strict=True):
        returned = plain(solution(model, optimizer, loss_fn, a, b))
        seen.append({"returned": returned, "weights": flat(model)})
    return seen


def judge_step(case: Case, seen: Any) -> None:
    """Compare each call with a step of the package's loop."""
    before = seen[0]["weights"]
    for at, ((loss, weights), call) in enumerate(zip(taken(case), seen[1:], strict=True)):
        which = f"the {ORDINALS[at]} call{', on another batch,' if at else ''}"
        returned = number(call["returned"], "the loss")
        if not close(returned, loss):
            raise Failed(
                "the loss returned is that of this batch, before the weights move",
                f"{which} returned {returned:.4g}",
            )
        if call["weights"] == before:
            raise Failed("a call moves the weights", f"in {which} no weight moved")
        if not all_close(call["weights"], weights):
            raise Failed(
                "the weights move by one step of the optimizer along the gradient of this batch, "
                "and of no other",
                f"in {which} they moved another way",
            )
        before = call["weights"]


TRAIN_STEP = Exercise("train_step", network_case, in_words, observe_step, judge_step)


def check_train_step(solution: Any, student: str | None = None) -> Result:
    """Check `train_step(model, optimizer, loss_fn, x, y)`: one training step, returning its loss.

    Called for one batch after the other, on random networks and optimizers. The loss is a Python
    number. `student` chooses the random inputs, by default the account's name.
    """
    return check(TRAIN_STEP, solution, student)


# A whole loop -------------------------------------------------------------------------------------


def observe_loop(solution: Solution, case: Case) -> Any:
    """Call a solution once for all batches."""
    model, x, y = made(case)
    optimizer, size = optimizer_for(model, case), case["batch"]
    before = flat(model)
    batches = list(zip(x.split(size), y.split(size), strict=True))
    returned = plain(solution(model, optimizer, nn.MSELoss(), batches))
    return {"before": before, "returned": returned, "weights": flat(model)}


def judge_loop(case: Case, seen: Any) -> None:
    """Compare the losses and the weights in the end with those of the package's loop."""
    steps = list(taken(case))
    returned = seen["returned"]
    prop = "the losses are returned as a list, one Python number for each batch"
    if not isinstance(returned, list) or len(returned) != len(steps):
        raise Failed(prop, f"it returned {kind_of(returned)}")
    losses = [number(loss, f"the {ORDINALS[at]} loss") for at, loss in enumerate(returned)]
    if not close(losses[0], steps[0][0]):
        raise Failed(
            "the first loss is that of the first batch, before any weight moves",
            f"it is {losses[0]:.4g}",
        )
    if seen["weights"] == seen["before"]:
        raise Failed("training moves the weights", "in the end no weight had moved")
    for at, (loss, (wanted, _)) in enumerate(zip(losses, steps, strict=True)):
        if not close(loss, wanted):
            right = "the first loss is" if at == 1 else f"the first {at} losses are"
            raise Failed(
                "every loss is that of its batch, after one step on each batch before it",
                f"{right} right, the {ORDINALS[at]} is not: {loss:.4g}",
            )
    if not all_close(seen["weights"], steps[-1][1]):
        raise Failed(
            "in the end the weights have taken one step for each batch, the last one too",
            "all losses are right, the weights in the end are not",
        )


TRAIN_LOOP = Exercise("train_loop", network_case, in_words, observe_loop, judge_loop)


def check_train_loop(solution: Any, student: str | None = None) -> Result:
    """Check `train_loop(model, optimizer, loss_fn, batches)`: a step for each batch, in order.

    `batches` is a list of pairs (x, y). The losses come back as a list of Python numbers.
    `student` chooses the random inputs, by default the account's name.
    """
    return check(TRAIN_LOOP, solution, student)
