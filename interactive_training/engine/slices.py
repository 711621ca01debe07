"""The loss of a trained network as a surface over two of its weights, the others held."""

import copy
from dataclasses import dataclass, replace
from functools import cache
from math import prod

import torch

from interactive_training.engine.errors import TaskError
from interactive_training.engine.loop import train
from interactive_training.engine.noise import Surface
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.surfaces import Point
from interactive_training.engine.task import Task, copied

Weight = tuple[str, int]  # the name of a parameter, and a place in it, counted row by row
ROOM = 2.0  # above and below the trained weights, in sizes of the larger one
ASIDE = (0.86, 0.86)  # where to start, as shares of the box


@dataclass(frozen=True)
class Slice:
    """A slice through a network: `function` is its loss over all training rows.

    The trained weights lie at `trained`, the lowest point of the slice near them at `lowest`, as
    high as `height`.
    """

    function: Surface
    trained: Point
    lowest: Point
    height: float

    @property
    def box(self) -> tuple[Point, Point]:
        """The part to show: around the trained weights, with 0 on the picture."""
        x, y = (round(part, 1) for part in self.trained)
        half = ROOM * max(1.0, abs(x), abs(y))
        left, right = round(x - 1.4 * half, 2), round(x + 1.4 * half, 2)
        return (left, right), (round(y - half, 2), round(y + half, 2))

    @property
    def lr(self) -> float:
        """A rate that comes down: a quarter of what the slice's largest curvature allows."""
        at = torch.tensor(self.lowest, dtype=torch.float64)
        hessian = torch.autograd.functional.hessian(self.function, at)
        sharpest = float(torch.linalg.eigvalsh(hessian).max())
        return float(f"{0.5 / sharpest:.1g}") if sharpest > 0 else 0.1

    @property
    def start(self) -> Point:
        """A point well off the trained weights."""
        (left, right), (bottom, top) = self.box
        x, y = left + ASIDE[0] * (right - left), bottom + ASIDE[1] * (top - bottom)
        return round(x, 1), round(y, 1)


def slice_through(run: Run, first: Weight, second: Weight) -> Slice:
    """The slice through two weights of a run's network, as it stands now.

    A weight is named like ("0.weight", 3): the parameter, and which of its numbers. Raises
    TaskError for a run without data or a weight that is not there. Notice: of all its weights
    two move; the network itself could go around what looks like a wall here.
    """
    data = run.task.data
    if data is None:
        raise TaskError("this run has no network to slice; give a run of a task with data.")
    # Like every surface on the CPU: not every accelerator has float64.
    model = copied(run.model).cpu().double().eval().requires_grad_(False)
    inputs, targets = run.inputs.detach().cpu(), run.targets.cpu()
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    targets = targets.double() if targets.is_floating_point() else targets
    loss_fn = copy.deepcopy(run.mean_loss_fn).cpu()
    weights: dict[str, torch.Tensor] = dict(model.named_parameters())
    trained, unit = [], []
    for name, place in (first, second):
        if name not in weights or not 0 <= place < prod(weights[name].shape):
            raise TaskError(f"the network has no weight {place} in {name!r}; see its parameters.")
        mask = torch.zeros_like(weights[name])
        mask.view(-1)[place] = 1
        trained.append(float(weights[name].reshape(-1)[place]))
        unit.append({name: mask})
    at = float(trained[0]), float(trained[1])

    def network(w: torch.Tensor) -> torch.Tensor:
        moved = dict(weights)
        for part, (masks, before) in enumerate(zip(unit, at, strict=True)):
            for name, mask in masks.items():
                moved[name] = moved[name] + (w[part] - before) * mask
        loss: torch.Tensor = loss_fn(torch.func.functional_call(model, moved, inputs), targets)
        return loss

    low, height = lowest(network, at)
    return Slice(network, at, low, height)


def lowest(function: Surface, near: Point) -> tuple[Point, float]:
    """The lowest point that is reached downhill from a point, and its height."""
    w = torch.tensor(near, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([w], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        search.zero_grad()
        height = function(w)
        height.backward()
        return height

    search.step(closure)
    found = w.detach()
    return (float(found[0]), float(found[1])), float(function(found))


@cache
def moons_slice() -> Slice:
    """Two weights in a row of a small network that has learned moons, trained at the first call."""
    task = Task.named("moons", n=120, depth=1, width=6, activation="Tanh")
    run = Run(task, Recipe(optimizer="Adam", lr=0.03), seed=0, device="cpu")
    for _ in train(run, 300, record=False):
        pass
    return slice_through(run, ("0.weight", 4), ("2.weight", 2))


def network(w: torch.Tensor) -> torch.Tensor:
    """The loss of a network (moons, 2-6-2, tanh, 300 steps of Adam) while two weights move."""
    return moons_slice().function(w)


@cache
def network_slice() -> Slice:
    """The slice of the menu, whose function a script can import."""
    return replace(moons_slice(), function=network)
