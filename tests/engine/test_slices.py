"""A slice through a network is the network's own loss, and is walked like any surface."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interactive_training import Recipe, Run, Task, TaskError, train
from interactive_training.engine.paths import plane
from interactive_training.engine.race import NETWORK, Ground, Race, slope
from interactive_training.engine.slices import network_slice, slice_through


@pytest.fixture(scope="module")
def trained() -> Run:
    run = Run(Task.named("regression", n=60, width=5, depth=1), Recipe(optimizer="Adam", lr=0.02))
    for _ in train(run, 60, record=False):
        pass
    return run


def test_a_slice_is_the_loss_with_two_weights_moved(trained: Run) -> None:
    before = {name: p.clone() for name, p in trained.model.named_parameters()}
    found = slice_through(trained, ("0.weight", 2), ("2.weight", 4))
    weights = dict(trained.model.named_parameters())
    assert found.trained == (weights["0.weight"][2, 0].item(), weights["2.weight"][0, 4].item())
    for move in ((0.0, 0.0), (0.5, -0.25)):
        moved = trained.fork()
        with torch.no_grad():
            moved.model.get_parameter("0.weight")[2, 0] += move[0]
            moved.model.get_parameter("2.weight")[0, 4] += move[1]
            expected = moved.mean_loss_fn(moved.model(moved.inputs), moved.targets)
        height, _ = slope(found.function, tuple(np.add(found.trained, move)))
        assert height == pytest.approx(float(expected), rel=1e-5)
    after = dict(trained.model.named_parameters())
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_the_slice_of_the_menu_has_its_lowest_point_on_the_picture() -> None:
    ground = Ground.named(NETWORK)
    (low,) = ground.row.minima
    ground.check(low)
    height, gradient = slope(ground.function, low)
    assert np.hypot(*gradient) < 1e-4 and height == pytest.approx(ground.row.lowest)
    _, _, heights = plane(ground.function, ground.row.box)
    assert heights.min() >= ground.row.lowest - 1e-9
    path = Race.on(ground).run()[0]
    assert path.leaves(ground.row.box) is None
    assert path.heights[-1] - ground.row.lowest < 0.01 * (path.heights[0] - ground.row.lowest)
    assert network_slice() is network_slice()  # trained once


def test_a_slice_that_cannot_be_is_refused(trained: Run) -> None:
    for first, words in ((("0.weight", 99), "no weight 99"), (("nowhere", 0), "in 'nowhere'")):
        with pytest.raises(TaskError, match=words):
            slice_through(trained, first, ("2.weight", 0))
    with pytest.raises(TaskError, match="no network to slice"):
        slice_through(Run("bowl"), ("w", 0), ("w", 1))
