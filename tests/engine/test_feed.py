"""The rows of every micro-batch are those of a plain count, whatever changes on the way."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task, train
from interactive_training.engine import feed
from interactive_training.engine.feed import Feed

from .runs import different, noisy, take

Place = tuple[list[int], int, bool, bool, int, bool]


class Plain:
    """The same rule, one micro-batch at a time."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.generator = rows, torch.Generator().manual_seed(seed)
        self.order: list[int] = []
        self.offset = self.start = self.end = rows
        self.size = (1, 1, True)

    def next(self) -> Place:
        batch, accumulate, shuffle = self.size
        first = self.offset == self.end
        if self.offset == self.rows:
            drawn = torch.randperm(self.rows, generator=self.generator)
            self.order = (drawn if shuffle else torch.arange(self.rows)).tolist()
            self.offset = 0
        if first:
            self.start = self.offset
            self.end = min(self.start + batch * accumulate, self.rows)
        begin, self.offset = self.offset, min(self.offset + batch, self.end)
        rows = self.order[begin : self.offset]
        ends = self.end == self.rows
        return rows, len(rows), first, self.offset == self.end, self.end - self.start, ends


def numbers(real: Feed) -> list[int]:
    """The numbers of the next rows, which two tensors of rows of unlike sizes agree on."""
    one, other = real.next(torch.arange(real.rows), torch.arange(16 * real.rows).view(-1, 16))
    assert torch.equal(other[:, 0], 16 * one)
    return [int(number) for number in one]


def taken(real: Feed) -> Place:
    rows = numbers(real)
    assert real.between_groups == real.last
    return rows, real.taken, real.first, real.last, real.group_rows, real.epoch_ends


def agree(rows: int, seed: int) -> bool:
    """Whether both give the same rows over 300 micro-batches with sudden changes."""
    draw = random.Random(seed)
    plain, real = Plain(rows, seed), Feed.at_the_start(rows, torch.Generator())
    real.generator.manual_seed(seed)
    shuffle = True
    for _ in range(300):
        if draw.random() < 0.2:
            size, accumulate = draw.randint(1, rows), draw.randint(1, 4)
            if plain.offset == plain.end:
                plain.size = size, accumulate, shuffle
                real.set(*plain.size)
        if draw.random() < 0.1:  # at any place, and as part of the state
            other = Feed.at_the_start(rows, real.generator)
            other.set(real.batch, real.accumulate, real.shuffle)
            other.restore(real.capture())
            real = other
        if plain.next() != taken(real):
            return False
    return plain.generator.get_state().equal(real.generator.get_state())


@pytest.mark.parametrize("ahead", [1, 2, 3, 64])
@pytest.mark.parametrize("rows", [1, 2, 7, 36])
def test_rows_and_groups_are_those_of_a_plain_count(
    rows: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "AHEAD", ahead)
    assert all(agree(rows, seed) for seed in range(5))


def test_rows_are_cut_alike_wherever_they_begin() -> None:
    """Parts that would begin where no tensor of its own does are gathered one by one."""
    tensor = torch.randn(40, 3)
    rows = torch.randperm(40)
    for batch, together in ((16, True), (5, False), (40, True)):
        parts = feed.cut(tensor, rows, batch)
        assert all(map(torch.equal, parts, (tensor[part] for part in rows.split(batch))))
        storages = {part.untyped_storage().data_ptr() for part in parts}
        assert (len(storages) == 1) == together
        assert all(part.data_ptr() % 64 == 0 for part in parts)


def test_a_model_may_write_into_its_input() -> None:
    """As it may in the script, where every micro-batch is a tensor of its own."""
    run = Run(Task.of(Scaled(), torch.ones(48, 2), torch.zeros(48, 2), loss="MSELoss"))
    assert [len(run.x) for _ in train(run, 3)] == [32, 16, 32]
    assert torch.equal(run.inputs, torch.ones(48, 2))


class Scaled(nn.Module):
    """Writes into its input, with a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` times the scale, in place."""
        return x.mul_(self.scale)


def set_without_looking_again(real: Feed, batch: int, accumulate: int, shuffle: bool) -> None:
    real.batch, real.accumulate, real.shuffle = batch, accumulate, shuffle


def test_what_was_looked_at_before_a_change_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a feed that goes on with what it had cut is found out."""
    monkeypatch.setattr(Feed, "set", set_without_looking_again)
    assert not any(agree(36, seed) for seed in range(5))


def test_an_epoch_without_shuffling_takes_the_rows_as_they_are() -> None:
    real = Feed.at_the_start(5, torch.Generator())
    real.set(2, 1, False)
    assert [numbers(real) for _ in range(6)] == [[0, 1], [2, 3], [4]] * 2
    real.set(2, 1, True)
    assert [numbers(real) for _ in range(3)] != [[0, 1], [2, 3], [4]]


CHANGES: dict[str, Callable[[Recipe], Recipe]] = {
    "batch_size": lambda recipe: replace(recipe, batch_size=6),
    "shuffle": lambda recipe: replace(recipe, shuffle=not recipe.shuffle),
    "accumulate": lambda recipe: replace(recipe, accumulate=3),
    "lr": lambda recipe: replace(recipe, lr=0.001),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("steps", range(1, 6))
def test_a_fork_in_mid_epoch_takes_a_change_as_its_run_does(name: str, steps: int) -> None:
    """The fork cuts the rest of the epoch anew, the run goes on with what it had cut."""
    run = Run(noisy(), Recipe(lr=0.01, accumulate=2))
    take(run, steps)
    twin, resumed = run.fork(), Run(noisy(), Recipe())
    resumed.restore(run.capture())
    runs = run, twin, resumed
    for each in runs:
        each.recipe = CHANGES[name](each.recipe)
        take(each, 12)
    assert different(run, twin) == [] and different(run, resumed) == []
    unchanged = Run(noisy(), Recipe(lr=0.01, accumulate=2))
    take(unchanged, steps + 12)
    assert different(run, unchanged) != []
