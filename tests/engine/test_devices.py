"""Which device a run takes, and that the promises hold on an accelerator as well."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task, TaskError, first_difference, rewind, train
from interactive_training.engine.run import pick_device
from interactive_training.engine.slices import slice_through

from .runs import different, noisy, same_bits, small, take

CPU = torch.device("cpu")


def accelerator(found: torch.device | None) -> Any:
    def current_accelerator(check_available: bool = False) -> torch.device | None:
        assert check_available
        return found

    return current_accelerator


def test_auto_takes_the_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", accelerator(cuda))
    assert pick_device("auto", small()) == cuda
    assert pick_device("auto", Task.named("bowl")) == CPU
    assert pick_device("cpu", small()) == CPU


def test_auto_takes_the_cpu_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", accelerator(None))
    assert Run(small()).device == CPU


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(TaskError, match=f"device '{device}' cannot be used here .*; use \"auto\""):
        Run(small(), device=device)


def test_a_device_may_be_given_as_torch_gives_it() -> None:
    assert Run(small(), device=CPU).device == CPU


# With an accelerator -----------------------------------------------------------------------------

RECIPES = {
    "SGD": Recipe(lr=0.05, momentum=0.9),
    "AdamW, OneCycle, clipped groups": Recipe(
        optimizer="AdamW", lr=0.01, schedule="OneCycleLR", clip="norm", accumulate=2
    ),
    "float16": Recipe(amp="float16", lr=0.01),
}
needed = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.accelerator.is_available(), reason="there is no accelerator"),
    pytest.mark.usefixtures("on_the_accelerator"),
]


def marked(test: Any) -> Any:
    for mark in needed:
        test = mark(test)
    return test


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@marked
@pytest.mark.usefixtures("deterministic")
def test_the_default_loop_on_an_accelerator_is_the_hand_written_one() -> None:
    task = Task.named("digits")
    assert task.data is not None
    run = Run(task, Recipe(), seed=0)
    assert run.device.type != "cpu"
    torch.manual_seed(0)
    assert task.layers is not None
    model = task.layers.build(64, 10).to(run.device)
    inputs, targets = task.data.inputs.to(run.device), task.data.targets.to(run.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses: list[float] = []
    while len(losses) < 100:
        for rows in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert [step.loss for step in train(run, 100)] == losses[:100]


@marked
@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("name", RECIPES)
def test_fork_rewind_and_resume_on_an_accelerator(name: str, tmp_path: Path) -> None:
    run = Run(noisy(), RECIPES[name])
    take(run, 7)
    twin = run.fork()
    run.save(tmp_path / "run.pt")
    take(run, 9)
    take(twin, 9)
    assert different(run, twin) == []
    assert first_difference(run, twin) is None
    rewind(run, 7)
    take(run, 9)
    assert different(run, twin) == []
    loaded = Run(noisy(), RECIPES[name])
    loaded.restore(twin.capture())
    assert different(loaded, twin) == []


@marked
def test_dropout_on_an_accelerator_leaves_its_random_state() -> None:
    module = torch.get_device_module()
    before = module.get_rng_state()
    run = Run(small(dropout=0.5), Recipe())
    take(run, 5)
    assert same_bits(module.get_rng_state(), before)
    other = Run(small(dropout=0.5), Recipe())
    for _ in train(other, 5):
        torch.rand(3, device=other.device)
    assert different(run, other) == []


@marked
def test_a_run_saved_on_an_accelerator_is_loaded_without_one(tmp_path: Path) -> None:
    task = Task.named("moons")
    run = Run(task, replace(RECIPES["SGD"], amp="bfloat16"))
    take(run, 3)
    run.save(tmp_path / "run.pt")
    loaded = Run.load(tmp_path / "run.pt", device="cpu")
    for a, b in zip(loaded.model.parameters(), run.model.parameters(), strict=True):
        assert same_bits(a, b.cpu())
    take(loaded, 3)


@marked
def test_a_network_trained_on_an_accelerator_is_sliced_on_the_cpu() -> None:
    run = Run("moons")
    take(run, 3)
    found = slice_through(run, ("0.weight", 0), ("2.weight", 1))
    assert found.function(torch.zeros(2, dtype=torch.float64)).device == CPU
    assert found.height <= float(found.function(torch.tensor(found.trained))) + 1e-12
