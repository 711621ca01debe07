"""Tasks: what is learned, made by name, of one's own, or from a surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from interactive_training import Recipe, Run, Task, TaskError, train
from interactive_training import data as sets
from interactive_training.engine.choices import ACTIVATIONS
from interactive_training.engine.mlp import INITS, NORMS, Residual
from interactive_training.engine.task import SURFACES, TASKS

INPUTS = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(30) % 2


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 2))


# By name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_a_named_task_learns(name: str) -> None:
    task = Task.named(name)
    assert task.is_named and not task.is_surface and task.data is not None
    run = Run(task, Recipe(optimizer="Adam", lr=0.01))
    losses = [step.loss for step in train(run, 150)]
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])
    assert TASKS[name].notice.endswith(".")


@pytest.mark.parametrize("name", SURFACES)
def test_a_named_surface_is_walked_down(name: str) -> None:
    task = Task.named(name)
    assert task.is_named and task.is_surface and task.rows == 1 and not task.classes
    losses = [step.loss for step in train(Run(task, Recipe(optimizer="Adam", lr=0.01)), 50)]
    assert min(losses) < losses[0]


def test_the_parts_are_those_of_the_set() -> None:
    data = Task.named("digits").data
    assert data is not None
    assert [len(data.inputs), len(data.validation_inputs), len(data.test_inputs)] == [
        1197,
        300,
        300,
    ]
    made, theirs = Task.named("moons", n=100, noise=0.3, seed=4), sets.moons(100, 0.3, 4)
    assert made.rows == 60 and made.data is not None
    for part in ("inputs", "targets", "validation_inputs", "test_targets"):
        assert torch.equal(getattr(made.data, part), getattr(theirs, part))


def test_options_of_the_network() -> None:
    task = Task.named(
        "blobs", depth=3, width=7, activation="GELU", dropout=0.4, norm="LayerNorm", residual=True
    )
    first, norm, act, drop, one, two, last = task.model.children()
    assert (first.in_features, first.out_features, last.out_features) == (2, 7, 3)
    assert isinstance(norm, nn.LayerNorm) and isinstance(act, nn.GELU) and drop.p == 0.4
    assert isinstance(one, Residual) and isinstance(two, Residual)
    assert task.outputs == 3 and task.classes


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", ["none", *NORMS])
def test_every_activation_and_norm(activation: str, norm: str) -> None:
    task = Task.named("moons", n=50, activation=activation, norm=norm)
    kinds = {type(module) for module in task.model.modules()}
    assert ACTIVATIONS[activation] in kinds and (norm == "none" or NORMS[norm] in kinds)


def test_depth_nought_is_linear() -> None:
    assert [type(m) for m in Task.named("digits", depth=0).model] == [nn.Linear]


@pytest.mark.parametrize(
    ("init", "spread"),
    [
        ("xavier", (2 / (64 + 64)) ** 0.5),
        ("he", (2 / 64) ** 0.5),
        ("too_small", 0.01),
        ("too_large", 1.0),
        ("default", (1 / 64 / 3) ** 0.5),
    ],
)
def test_inits_have_the_spread_that_they_are_known_for(init: str, spread: float) -> None:
    model = Run(Task.named("digits", init=init, width=64)).model
    assert model[2].weight.std().item() == pytest.approx(spread, rel=0.05)
    assert (model[2].bias.abs().max() == 0) == (init != "default")
    assert set(INITS) == {"default", "xavier", "he", "too_small", "too_large"}


def test_each_run_draws_its_own_weights_from_its_seed() -> None:
    task = Task.named("moons")
    one, again, other = (Run(task, seed=seed).model[0].weight for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
    torch.manual_seed(0)
    assert torch.equal(one, nn.Linear(2, 16).weight)


# Of one's own -----------------------------------------------------------------------------------


class Pairs(Dataset[Any]):
    """A Dataset of numbers and lists, as one writes it by hand."""

    def __len__(self) -> int:
        return len(INPUTS)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        return INPUTS[i].tolist(), int(LABELS[i])


@pytest.mark.parametrize("dataset", [TensorDataset(INPUTS, LABELS), Pairs()])
def test_a_dataset_is_stacked(dataset: Dataset[Any]) -> None:
    model = net()
    one, other = Task.of(model, dataset), Task.of(model, INPUTS, LABELS)
    assert one.data is not None and torch.equal(one.data.inputs, INPUTS)
    assert one.data.targets.dtype == torch.int64 and torch.equal(one.data.targets, LABELS)
    losses = [[s.loss for s in train(Run(task), 10)] for task in (one, other)]
    assert losses[0] == losses[1]


def test_your_model_stays_as_it_is() -> None:
    model = net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    outside = torch.get_rng_state()
    task = Task.of(model, INPUTS, LABELS)
    assert torch.equal(torch.get_rng_state(), outside)
    for _ in train(Run(task, Recipe(lr=0.5)), 10):
        pass
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert model.training and all(p.grad is None for p in model.parameters())


def test_changing_your_model_afterwards_changes_no_task() -> None:
    model = net()
    task = Task.of(model, INPUTS, LABELS)
    with torch.no_grad():
        model[0].weight.zero_()
    model[1].p = 0.9
    run = Run(task)
    assert run.model[0].weight.abs().sum() > 0 and run.model[1].p == 0.2
    one, other = Run(task), Run(task)
    list(train(one, 5))
    assert not torch.equal(one.model[0].weight, other.model[0].weight)


@pytest.mark.parametrize("rows", [5, 30])
def test_the_default_batch_is_never_larger_than_the_data(rows: int) -> None:
    assert Task.of(net(), INPUTS[:rows], LABELS[:rows]).batch_size == rows
    assert Task.named("moons", n=20).batch_size == 12
    assert Task.of(net(), INPUTS.repeat(2, 1), LABELS.repeat(2)).batch_size == 32


def test_held_out_rows_are_optional() -> None:
    task = Task.of(net(), INPUTS, LABELS, test=(INPUTS[:4], LABELS[:4]))
    assert task.data is not None
    assert [len(task.data.validation_inputs), len(task.data.test_inputs)] == [0, 4]
    task = Task.of(net(), INPUTS, LABELS, validation=(INPUTS[:5], LABELS[:5]))
    (step,) = train(Run(task, Recipe(validate_every=1)), 1)
    assert set(step.metrics) == {"validation_loss", "validation_accuracy"}


def test_values_of_any_shape_that_the_model_answers() -> None:
    images = torch.randn(12, 1, 4, 4)
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 1))
    run = Run(Task.of(model, images, images.roll(1, 3), loss="MSELoss", batch_size=4))
    first, *_, last = [step.loss for step in train(run, 40)]
    assert last < first and run.task.outputs == 16 and not run.task.classes


def test_a_model_of_one_output_learns_a_probability() -> None:
    model = nn.Linear(3, 1)
    targets = LABELS.float()[:, None]
    run = Run(Task.of(model, INPUTS, targets, loss="BCEWithLogitsLoss"))
    assert len(list(train(run, 5))) == 5


def test_outputs_without_a_second_dimension() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)[:, 0]

    run = Run(Task.of(Flat(), INPUTS, INPUTS.sum(1), loss="MSELoss"))
    assert len(list(train(run, 5))) == 5 and run.task.outputs == 1


# Fingerprints -----------------------------------------------------------------------------------


def test_the_same_task_has_the_same_fingerprint() -> None:
    assert Task.named("moons", noise=0.1).fingerprint == Task.named("moons", noise=0.1).fingerprint
    one, other = (Task.of(nn.Linear(3, 2), INPUTS, LABELS) for _ in range(2))
    assert one.fingerprint == other.fingerprint  # of the shapes, not of the weights


@pytest.mark.parametrize(
    "other",
    [
        lambda: Task.of(nn.Linear(3, 3), INPUTS, LABELS),
        lambda: Task.of(nn.Linear(3, 2), INPUTS + 1e-6, LABELS),
        lambda: Task.of(nn.Linear(3, 2), INPUTS, 1 - LABELS),
        lambda: Task.of(nn.Linear(3, 2), INPUTS, LABELS, batch_size=8),
        lambda: Task.of(nn.Linear(3, 2), INPUTS, LABELS, loss="MSELoss"),
        lambda: Task.named("moons"),
    ],
)
def test_another_task_has_another_fingerprint(other: Callable[[], Task]) -> None:
    assert Task.of(nn.Linear(3, 2), INPUTS, LABELS).fingerprint != other().fingerprint


def test_options_are_in_the_fingerprint() -> None:
    prints = [
        Task.named("moons", **options).fingerprint
        for options in ({}, {"noise": 0.1}, {"noise": 0.11}, {"seed": 1}, {"init": "he"})
    ]
    assert len(set(prints)) == 5


# Surfaces ---------------------------------------------------------------------------------------


def test_a_surface_is_float64_and_has_no_data() -> None:
    task = Task.surface(lambda w: (w**2).sum(), start=(3, 2))
    assert task.is_surface and not task.is_named and task.data is None and task.rows == 1
    run = Run(task, Recipe(lr=0.25))
    (step,) = train(run, 1)
    assert run.model.w.dtype == torch.float64 and run.model.w.tolist() == [1.5, 1.0]
    assert (step.loss, step.rows, step.grad_norm) == (13.0, 1, pytest.approx(52**0.5))


@pytest.mark.parametrize("start", [(3, 2), [3.0, 2.0], torch.tensor([3.0, 2.0])])
def test_a_start_is_any_two_numbers(start: Any) -> None:
    assert Run(Task.surface(lambda w: w.sum(), start)).model.w.tolist() == [3.0, 2.0]


def test_each_run_starts_at_the_start() -> None:
    task = Task.surface(lambda w: (w**2).sum(), (3, 2))
    list(train(Run(task), 5))
    assert Run(task).model.w.tolist() == [3.0, 2.0]


def test_a_surface_that_fails_on_the_way_is_an_error_of_that_step() -> None:
    def cliff(w: torch.Tensor) -> torch.Tensor:
        if w[0] < 1:
            raise ValueError("over the edge")
        return w.sum()

    run = Run(Task.surface(cliff, (1.25, 0)), Recipe(lr=0.1))
    with pytest.raises(RuntimeError, match=r"step 3 could not be taken .*over the edge"):
        list(train(run, 5))
    assert run.index == 3


def test_a_task_is_frozen() -> None:
    task = Task.named("moons")
    with pytest.raises(AttributeError):
        task.loss = "MSELoss"  # type: ignore[misc]
    assert replace(task, batch_size=8).batch_size == 8


def test_nothing_is_made_of_a_bad_name() -> None:
    with pytest.raises(TaskError):
        Task.named("")
