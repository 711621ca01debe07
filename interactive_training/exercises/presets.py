"""Presets: what an instructor opens in class by name, as rows of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interactive_training.engine.choices import STAGES, named


@dataclass(frozen=True)
class Preset:
    """A lab in a state worth discussing: its name, the lab, what it sets, and one sentence.

    `start` names the task or the surface, with `options` of its own; `recipe` are fields of the
    learner's recipe, `sets` further arguments of the lab, and `rivals` the recipes of the other
    racers, each with the `scale` of its gradients if that is not 1.
    """

    name: str
    lab: str
    notice: str
    start: str
    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)
    rivals: tuple[Mapping[str, Any], ...] = ()


TRAINING, BOWL = "TrainingLab", "BowlLab"
STEP_FIRST = ("zero_grad", "forward", "step", "backward")
UNCLEARED = tuple(stage for stage in STAGES if stage != "zero_grad")

PRESETS: tuple[Preset, ...] = (
    Preset(
        "forgotten zero_grad",
        TRAINING,
        "Asks at step 200; without the line the run wins at first, and at step 400 it guesses.",
        "digits",
        recipe={"lr": 0.05},
        sets={"ask": "zero_grad"},
    ),
    Preset(
        "kept gradient",
        TRAINING,
        "Keeping 0.9 of the gradient is momentum 0.9, to the last bit: over 90 % right at 400.",
        "digits",
        recipe={"lr": 0.05, "keep_grad": 0.9},
        sets={"until": 400, "question": "What does a kept gradient do?"},
    ),
    Preset(
        "step before backward",
        TRAINING,
        "step never finds a gradient: no weight moves in 200 steps, and nothing complains.",
        "digits",
        recipe={"lr": 0.05, "stages": STEP_FIRST},
        sets={"question": "Why does it not learn?"},
    ),
    Preset(
        "sum instead of mean",
        TRAINING,
        "Summed over 32 rows, the same rate takes steps 32 times as long: a layer dies.",
        "digits",
        recipe={"lr": 0.05, "reduction": "sum"},
        sets={"until": 400, "question": "Is the sum as good as the mean?"},
    ),
    Preset(
        "eight layers",
        TRAINING,
        "Hardly any gradient reaches the first layers: after 400 steps it still guesses.",
        "digits",
        options={"depth": 8},
        recipe={"lr": 0.1},
        sets={"until": 400, "question": "Why do eight layers not learn?"},
    ),
    Preset(
        "eight layers with shortcuts",
        TRAINING,
        "The same with one difference, a way around each layer: over 90 % right at 400.",
        "digits",
        options={"depth": 8, "residual": True},
        recipe={"lr": 0.1},
        sets={"until": 400, "question": "What does a shortcut change?"},
    ),
    Preset(
        "float16 overflow",
        TRAINING,
        "The loss scale falls from 65,536 to 2,048: five steps are skipped, the loss still falls.",
        "regression",
        recipe={"lr": 0.001, "reduction": "sum", "amp": "float16"},
        sets={"question": "Is a run broken when numbers overflow?"},
    ),
    Preset(
        "edge of stability",
        BOWL,
        "At lr 0.25 the steep factor is -1: the height stays 16 for ever.",
        "bowl",
        recipe={"lr": 0.25},
    ),
    Preset(
        "past the edge",
        BOWL,
        "At lr 0.26 it leaves the picture at step 6, though 0.24 would arrive.",
        "bowl",
        recipe={"lr": 0.26},
    ),
    Preset(
        "long valley",
        BOWL,
        "Condition 100, 100 steps: SGD at its best is still above 1, with momentum below 1e-8.",
        "bowl",
        options={"condition": 100},
        recipe={"lr": 0.0099},
        sets={"steps": 100, "question": "What does momentum buy?"},
        rivals=({"lr": 0.0165, "momentum": 0.669},),
    ),
    Preset(
        "gradients times 1,000",
        BOWL,
        "Adam beside Adam with every gradient 1,000 times as large: the same path.",
        "bowl",
        recipe={"optimizer": "Adam", "lr": 0.1},
        sets={"question": "Who notices larger gradients?"},
        rivals=({"optimizer": "Adam", "lr": 0.1, "scale": 1000},),
    ),
    Preset(
        "forgotten zero_grad",
        BOWL,
        "It swings for ever, step by step the path of momentum 1.0.",
        "bowl",
        recipe={"lr": 0.05, "stages": UNCLEARED},
        sets={"steps": 100, "question": "Where does a kept gradient go?"},
        rivals=({"lr": 0.05, "momentum": 1.0},),
    ),
    Preset(
        "saddle",
        BOWL,
        "From the ridge SGD walks to the pass and stays at height 1: no gradient, yet no minimum.",
        "saddle",
        recipe={"lr": 0.1},
        sets={"question": "Is this the bottom?"},
    ),
    Preset(
        "saddle with noise",
        BOWL,
        "The same with the noise of minibatches: it leaves the pass and ends below 0.1.",
        "saddle",
        options={"noise": 0.3},
        recipe={"lr": 0.1},
        sets={"question": "Is noise only a nuisance?"},
    ),
)


def preset(lab: str, name: str) -> Preset:
    """The preset of a lab; raises RecipeError for an unknown name, with the nearest right one."""
    rows = {row.name: row for row in PRESETS if row.lab == lab}
    return rows[named(f"the preset of {lab}", name, rows)]
