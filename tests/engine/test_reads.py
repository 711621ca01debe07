"""How often a step waits for the device: once with a record, never without."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from interactive_training import Recipe, Run, train

from .runs import noisy, small

READS = (
    "item", "tolist", "numpy", "cpu", "nonzero", "__float__", "__int__", "__bool__", "__index__",
    "__len__", "is_nonzero", "equal",
)  # fmt: skip


class Reads(TorchFunctionMode):
    """Counts what brings a number from a tensor to Python."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        self.count += name in READS and name != "__len__"
        return func(*args, **(kwargs or {}))


class Unlike(str):
    """The name of a device that is not known to be the CPU."""

    __hash__ = str.__hash__

    def __eq__(self, _: object) -> bool:
        return False


class Elsewhere(str):
    """The CPU, which the engine takes for an accelerator; torch is not deceived."""

    type = Unlike("cpu")


def reads(run: Run, steps: int = 10, *, record: bool) -> float:
    """Reads a step."""
    loop = train(run, steps + 1, record=record)
    next(loop)  # a state is kept before the first one
    with Reads() as found:
        for _ in loop:
            pass
    return found.count / steps


def by_hand(recipe: Recipe) -> float:
    """Reads a step of torch's own, in the same step written by hand: none of its numbers are."""
    model = small().new_model(torch.Generator())
    optimizer = getattr(torch.optim, recipe.optimizer)(model.parameters(), lr=recipe.lr)
    scaler = torch.amp.GradScaler("cpu", enabled=recipe.amp == "float16")
    loss_fn = nn.CrossEntropyLoss()
    data = small().data
    assert data is not None

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", enabled=recipe.amp != "off", dtype=torch.float16):
            loss = loss_fn(model(data.inputs[:8]), data.targets[:8])
        scaler.scale(loss).backward()
        if recipe.clip == "norm":
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    step()
    with Reads() as found:
        for _ in range(10):
            step()
    return found.count / 10


def away(recipe: Recipe, *, batchnorm: bool = False) -> Run:
    run = Run(noisy() if batchnorm else small(), recipe, device="cpu")
    run.device = Elsewhere("cpu")  # type: ignore[assignment]
    return run


RECIPES = {
    "default": Recipe(),
    "AdamW": Recipe(
        optimizer="AdamW", lr=0.01
    ),  # reads its own step counters, which are on the CPU
    "clipped, scheduled": Recipe(clip="norm", schedule="CosineAnnealingLR", schedule_every="epoch"),
    "clipped by value": Recipe(clip="value", schedule="OneCycleLR"),
    "sum, kept": Recipe(reduction="sum", keep_grad=0.5, lr=0.001),
    "bfloat16": Recipe(amp="bfloat16"),
    "groups": Recipe(accumulate=3),
}


@pytest.mark.parametrize("name", RECIPES)
def test_one_read_a_step_with_a_record_and_none_without(name: str) -> None:
    recipe = RECIPES[name]
    plain = by_hand(replace(recipe, amp="off")) if recipe.accumulate == 1 else 0
    assert reads(away(recipe), record=True) == plain + 1
    assert reads(away(recipe), record=False) == plain


def test_the_default_loop_reads_nothing_of_its_own() -> None:
    assert by_hand(Recipe()) == 0


def test_batchnorms_averages_come_over_in_the_same_read() -> None:
    assert reads(away(Recipe(), batchnorm=True), record=True) == 1
    assert reads(away(Recipe(), batchnorm=True), record=False) == 0


def test_what_float16_costs() -> None:
    """Torch itself reads whether a gradient overflowed; the code shown reads the scale before step.

    Beyond these two, the count of the schedule's ticks reads the scale once more, and a record
    reads it again beside its one read of the numbers.
    """
    recipe = Recipe(amp="float16", lr=0.01)
    assert by_hand(recipe) == 1
    assert reads(away(recipe), record=False) == 1 + 1 + 1
    assert reads(away(recipe), record=True) == 1 + 1 + 1 + 2


def test_validation_is_read_when_it_is_due() -> None:
    recipe = Recipe(validate_every=5)
    assert reads(away(recipe), 10, record=False) == 2 / 10


def test_the_counter_sees_a_read() -> None:
    number = torch.ones(())
    with Reads() as found:
        number.item(), float(number), bool(number), number.tolist(), number.numpy(), int(number)
    assert found.count == 6
