"""Optimizers: rows against torch, paths against a loop by hand and against the formulas."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from interactive_training import Recipe, Run, Task, train
from interactive_training.engine.choices import OPTIMIZERS

START = (3.0, 2.0)


def quadratic(w: torch.Tensor) -> torch.Tensor:
    return w[0] ** 2 + 4 * w[1] ** 2 + 0.5 * w[0] * w[1]


TASK = Task.surface(quadratic, START)

# Fields of the recipe, and what torch is called with.
PATHS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"lr": 0.001, "maximize": True}),
    ("RMSprop", {"lr": 0.05}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "eps": 1e-4}),
    ("RMSprop", {"lr": 0.02, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.5}),
    ("Adagrad", {"lr": 0.5, "lr_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.3, "amsgrad": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
]


def recipe_of(name: str, values: dict[str, Any], **others: Any) -> Recipe:
    options = {k: v for k, v in values.items() if k not in Recipe.__dataclass_fields__}
    plain = {k: v for k, v in values.items() if k not in options}
    return Recipe(optimizer=name, optimizer_options=options, **plain, **others)


def path(run: Run, steps: int) -> list[list[float]]:
    """Where the point is after each step."""
    return [run.model.w.tolist() for _ in train(run, steps)]


def by_hand(make: Callable[[list[torch.Tensor]], Any], steps: int) -> list[list[float]]:
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, found = make([w]), []
    for _ in range(steps):
        optimizer.zero_grad()
        quadratic(w).backward()
        optimizer.step()
        found.append(w.tolist())
    return found


# The table --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_field_has_torchs_name_and_default(name: str) -> None:
    row = OPTIMIZERS[name]
    torchs = inspect.signature(row.make).parameters
    assert row.make is getattr(torch.optim, name)
    for field in row.fields:
        if field.name != "lr":  # the recipe's own default is the one of the lab
            assert field.default == torchs[field.name].default, field.name
    assert row.notice.endswith(".") and row.source.endswith(".")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_recipe_that_says_nothing_has_torchs_groups(name: str) -> None:
    w = torch.zeros(2, requires_grad=True)
    torchs = getattr(torch.optim, name)([w], lr=0.1).param_groups[0]
    ours = Run(TASK, Recipe(optimizer=name)).optimizer.param_groups[0]
    assert {k: v for k, v in ours.items() if k != "params"} == {
        k: v for k, v in torchs.items() if k != "params"
    }


# Paths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "values"), PATHS)
def test_fifty_steps_are_those_of_a_loop_by_hand(name: str, values: dict[str, Any]) -> None:
    cls = getattr(torch.optim, name)
    found = path(Run(TASK, recipe_of(name, values)), 50)
    assert found == by_hand(lambda w: cls(w, **values), 50)
    assert found[0] != list(START)


def slope(w: list[float]) -> list[float]:
    return [2 * w[0] + 0.5 * w[1], 8 * w[1] + 0.5 * w[0]]


def sgd(
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Iterator[list[float]]:
    w, v = list(START), [0.0, 0.0]
    for t in range(50):
        g = [-x if maximize else x for x in slope(w)]
        g = [x + weight_decay * y for x, y in zip(g, w, strict=True)]
        if momentum:
            v = [momentum * x + (1 - dampening if t else 1) * y for x, y in zip(v, g, strict=True)]
            g = [y + momentum * x for x, y in zip(v, g, strict=True)] if nesterov else v
        w = [x - lr * y for x, y in zip(w, g, strict=True)]
        yield w


def adam(
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    amsgrad: bool = False,
) -> Iterator[list[float]]:
    w, m, v, top = list(START), [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for t in range(1, 51):
        g = slope(w)
        if decoupled:
            w = [x * (1 - lr * weight_decay) for x in w]
        else:
            g = [x + weight_decay * y for x, y in zip(g, w, strict=True)]
        m = [betas[0] * x + (1 - betas[0]) * y for x, y in zip(m, g, strict=True)]
        v = [betas[1] * x + (1 - betas[1]) * y * y for x, y in zip(v, g, strict=True)]
        top = [max(x, y) for x, y in zip(top, v, strict=True)]
        for i, second in enumerate(top if amsgrad else v):
            size = math.sqrt(second / (1 - betas[1] ** t)) + eps
            w[i] = w[i] - lr * m[i] / (1 - betas[0] ** t) / size
        yield list(w)


def rmsprop(
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> Iterator[list[float]]:
    w, v, mean, b = list(START), [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for _ in range(50):
        g = [x + weight_decay * y for x, y in zip(slope(w), w, strict=True)]
        v = [alpha * x + (1 - alpha) * y * y for x, y in zip(v, g, strict=True)]
        mean = [alpha * x + (1 - alpha) * y for x, y in zip(mean, g, strict=True)]
        for i in range(2):
            spread = v[i] - mean[i] ** 2 if centered else v[i]
            b[i] = momentum * b[i] + g[i] / (math.sqrt(spread) + eps)
            w[i] -= lr * b[i]
        yield list(w)


def adagrad(
    lr: float,
    lr_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
) -> Iterator[list[float]]:
    w, total = list(START), [initial_accumulator_value] * 2
    for t in range(50):
        g = slope(w)
        total = [x + y * y for x, y in zip(total, g, strict=True)]
        rate = lr / (1 + t * lr_decay)
        w = [x - rate * y / (math.sqrt(s) + eps) for x, y, s in zip(w, g, total, strict=True)]
        yield w


FORMULAS: dict[str, Callable[..., Iterator[list[float]]]] = {
    "SGD": sgd,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adam": adam,
    "AdamW": lambda weight_decay=0.01, **rest: adam(
        weight_decay=weight_decay, decoupled=True, **rest
    ),
}


@pytest.mark.parametrize(("name", "values"), [path for path in PATHS if path[0] in FORMULAS])
def test_fifty_steps_are_those_of_the_formula(name: str, values: dict[str, Any]) -> None:
    found = path(Run(TASK, recipe_of(name, values)), 50)
    wanted = list(FORMULAS[name](**values))
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def test_radam_is_momentum_until_the_variance_is_known() -> None:
    """Five steps of bias-corrected momentum, then the rescaling."""
    found = path(Run(TASK, Recipe(optimizer="RAdam", lr=0.01)), 6)
    w, m = list(START), [0.0, 0.0]
    for t in range(1, 7):
        m = [0.9 * x + 0.1 * y for x, y in zip(m, slope(w), strict=True)]
        w = [x - 0.01 * y / (1 - 0.9**t) for x, y in zip(w, m, strict=True)]
        near = pytest.approx(w, rel=1e-12)
        assert (found[t - 1] == near) == (t <= 5)


@pytest.mark.parametrize("g", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("SGD", lambda g: 0.01 * g),
        ("RAdam", lambda g: 0.01 * g),
        ("Adam", lambda g: 0.01),
        ("AdamW", lambda g: 0.01),
        ("Adagrad", lambda g: 0.01),
        ("RMSprop", lambda g: 0.1),
    ],
)
def test_the_first_step(name: str, size: Callable[[float], float], g: float) -> None:
    task = Task.surface(lambda w: g * w.sum(), (1.0, 1.0))
    recipe = Recipe(optimizer=name, lr=0.01, weight_decay=0.0)
    (at,) = path(Run(task, recipe), 1)
    rel = 1e-4 if name == "RMSprop" else 2e-5  # eps, where g is small
    assert 1 - at[0] == pytest.approx(size(g), rel=rel)


# Live edits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "change"),
    [
        ("SGD", {"lr": 0.02, "momentum": 0.9}, {"lr": 0.05}),
        ("SGD", {"lr": 0.02, "momentum": 0.9}, {"momentum": 0.5}),
        ("SGD", {"lr": 0.02}, {"momentum": 0.9}),
        ("SGD", {"lr": 0.02, "momentum": 0.9}, {"weight_decay": 0.2, "nesterov": True}),
        ("RMSprop", {"lr": 0.02}, {"weight_decay": 0.2, "lr": 0.03}),
        ("Adagrad", {"lr": 0.3}, {"lr": 0.1}),
        ("Adam", {"lr": 0.1}, {"betas": (0.5, 0.9)}),
        ("Adam", {"lr": 0.1}, {"weight_decay": 0.2}),
        ("AdamW", {"lr": 0.1}, {"lr": 0.01, "weight_decay": 0.0}),
        ("RAdam", {"lr": 0.1}, {"betas": (0.5, 0.9)}),
    ],
)
def test_a_live_edit_keeps_what_the_optimizer_has_gathered(
    name: str, values: dict[str, Any], change: dict[str, Any]
) -> None:
    run = Run(TASK, recipe_of(name, values))
    found = path(run, 10)
    run.recipe = replace(run.recipe, **change)
    found += path(run, 10)

    def make(parameters: list[torch.Tensor]) -> Any:
        optimizer = getattr(torch.optim, name)(parameters, **values)
        steps = iter(range(20))

        class Edited:
            zero_grad = optimizer.zero_grad

            def step(self) -> None:
                if next(steps) == 10:
                    optimizer.param_groups[0].update(change)
                optimizer.step()

        return Edited()

    assert found == by_hand(make, 20)
    assert not run.notes


def test_another_class_starts_empty_and_says_so() -> None:
    run = Run(TASK, Recipe(momentum=0.9, lr=0.01))
    path(run, 5)
    run.recipe = replace(run.recipe, optimizer="Adam", lr=0.1)
    assert not run.optimizer.state and run.notes == [(5, "Adam starts with empty state")]
    at = run.model.w.tolist()
    (after,) = path(run, 1)  # Adam's first step is lr for every weight
    assert [abs(a - b) for a, b in zip(at, after, strict=True)] == pytest.approx([0.1, 0.1])


LAYOUTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Adam", {"optimizer_options": {}}, {"optimizer_options": {"amsgrad": True}}),
    ("AdamW", {"optimizer_options": {}}, {"optimizer_options": {"amsgrad": True}}),
    ("RMSprop", {"optimizer_options": {}}, {"optimizer_options": {"centered": True}}),
    ("RMSprop", {"momentum": None}, {"momentum": 0.9}),
    (
        "Adagrad",
        {"optimizer_options": {}},
        {"optimizer_options": {"initial_accumulator_value": 0.5}},
    ),
    # A cycle moves the momentum too, wherever an optimizer has one.
    ("RMSprop", {"schedule": None}, {"schedule": "OneCycleLR"}),
    ("SGD", {"schedule": None}, {"schedule": "OneCycleLR"}),
    ("Adam", {"schedule": None}, {"schedule": "OneCycleLR"}),
    ("Adagrad", {"schedule": None}, {"schedule": "OneCycleLR"}),
    (
        "RMSprop",
        {"schedule": "OneCycleLR", "schedule_options": {"cycle_momentum": False}},
        {"schedule": "OneCycleLR", "schedule_options": {}},
    ),
]


@pytest.mark.parametrize(("name", "off", "on"), LAYOUTS)
@pytest.mark.parametrize("turned", ["on", "off"])
def test_options_that_need_other_state_can_be_turned_live(
    name: str, off: dict[str, Any], on: dict[str, Any], turned: str
) -> None:
    first, then = (off, on) if turned == "on" else (on, off)
    run = Run(TASK, Recipe(optimizer=name, lr=0.01, steps=100, **first))
    path(run, 5)
    run.recipe = replace(run.recipe, **then)
    path(run, 5)
    resumed = run.fork()
    assert path(run, 5) == path(resumed, 5)


def test_a_field_that_the_optimizer_does_not_take_is_kept_and_unused() -> None:
    plain = path(Run(TASK, Recipe(optimizer="Adagrad", lr=0.1)), 10)
    others = {"momentum": 0.9, "betas": (0.1, 0.2), "nesterov": True}
    run = Run(TASK, Recipe(optimizer="Adagrad", lr=0.1, **others))
    assert path(run, 10) == plain
    assert (run.recipe.momentum, run.recipe.betas, run.recipe.nesterov) == (0.9, (0.1, 0.2), True)
