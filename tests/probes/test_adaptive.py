"""Adam's map against runs of torch's own Adam."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactive_training import Recipe
from interactive_training.engine.paths import path
from interactive_training.engine.race import Ground, Race
from interactive_training.probes import adaptive
from interactive_training.probes.adaptive import OUTCOMES, outcome_map, refusal, ways

PAIRS = ((0.01, 0.0), (0.3, 0.5), (2.0, 0.9))


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("surface", ["bowl", "rosenbrock"])
def test_every_way_is_that_of_a_run(name: str, decay: float, surface: str) -> None:
    ground = Ground.named(surface)
    race = Race.on(ground, Recipe(optimizer=name, weight_decay=decay)).changed(0, scale=2.0)
    race = replace(race, steps=25)
    lr, beta1 = (torch.tensor(part, dtype=torch.float64) for part in zip(*PAIRS, strict=True))
    found = ways(race, lr, beta1).numpy()
    assert found.shape == (26, 2, 3)
    for column, (rate, momentum) in enumerate(PAIRS):
        recipe = replace(race.racers[0].recipe, lr=rate, betas=(momentum, 0.999))
        alone = path(ground.function, race.start, recipe, 25, scale=2.0)
        assert np.allclose(found[:, :, column], alone.points, rtol=1e-9, atol=1e-9)
    assert not np.allclose(found[:, :, 1], alone.points, atol=0.01)  # the comparison can tell


def test_regions_are_what_runs_come_to() -> None:
    race = Race.on(Ground.named("bowl"), Recipe(optimizer="Adam"))
    found = outcome_map(race)

    def fate(lr: float, momentum: float) -> str:
        column, row = np.abs(found.lr - lr).argmin(), np.abs(found.momentum - momentum).argmin()
        return OUTCOMES[found.fates[row, column]]

    assert fate(0.02, 0.5) == "on its way"
    assert fate(0.6, 0.3) == "arrives"
    assert fate(3.0, 0.3) == "swings"
    assert fate(10.0, 0.0) == "leaves"
    lr, momentum = found.best
    for rate, beta1, low in ((lr, momentum, True), (0.02, 0.5, False)):
        recipe = Recipe(optimizer="Adam", lr=rate, betas=(beta1, 0.999))
        end = path(race.ground.function, race.start, recipe, race.steps)
        assert (end.heights[-1] < adaptive.DOWN * end.heights[0]) is np.bool_(low)


def test_where_a_map_has_no_meaning_it_says_so() -> None:
    race = Race.on(Ground.named("bowl"), Recipe(optimizer="Adam"))
    assert refusal(race) == ""
    assert "a run of its own" in refusal(race.changed(0, optimizer="RMSprop"))
    assert "no clipping" in refusal(race.changed(0, clip="norm"))
    assert "no schedule" in refusal(race.changed(0, schedule="CosineAnnealingLR"))
    assert "noise" in refusal(replace(race, ground=race.ground.shaped(noise=1.0)))
