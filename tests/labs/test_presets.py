"""Presets: each does what its sentence says, by its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from interactive_training import RecipeError
from interactive_training.exercises.presets import BOWL, PRESETS, TRAINING
from interactive_training.labs import BowlLab, TrainingLab
from tests.labs.conftest import hear
from tests.labs.test_training_lab import until

Lab = TrainingLab | BowlLab
LABS: dict[str, Any] = {TRAINING: TrainingLab, BOWL: BowlLab}


@pytest.fixture
def opened(sent: list[dict[str, Any]]) -> Iterator[Callable[[str, str], Any]]:
    """Return a function that opens a preset, which is closed after the test."""
    labs: list[Lab] = []

    def new(lab: str, name: str) -> Lab:
        labs.append(LABS[lab].preset(name))
        return labs[-1]

    yield new
    for lab in labs:
        lab.close()


def right(lab: TrainingLab) -> float:
    """The share of the validation rows that the run has right."""
    lab.view.show(everything=True)
    return lab.view.verdict.accuracy


def test_forgotten_zero_grad(opened: Any) -> None:
    lab = opened(TRAINING, "forgotten zero_grad")
    lab.advance(200)
    assert lab.view.asked.state["open"]
    hear(lab, "pace", value="full")
    hear(lab, "answer", value=0)
    until(lambda: lab.run.index == 400 and not lab.session.playing)
    guessed = right(lab)
    assert guessed < 0.2 < 0.7 < lab.view.verdict.unchanged
    hear(lab, "rewind", value=240)
    until(lambda: lab.run.index == 240)
    ahead = right(lab)
    plain = TrainingLab("digits")
    try:
        plain.advance(240)
        assert right(plain) < ahead
    finally:
        plain.close()


def test_kept_gradient(opened: Any) -> None:
    lab = opened(TRAINING, "kept gradient")
    lab.advance(400)
    assert right(lab) > 0.9
    heavy = TrainingLab("digits")
    try:
        heavy.change(momentum=0.9)
        heavy.advance(400)
        for a, b in zip(lab.run.model.parameters(), heavy.run.model.parameters(), strict=True):
            assert torch.equal(a, b)
    finally:
        heavy.close()


def test_step_before_backward(opened: Any) -> None:
    lab = opened(TRAINING, "step before backward")
    before = [weight.clone() for weight in lab.run.model.parameters()]
    lab.advance(200)
    assert lab.session.error is None
    for a, b in zip(before, lab.run.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_sum_instead_of_mean(opened: Any) -> None:
    lab = opened(TRAINING, "sum instead of mean")
    lab.advance(400)
    assert right(lab) < 0.2
    assert lab.view.verdict.finding is not None
    assert "units" in lab.view.verdict.finding.short
    assert lab.run.task.batch_size == 32


def test_eight_layers_without_and_with_shortcuts(opened: Any) -> None:
    plain = opened(TRAINING, "eight layers")
    plain.advance(400)
    assert right(plain) < 0.2
    around = opened(TRAINING, "eight layers with shortcuts")
    around.advance(400)
    assert right(around) > 0.9
    assert plain.run.recipe == around.run.recipe
    assert {**plain.run.task.options, "residual": True} == around.run.task.options


def test_float16_overflow(opened: Any) -> None:
    lab = opened(TRAINING, "float16 overflow")
    lab.advance(1)
    assert lab.history.skipped == [0]
    first = lab.history.last("per_sample")
    lab.advance(199)
    assert len(lab.history.skipped) == 5
    assert lab.history.last("amp_scale") == 2048 == 65536 / 2**5
    assert lab.history.last("average") < first


def test_edge_of_stability(opened: Any) -> None:
    lab = opened(BOWL, "edge of stability")
    assert np.allclose(lab.paths[0].heights[25:], 16)
    assert "steep x -1.00" in repr(lab)


def test_past_the_edge(opened: Any) -> None:
    lab = opened(BOWL, "past the edge")
    assert "Leaves the picture at step 6: each step steep x -1.08." in repr(lab)
    lab.change(lr=0.24)
    assert lab.reading.leaves == [None]
    assert lab.paths[0].heights[-1] < 0.2 < 25


def test_long_valley(opened: Any) -> None:
    lab = opened(BOWL, "long valley")
    plain, heavy = (float(path.heights[-1]) for path in lab.paths)
    assert plain > 1
    assert heavy < 1e-8
    assert lab.race.steps == 100


def test_gradients_times_1000(opened: Any) -> None:
    lab = opened(BOWL, "gradients times 1,000")
    assert lab.race.racers[1].scale == 1000
    assert np.allclose(lab.paths[0].points, lab.paths[1].points, atol=1e-6)


def test_forgotten_zero_grad_on_the_bowl(opened: Any) -> None:
    lab = opened(BOWL, "forgotten zero_grad")
    assert np.array_equal(lab.paths[0].points, lab.paths[1].points)
    lab.change(lane="you", lr=0.05)
    swings = lab.paths[0].points[:, 0]
    assert (np.diff(np.sign(swings)) != 0).sum() >= 9
    assert np.abs(swings).max() < 3.1
    assert np.abs(swings[-20:]).max() > 2.9


def test_saddle_without_and_with_noise(opened: Any) -> None:
    still = opened(BOWL, "saddle")
    assert still.paths[0].heights[-1] == pytest.approx(1, abs=1e-6)
    noisy = opened(BOWL, "saddle with noise")
    assert noisy.paths[0].heights[-1] < 0.1


def test_every_preset_is_tested_and_opens_with_its_question(opened: Any) -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for row in PRESETS:
        assert f'"{row.name}")' in source
        assert len(row.notice) <= 90
        lab = opened(row.lab, row.name)
        question = lab.question if isinstance(lab, BowlLab) else lab.shown.question
        assert question == row.sets.get("question", question)
    names = [(row.lab, row.name) for row in PRESETS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("lab", [TRAINING, BOWL])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("forgoten zero grad", "did you mean 'forgotten zero_grad'"),
        ("Forgotten Zero_Grad", "did you mean 'forgotten zero_grad'"),
        ("xyzzy", "choose one of"),
        (None, "choose one of"),
        ("<script>", "choose one of"),
    ],
)
def test_an_unknown_name_is_refused(lab: str, name: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        LABS[lab].preset(name)


def test_a_preset_takes_what_a_lab_takes(opened: Any) -> None:
    lab = TrainingLab.preset("forgotten zero_grad", until=50, hide=["pin"])
    try:
        assert (lab.shown.until, lab.shown.hide) == (50, ("pin",))
    finally:
        lab.close()
