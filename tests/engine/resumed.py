"""Runs of 24 steps that use everything a state must hold; the child process of the resume tests.

As a script it loads every file in a folder, trains each run to the end, compares the whole state
with that of the run that was never stopped, and prints as JSON what differs, by file.
"""

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from interactive_training import Recipe, Run, Task
from interactive_training.engine.loop import advance

STEPS = 24
SCHEDULE_FIRST = ("schedule", "zero_grad", "forward", "backward", "unscale", "clip", "step")


class Noisy(nn.Module):
    """A model of the learner's own that draws wherever Python lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 4)
        self.norm = nn.BatchNorm1d(4)
        self.outer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise = torch.rand(4) + np.random.rand() + random.random()
        return self.outer(torch.tanh(self.norm(self.inner(x)) * noise))


def small(**options: Any) -> Task:
    """36 rows, so in batches of 8 an epoch is five micro-batches, the last of 4 rows."""
    return Task.named("moons", n=60, **options)


def in_eights(**fields: Any) -> Recipe:
    return Recipe(batch_size=8, **fields)


def own() -> Task:
    """A model whose BatchNorm rests in eval mode, and with weights that are the same every time."""
    generator = torch.Generator().manual_seed(1)
    model = Noisy()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    model.norm.eval()
    data = small().data
    assert data is not None
    validation = data.validation_inputs, data.validation_targets
    return Task.of(model, data.inputs, data.targets, batch_size=8, validation=validation)


def overflowing(run: Run) -> None:
    """Give float16 a scale at which the first gradients overflow."""
    run.scaler.scale(torch.zeros(()))
    run.scaler.update(2.0**22)


def first_layers_rest(run: Run) -> None:
    """Put some layers into eval mode by hand, which no recipe knows of."""
    run.model[:4].eval()  # type: ignore[index,operator]


@dataclass(frozen=True)
class Scenario:
    """A task, a recipe, what is done at the start, and the fields that change before some steps."""

    recipe: Recipe
    task: Callable[[], Task] = small
    prepare: Callable[[Run], None] = lambda run: None
    changes: Mapping[int, dict[str, Any]] = field(default_factory=dict)

    def start(self) -> Run:
        run = Run(self.task(), self.recipe, seed=11, device="cpu")
        self.prepare(run)
        return run

    def way(self, run: Run, until: int = STEPS) -> Iterator[int]:
        """Train, stopping before every step with the changes made there in force."""
        yield run.index
        while run.index < until:
            advance(run)
            if run.index in self.changes:
                run.recipe = replace(run.recipe, **self.changes[run.index])
            yield run.index


def noisy() -> Task:
    return small(norm="BatchNorm1d", dropout=0.25)


SCENARIOS = {
    "groups": Scenario(
        in_eights(
            optimizer="AdamW", lr=0.02, schedule="OneCycleLR", steps=20, clip="norm", accumulate=2
        ),
        noisy,
    ),
    "plateau": Scenario(
        in_eights(
            momentum=0.9,
            validate_every=2,
            schedule="ReduceLROnPlateau",
            schedule_options={"patience": 0, "threshold": 0.3, "factor": 0.5},
        ),
        noisy,
        first_layers_rest,
    ),
    "float16": Scenario(
        in_eights(
            optimizer="Adam",
            lr=0.01,
            amp="float16",
            schedule="StepLR",
            schedule_options={"step_size": 2, "gamma": 0.9},
        ),
        noisy,
        overflowing,
    ),
    "float16, schedule first": Scenario(
        in_eights(
            lr=0.01,
            amp="float16",
            accumulate=2,
            stages=SCHEDULE_FIRST,
            schedule="StepLR",
            schedule_options={"step_size": 1, "gamma": 0.9},
        ),
        small,
        overflowing,
    ),
    "plateau, schedule first": Scenario(
        in_eights(
            validate_every=2,
            accumulate=2,
            stages=SCHEDULE_FIRST,
            schedule="ReduceLROnPlateau",
            schedule_options={"patience": 0, "threshold": 0.3, "factor": 0.5},
        ),
    ),
    "changes": Scenario(
        in_eights(lr=0.05, accumulate=3, keep_grad=0.5),
        noisy,
        changes={
            4: {"accumulate": 1, "batch_size": 6, "momentum": 0.9},  # inside a group: it waits
            9: {"schedule": "CosineAnnealingLR", "schedule_every": "epoch", "shuffle": False},
            13: {"accumulate": 2, "optimizer": "RMSprop", "lr": 0.002, "validate_every": 1},
            14: {"schedule_every": "validation"},
            17: {"reduction": "sum", "mode": "eval", "amp": "bfloat16"},
            21: {"stages": ("forward", "backward", "step", "zero_grad", "schedule")},
        },
    ),
    "own model": Scenario(
        in_eights(lr=0.05, momentum=0.5, validate_every=3),
        own,
    ),
    "surface": Scenario(Recipe(optimizer="RAdam", lr=0.1), lambda: Task.named("bowl")),
}


def file(folder: Path, name: str, index: int) -> Path:
    return folder / f"{list(SCENARIOS).index(name)}-{index}.run"


def saved(folder: Path, name: str) -> None:
    """Run a scenario to its end and save it before every step and at the end."""
    scenario = SCENARIOS[name]
    run = scenario.start()
    for index in scenario.way(run):
        run.save(file(folder, name, index))


def reloaded(path: Path, name: str) -> Run:
    return Run.load(path, own() if name == "own model" else None, device="cpu")


def main(folder: Path) -> None:
    from runs import different

    wrong: dict[str, list[str]] = {}
    for name, scenario in SCENARIOS.items():
        end = reloaded(file(folder, name, STEPS), name)
        for index in range(STEPS + 1):
            run = reloaded(file(folder, name, index), name)
            for _ in scenario.way(run):
                pass
            wrong[f"{name}, from step {index}"] = different(run, end)
    print(json.dumps(wrong))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
