"""A run that was saved at any step and loaded in a new process ends as if it had not stopped."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from interactive_training import CheckpointError, NonFiniteError, Run, StepError
from interactive_training.engine import state

from . import resumed
from .resumed import SCENARIOS, STEPS
from .runs import different, same_bits, unlike, weights

# What tells whose state it is; the rest is the state itself.
IDENTITY = {"task", "task_name", "task_options", "seed"}

# The scenarios that need the parts which most do not.
NEEDED_BY = {
    "recipe": ("changes",),
    "in_force": ("changes",),
    "notes": ("changes",),
    "training": ("plateau",),
    "scaler": ("float16",),
    "outside": ("own model",),
    "counters/scale": ("float16, schedule first",),
    "counters/validated": ("plateau, schedule first",),
    "counters/validation_loss": ("plateau, schedule first",),
}

# One of the orders has the schedule before the step, and torch says so.
pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_scenarios_hold_what_they_are_for(name: str) -> None:
    scenario = SCENARIOS[name]
    run = scenario.start()
    rates, skips, inside = [], 0, 0
    for _ in scenario.way(run):
        rates.append(run.optimizer.param_groups[0]["lr"])
        skips += run.skipped
        inside += not run.feed.between_groups
    assert run.epoch >= 3
    if scenario.recipe.schedule is not None:
        assert len(set(rates)) > 2  # the schedule has moved, a plateau has cut
    assert ("float16" in name) == (0 < skips < STEPS)
    assert (scenario.recipe.accumulate > 1) == (inside > 0)


def test_saved_at_every_step_and_gone_on_in_a_new_process(tmp_path: Path) -> None:
    for name in SCENARIOS:
        resumed.saved(tmp_path, name)
    said = subprocess.run(
        [sys.executable, resumed.__file__, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    wrong = json.loads(said.stdout)
    assert len(wrong) == len(SCENARIOS) * (STEPS + 1)
    assert {where: what for where, what in wrong.items() if what} == {}


@pytest.fixture(scope="module")
def ways() -> dict[str, list[dict[str, Any]]]:
    """The states of every scenario before each step and at the end."""
    found = {}
    for name, scenario in SCENARIOS.items():
        run = scenario.start()
        found[name] = [run.capture() for _ in scenario.way(run)]
    return found


def parts(saved: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every part of a state that could be left out: each key, and each counter by itself."""
    inner = ("counters", "ticks", "feed")
    return [(key,) for key in saved if key not in (*IDENTITY, *inner)] + [
        (key, part) for key in inner for part in saved[key]
    ]


def parts_of_a_state() -> list[tuple[str, ...]]:
    return parts(SCENARIOS["groups"].start().capture())


def resumed_without(
    name: str, way: list[dict[str, Any]], index: int, part: tuple[str, ...]
) -> list[str]:
    """What differs at the end when one part starts as it does in a fresh run."""
    scenario = SCENARIOS[name]
    run = scenario.start()
    run.restore(way[index])
    source = Run(run.task, run.in_force, seed=run.seed).capture() | {"in_force": run.recipe}
    left = deepcopy(way[index])
    into = left
    for key in part[:-1]:
        into, source = into[key], source[key]
    into[part[-1]] = source[part[-1]]
    run.restore(left)
    try:
        for _ in scenario.way(run):
            pass
    except (NonFiniteError, StepError) as error:
        return [str(error)]
    return list(unlike(run.capture(), way[STEPS]))


@pytest.mark.parametrize("part", parts_of_a_state(), ids="/".join)
def test_leaving_out_any_part_is_noticed_at_the_end(
    part: tuple[str, ...], ways: dict[str, list[dict[str, Any]]]
) -> None:
    """In at least one scenario, stopped at one of its steps, the run ends elsewhere."""
    assert any(
        resumed_without(name, ways[name], index, part)
        for name in NEEDED_BY.get("/".join(part), SCENARIOS)
        for index in range(1, STEPS)
    )


@pytest.mark.parametrize("part", ["parameters", "gradients", "optimizer", "generator", "feed"])
def test_some_parts_are_needed_at_once(part: str, ways: dict[str, list[dict[str, Any]]]) -> None:
    """Without them already the weights end elsewhere, not only the part itself."""
    wrong = resumed_without("changes", ways["changes"], 8, (part,))
    assert "/parameters/0.weight" in wrong


def test_nothing_left_out_is_nothing_noticed(ways: dict[str, list[dict[str, Any]]]) -> None:
    for name, way in ways.items():
        run = SCENARIOS[name].start()
        run.restore(way[8])
        for _ in SCENARIOS[name].way(run):
            pass
        assert list(unlike(run.capture(), way[STEPS])) == []


@pytest.mark.parametrize("key", sorted(IDENTITY - {"task_name", "task_options"}))
def test_a_state_without_its_identity_is_refused(
    key: str, ways: dict[str, list[dict[str, Any]]]
) -> None:
    run = SCENARIOS["groups"].start()
    before = run.fork()
    saved = {name: part for name, part in ways["groups"][5].items() if name != key}
    with pytest.raises(CheckpointError):
        run.restore(saved)
    assert different(run, before) == []


@pytest.mark.parametrize("key", [*state.COUNTERS, "parameters", "optimizer", "feed", "scheduler"])
def test_a_state_that_is_not_whole_changes_nothing(
    key: str, ways: dict[str, list[dict[str, Any]]]
) -> None:
    run = SCENARIOS["groups"].start()
    before = run.fork()
    saved = deepcopy(ways["groups"][5])
    (saved["counters"] if key in state.COUNTERS else saved).pop(key)
    with pytest.raises(CheckpointError, match="not whole"):
        run.restore(saved)
    assert different(run, before) == []


def test_batchnorms_buffers_show_in_eval_mode_only(
    ways: dict[str, list[dict[str, Any]]],
) -> None:
    """Training never reads them, so only an answer in eval mode tells that they were left out."""
    runs = []
    for buffers in (ways["groups"][8]["buffers"], ways["groups"][0]["buffers"]):
        run = SCENARIOS["groups"].start()
        run.restore(ways["groups"][8] | {"buffers": buffers})
        for _ in SCENARIOS["groups"].way(run):
            pass
        runs.append(run)
    whole, left_out = runs
    assert all(same_bits(a, b) for a, b in zip(weights(whole), weights(left_out), strict=True))
    answers = []
    for run in runs:
        run.model.eval()
        with torch.no_grad():
            answers.append(run.model(run.validation[0]))
    assert not same_bits(*answers)


def test_a_state_brings_its_seed_along() -> None:
    run, other = (Run(SCENARIOS["groups"].task(), seed=seed) for seed in (1, 2))
    other.restore(run.capture())
    assert other.seed == 1 and different(other, run) == []


def test_a_loaded_run_is_trained_and_forked_like_any_other(tmp_path: Path) -> None:
    run = SCENARIOS["groups"].start()
    for _ in SCENARIOS["groups"].way(run, 7):
        pass
    run.save(tmp_path / "7.run")
    loaded = Run.load(tmp_path / "7.run")
    assert loaded.recipe == run.recipe and loaded.seed == run.seed
    assert different(loaded, run) == []
    assert different(loaded.fork(), run) == []
