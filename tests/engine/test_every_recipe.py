"""Whatever two fields are combined: walked, unrecorded, resumed, forked, rewound, it is one run."""

from typing import Any

import pytest

from interactive_training import Recipe, Run, rewind, walk
from interactive_training.engine.choices import STAGES
from interactive_training.engine.loop import advance

from .pairwise import pairwise
from .resumed import own
from .runs import different, noisy, small, take

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")

ZERO, FORWARD, BACKWARD, UNSCALE, CLIP, STEP, SCHEDULE = STAGES
SWITCHES: dict[str, list[dict[str, Any]]] = {
    "task": [{"make": small}, {"make": noisy}, {"make": own}],
    "optimizer": [
        {"lr": 0.05},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True},
        {"optimizer": "AdamW", "lr": 0.01},
        {"optimizer": "Adam", "lr": 0.01, "optimizer_options": {"amsgrad": True}},
        {"optimizer": "RMSprop", "lr": 0.005, "momentum": 0.5},
        {"optimizer": "Adagrad", "optimizer_options": {"initial_accumulator_value": 0.1}},
        {"optimizer": "RAdam", "lr": 0.02},
    ],
    "loss": [{}, {"loss": "MSELoss"}, {"loss": "CrossEntropyLoss", "reduction": "sum"}],
    "clip": [{}, {"clip": "norm", "clip_at": 0.3}, {"clip": "value", "clip_at": 0.05}],
    "amp": [{}, {"amp": "bfloat16"}, {"amp": "float16"}],
    "groups": [{"batch_size": 8}, {"batch_size": 6, "accumulate": 3}, {"accumulate": 2}],
    "data": [{}, {"shuffle": False}, {"mode": "eval"}],
    "gradients": [{}, {"keep_grad": 0.5}, {"keep_grad": 1.0}, {"set_to_none": False}],
    "schedule": [
        {},
        {"schedule": "StepLR", "schedule_options": {"step_size": 3}},
        {"schedule": "CosineAnnealingLR", "schedule_every": "epoch", "steps": 4},
        {"schedule": "OneCycleLR", "steps": 40},
        {
            "schedule": "ReduceLROnPlateau",
            "schedule_options": {"patience": 0, "threshold": 0.3},
            "validate_every": 1,
        },
    ],
    "stages": [
        {},
        {"stages": (FORWARD, BACKWARD, UNSCALE, CLIP, STEP, SCHEDULE)},
        {"stages": (SCHEDULE, FORWARD, BACKWARD, UNSCALE, STEP, ZERO)},
        {"stages": (STEP, ZERO, FORWARD, BACKWARD, CLIP, SCHEDULE)},
        {"stages": (FORWARD, BACKWARD, CLIP, STEP, ZERO, UNSCALE)},
    ],
}
STEPS = 13


def run_of(combination: dict[str, Any]) -> Run:
    recipe = {k: v for name in combination for k, v in combination[name].items() if name != "task"}
    return Run(combination["task"]["make"](), Recipe(**recipe), seed=2)


def is_legal(combination: dict[str, Any]) -> bool:
    """float16 takes no order in which step or unscale comes too late or too early."""
    order = combination["stages"].get("stages", STAGES)
    late = order.index(STEP) < order.index(BACKWARD) or order[-1] == UNSCALE
    return not (late and combination["amp"] == {"amp": "float16"})


def check(combination: dict[str, Any]) -> None:
    run = run_of(combination)
    states = []
    for _ in range(STEPS):
        states.append(run.capture())
        advance(run)
    end = run.fork()

    walked = run_of(combination)
    for _ in walk(walked, STEPS):
        pass
    unseen = run_of(combination)
    take(unseen, STEPS, record=False)
    resumed = run_of(combination)
    resumed.restore(states[7])
    forked = resumed.fork()
    take(resumed, STEPS - 7)
    take(forked, STEPS - 7)
    rewind(run, 5)
    fresh = run_of(combination)
    fresh.restore(states[5])
    assert different(run, fresh) == []
    take(run, STEPS - 5)
    for one in (walked, unseen, resumed, forked, run):
        assert different(one, end) == [], combination


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in (1, 2, 3, 4))]
)
def test_every_pair_of_fields(seed: int) -> None:
    """The combinations together hold every pair; other seeds combine them otherwise."""
    combinations = pairwise(SWITCHES, is_legal, seed)
    assert len(combinations) >= 35
    for combination in combinations:
        check(combination)
