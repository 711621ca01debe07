"""What becomes of Adam for every learning rate and momentum: the same run, for all of them at once.

Adam divides by the gradients it has seen, so that no factor a step describes it, as one does SGD.
But each of its numbers moves by itself: its rule, written out, takes thousands of runs in one go.
"""

from typing import Any

import numpy as np
import torch

from interactive_training.engine.paths import Floats, heights_of
from interactive_training.engine.race import Race
from interactive_training.engine.recipe import optimizer_values
from interactive_training.probes.curvature import FateMap

SLOW, ARRIVES, SWINGS, LEAVES = range(4)
OUTCOMES = ("on its way", "arrives", "swings", "leaves")
DOWN = 1e-3  # of the height at the start: lower than that is arrived
LR, MOMENTUM = (1e-2, 10.0), (0.0, 0.99)
CELLS = (56, 40)


def refusal(race: Race, lane: int = 0) -> str:
    """Why there is no map for a racer, in words, or "" if there is one."""
    recipe = race.racers[lane].recipe
    name = recipe.optimizer
    if name not in ("Adam", "AdamW"):
        return f"This map is for SGD and Adam.\n{name} has no momentum\nand no factor a step."
    usual = recipe.clip == "none" and recipe.schedule is None and recipe.keep_grad == 0
    if not usual or recipe.option("optimizer", "amsgrad") or "zero_grad" not in recipe.stages:
        return f"The map is for plain {name}:\nno clipping, no schedule,\nnothing kept, no amsgrad."
    if race.ground.noise:
        return "No map with noise:\nevery run ends elsewhere."
    return ""


def ends(race: Race, lr: torch.Tensor, beta1: torch.Tensor, lane: int = 0) -> tuple[Floats, Floats]:
    """Where the racer's Adam or AdamW ends with each pair of lr and beta1 (N,): points (2, N).

    Also whether it turned back on its way in the second half of its steps, (N,).
    """
    racer = race.racers[lane]
    values: dict[str, Any] = dict(optimizer_values(racer.recipe))
    (_, beta2), eps, decay = values["betas"], values["eps"], values["weight_decay"]
    decoupled = racer.recipe.optimizer == "AdamW"
    function = race.ground.function
    w = torch.tensor(race.start, dtype=torch.float64)[:, None].repeat(1, len(lr))
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    moved, turned = torch.zeros_like(w), torch.zeros(len(lr), dtype=torch.bool)
    for t in range(1, race.steps + 1):
        w.requires_grad_()
        (g,) = torch.autograd.grad(heights_of(function, w).sum(), w)
        w, before = w.detach(), moved
        g = racer.scale * g
        if decoupled:
            w = w * (1 - lr * decay)
        else:
            g = g + decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        moved = -lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)
        w = w + moved
        if t > race.steps // 2:
            turned |= (moved * before).sum(0) < 0
    return w.numpy(), turned.numpy()


def outcome_map(race: Race, lane: int = 0) -> FateMap:
    """The map of a racer's Adam or AdamW: from this start, after this many steps.

    `rates` are the average factor of the height a step. Raises what the surface raises when it
    cannot be computed at many points at once.
    """
    lr, momentum = np.geomspace(*LR, CELLS[0]), np.linspace(*MOMENTUM, CELLS[1])
    grid = torch.as_tensor(np.stack(np.meshgrid(lr, momentum))).reshape(2, -1)
    points, turned = ends(race, grid[0], grid[1], lane)
    low, high = np.transpose(race.ground.row.box)
    with np.errstate(invalid="ignore"):
        inside = ((low <= points.T) & (high >= points.T)).all(1)
    with torch.no_grad():
        both = np.concatenate([np.array([race.start]).T, points], 1)
        heights = heights_of(race.ground.function, torch.as_tensor(both)).numpy()
    above = np.maximum(heights - race.ground.row.lowest, 1e-300)
    share = above[1:] / above[0]
    rates = np.where(inside & (share < 1), share, 1.0) ** (1 / race.steps)
    rates[~inside] = 2.0
    fates = np.where(share < DOWN, ARRIVES, np.where(turned, SWINGS, SLOW))
    fates[~inside] = LEAVES
    shape = len(momentum), len(lr)
    row, column = np.unravel_index(int(np.argmin(rates)), shape)
    best = float(lr[column]), float(momentum[row])
    return FateMap(lr, momentum, rates.reshape(shape), fates.reshape(shape), best)
