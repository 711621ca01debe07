"""What becomes of Adam for every learning rate and momentum: the same run, for all of them at once.

Adam divides by the gradients it has seen, so that no factor a step describes it, as one does SGD.
But each of its numbers moves by itself: its rule, written out, takes thousands of runs in one go.
"""

from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from interactive_training.engine.errors import TaskError
from interactive_training.engine.paths import heights_of
from interactive_training.engine.race import Race
from interactive_training.engine.recipe import optimizer_values
from interactive_training.engine.surfaces import Surface
from interactive_training.probes.curvature import FateMap

SLOW, ARRIVES, SWINGS, LEAVES = range(4)
OUTCOMES = ("on its way", "arrives", "swings", "leaves")
DOWN = 1e-3  # of the height at the start: what stays lower in the last quarter has arrived
LR, MOMENTUM = (1e-2, 10.0), (0.0, 0.99)
CELLS = (56, 40)


def refusal(race: Race, lane: int = 0) -> str:
    """Why there is no map for a racer, in words, or "" if there is one."""
    recipe = race.racers[lane].recipe
    name = recipe.optimizer
    if name not in ("Adam", "AdamW"):
        return f"No map for {name}:\nevery point of it would be\na run of its own."
    usual = recipe.clip == "none" and recipe.schedule is None and recipe.keep_grad == 0
    if not usual or recipe.option("optimizer", "amsgrad") or "zero_grad" not in recipe.stages:
        return f"The map is for plain {name}:\nno clipping, no schedule,\nnothing kept, no amsgrad."
    if race.ground.noise:
        return "No map with noise:\nevery run ends elsewhere."
    return ""


def ways(race: Race, lr: torch.Tensor, beta1: torch.Tensor, lane: int = 0) -> torch.Tensor:
    """The ways of the racer's Adam or AdamW with each pair of lr and beta1 (N,).

    Points of shape (steps + 1, 2, N), the start first.
    """
    racer = race.racers[lane]
    values: dict[str, Any] = dict(optimizer_values(racer.recipe))
    (_, beta2), eps, decay = values["betas"], values["eps"], values["weight_decay"]
    decoupled = racer.recipe.optimizer == "AdamW"
    function = race.ground.function
    w = torch.tensor(race.start, dtype=torch.float64)[:, None].repeat(1, len(lr))
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    points = [w]
    for t in range(1, race.steps + 1):
        g = racer.scale * slopes(function, w)
        if decoupled:
            w = w * (1 - lr * decay)
        else:
            g = g + decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        w = w - lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)
        points.append(w)
    return torch.stack(points)


def slopes(function: Surface, w: torch.Tensor) -> torch.Tensor:
    """The gradient at each of many points (2, N)."""
    leaf = w.clone().requires_grad_()
    try:
        height = heights_of(function, leaf).sum()
    except Exception as error:
        raise TaskError("the function takes\none point at a time.") from error
    return torch.autograd.grad(height, leaf)[0]


def outcome_map(race: Race, lane: int = 0) -> FateMap:
    """The map of a racer's Adam or AdamW: from this start, after this many steps.

    `fates` are what most runs near a pair come to, since at a border neighbours differ. `rates`
    are the average factor of the height a step. Raises TaskError when the surface cannot be
    computed at many points at once.
    """
    lr, momentum = np.geomspace(*LR, CELLS[0]), np.linspace(*MOMENTUM, CELLS[1])
    grid = torch.as_tensor(np.stack(np.meshgrid(lr, momentum))).reshape(2, -1)
    points = ways(race, grid[0], grid[1], lane)
    half, late = race.steps // 2, -1 - race.steps // 4
    low, high = (torch.tensor(edge)[:, None] for edge in zip(*race.ground.row.box, strict=True))
    inside = ((points[-1] >= low) & (points[-1] <= high)).all(0).numpy()
    moves = points[half:].diff(dim=0)
    turned = ((moves[1:] * moves[:-1]).sum(1) < 0).any(0).numpy()
    seen = torch.cat((points[:1], points[late:])).transpose(0, 1)
    with torch.no_grad():
        heights = heights_of(race.ground.function, seen.reshape(2, -1)).reshape(seen.shape[1:])
    above = (heights - race.ground.row.lowest).clamp(min=1e-300).numpy()
    share = above[1:].max(0) / above[0]
    rates = np.where(inside, np.minimum(share, 1.0), np.nan) ** (1 / race.steps)
    rates = np.where(np.isnan(rates), 2.0, rates)
    fates = np.where(share < DOWN, ARRIVES, np.where(turned, SWINGS, SLOW))
    fates[~inside] = LEAVES
    fates = mostly(fates.reshape(len(momentum), len(lr)))
    shape = len(momentum), len(lr)
    row, column = np.unravel_index(int(np.argmin(rates)), shape)
    best = float(lr[column]), float(momentum[row])
    return FateMap(lr, momentum, rates.reshape(shape), fates, best)


def mostly(kinds: NDArray[np.int64], around: int = 2) -> NDArray[np.int64]:
    """At each place of a map the kind that most of the places around it have."""
    size = 2 * around + 1
    votes = [
        sliding_window_view(np.pad(kinds == kind, around, mode="edge"), (size, size)).sum((2, 3))
        for kind in range(len(OUTCOMES))
    ]
    found: NDArray[np.int64] = np.argmax(votes, 0)
    return found
