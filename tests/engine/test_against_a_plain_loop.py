"""With every toggle at its default a run is the ten lines that a textbook prints."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task, train
from interactive_training.data import Data
from interactive_training.engine.mlp import Layers

from .runs import same_bits, weights

MODELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "linear": {"depth": 0},
    "dropout": {"dropout": 0.3},
    "batchnorm": {"norm": "BatchNorm1d"},
    "everything": {"norm": "BatchNorm1d", "dropout": 0.2, "residual": True, "init": "he"},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "AdamW": {"lr": 0.01},
    "RMSprop": {"lr": 0.003},
}
GRID = list(product(MODELS, OPTIMIZERS, (0, 1, 2)))
# Every model with every optimizer, and every seed with each of them.
COVER = [
    (model, optimizer, (row + column) % 3)
    for row, model in enumerate(MODELS)
    for column, optimizer in enumerate(OPTIMIZERS)
]


def by_hand(
    data: Data, model: str, optimizer: str, seed: int, *, zero_grad: bool = True
) -> list[torch.Tensor]:
    """The weights after 100 steps of a loop with torch's own random state and nothing of ours."""
    torch.manual_seed(seed)
    net = Layers(**MODELS[model]).build(2, 2)
    loss_fn = nn.CrossEntropyLoss()
    step = getattr(torch.optim, optimizer)(net.parameters(), **OPTIMIZERS[optimizer])
    done = 0
    while done < 100:
        for rows in torch.randperm(len(data.inputs)).split(32):
            if zero_grad:
                step.zero_grad()
            loss_fn(net(data.inputs[rows]), data.targets[rows]).backward()
            step.step()
            done += 1
            if done == 100:
                break
    return [p.detach() for p in net.parameters()] + list(net.buffers())


def by_run(model: str, optimizer: str, seed: int) -> tuple[Task, list[torch.Tensor]]:
    task = Task.named("moons", n=250, **MODELS[model])
    run = Run(task, Recipe(optimizer=optimizer, **OPTIMIZERS[optimizer]), seed=seed)
    for _ in train(run, 100):
        pass
    return task, [*weights(run), *run.model.buffers()]


@pytest.mark.parametrize(
    ("model", "optimizer", "seed"),
    [case if case in COVER else pytest.param(*case, marks=pytest.mark.full) for case in GRID],
)
def test_weights_after_100_steps_are_those_of_a_hand_written_loop(
    model: str, optimizer: str, seed: int
) -> None:
    task, ours = by_run(model, optimizer, seed)
    assert task.data is not None
    state = torch.get_rng_state()
    theirs = by_hand(task.data, model, optimizer, seed)
    torch.set_rng_state(state)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_comparison_sees_a_missing_line_and_another_seed() -> None:
    task, ours = by_run("plain", "SGD", 0)
    assert task.data is not None
    for wrong in (
        by_hand(task.data, "plain", "SGD", 0, zero_grad=False),
        by_hand(task.data, "plain", "SGD", 1),
    ):
        assert not all(same_bits(a, b) for a, b in zip(ours, wrong, strict=True))


def test_a_surface_walks_down_as_torch_does() -> None:
    w = torch.tensor([3.0, 2.0], dtype=torch.float64, requires_grad=True)
    step = torch.optim.SGD([w], lr=0.15)
    for _ in range(30):
        step.zero_grad()
        (w[0] ** 2 + 4 * w[1] ** 2).backward()
        step.step()
    run = Run("bowl", Recipe(lr=0.15))
    for _ in train(run, 30):
        pass
    assert same_bits(run.model.w, w)


def test_the_same_run_twice_ends_on_the_same_bits() -> None:
    first, second = (by_run("everything", "AdamW", 1)[1] for _ in range(2))
    assert all(same_bits(a, b) for a, b in zip(first, second, strict=True))


def test_defaults_are_torchs_defaults() -> None:
    """What the recipe leaves at None is what torch's class takes when nothing is said."""
    run = Run("moons", Recipe(optimizer="AdamW", lr=1e-3))
    plain = torch.optim.AdamW(run.model.parameters())
    ours, theirs = run.optimizer.param_groups[0], plain.param_groups[0]
    assert {k: v for k, v in ours.items() if k != "params"} == {
        k: v for k, v in theirs.items() if k != "params"
    }
    run.recipe = replace(run.recipe, betas=(0.5, 0.9))
    assert run.optimizer.param_groups[0]["betas"] != theirs["betas"]
