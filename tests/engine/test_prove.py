"""A proof finds the smallest difference, so that an equal run means something."""

from __future__ import annotations

from math import inf, nextafter

import pytest
import torch

from interactive_training import Recipe, Run, train
from interactive_training.engine.prove import prove


@pytest.mark.parametrize("changed", [False, True])
def test_one_loss_that_differs_in_its_last_bit(changed: bool) -> None:
    run = Run("moons", Recipe(lr=0.1), seed=3, device="cpu")
    losses = [step.loss for step in train(run, 4)]
    if changed:
        run.recipe = Recipe(lr=0.2)
        losses += [step.loss for step in train(run, 4)]
    proof = prove(run, losses)
    assert (proof.equal, proof.total, proof.why) == (4, 4, "")
    assert proof.holds
    losses[-2] = nextafter(losses[-2], inf)
    proof = prove(run, losses)
    assert (proof.equal, proof.total, proof.why) == (3, 4, "")
    assert not proof.holds


def test_weights_that_were_moved_behind_the_run_s_back() -> None:
    run = Run("moons", Recipe(lr=0.1), seed=3, device="cpu")
    losses = []
    for step in train(run, 6):
        losses.append(step.loss)
        if step.index == 2:
            with torch.no_grad():
                next(run.model.parameters()).add_(0.5)
    proof = prove(run, losses)
    assert (proof.equal, proof.total) == (3, 6)
    assert not proof.holds
