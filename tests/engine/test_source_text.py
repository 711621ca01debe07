"""What the scripts look like: the lines of a textbook, and words where there is no code."""

from __future__ import annotations

import linecache
import timeit
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task, export, source, train
from interactive_training.engine.choices import STAGES
from interactive_training.engine.lines import literal

from .examples import Sized, own, rows, task_named

Printed = Callable[[Path], list[float]]

DEFAULT = """\
import torch
from torch import nn

from interactive_training.data import digits

torch.manual_seed(0)
data = digits()
model = nn.Sequential(
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Linear(32, 32),
    nn.ReLU(),
    nn.Linear(32, 10),
)
inputs, targets = data.inputs, data.targets
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def batches():
    while True:
        order = torch.randperm(len(inputs))
        for rows in order.split(32):
            yield inputs[rows], targets[rows]


for step, (x, y) in zip(range(200), batches()):
    optimizer.zero_grad()
    output = model(x)
    loss = loss_fn(output, y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
"""

HALF = """\
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        output = model(x)
        loss = loss_fn(output, y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scale = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
"""

BOWL = '''\
import torch


def bowl(w: torch.Tensor) -> torch.Tensor:
    """L(w) = w0^2 + 4 w1^2. Notice: plain SGD is stable up to lr 0.25 and fastest at 0.2."""
    return w[0] ** 2 + 4 * w[1] ** 2


torch.manual_seed(0)
w = torch.tensor([3.0, 2.0], dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)

for step in range(200):
    optimizer.zero_grad()
    loss = bowl(w)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
'''


def lines(code: str) -> list[str]:
    """The lines of the training step, the print left out."""
    loop = code.rpartition("\nfor step")[2]
    return [line.strip() for line in loop.splitlines()[1:-1]]


def test_the_default_recipe_is_the_loop_of_a_textbook() -> None:
    assert source(Run("digits")) == DEFAULT
    assert source(Run("bowl")) == BOWL


def test_float16_with_clipping_adds_what_a_textbook_adds() -> None:
    code = source(Run("digits", Recipe(amp="float16", clip="norm")))
    loop = code.rpartition(":\n    optimizer")[2]
    assert "    optimizer" + loop == HALF + "    print(step, loss.item())\n"
    assert 'scaler = torch.amp.GradScaler("cpu")\n' in code


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"stages": tuple(s for s in STAGES if s != "zero_grad")}, "-optimizer.zero_grad()"),
        ({"set_to_none": False}, "optimizer.zero_grad(set_to_none=False)"),
        ({"keep_grad": 0.5}, "p.grad *= 0.5"),
        ({"clip": "value", "clip_at": 0.25}, "nn.utils.clip_grad_value_(model.parameters(), 0.25)"),
        ({"schedule": "StepLR"}, "scheduler.step()"),
        ({"schedule": "StepLR", "schedule_every": "epoch"}, "if epoch_ends:"),
        ({"accumulate": 4}, "(loss * share).backward()"),
        ({"accumulate": 4, "reduction": "sum"}, "loss.backward()"),
        ({"validate_every": 5}, "validated = (step + 1) % 5 == 0"),
    ],
)
def test_a_toggle_is_a_line(change: dict[str, Any], line: str) -> None:
    found = lines(source(Run("moons", Recipe(**change))))
    if line.startswith("-"):
        assert line[1:] not in found
    else:
        assert line in found


# One change for every field that shows it in the code of this recipe.
BASE = Recipe(
    momentum=0.5,
    amp="float16",
    clip="norm",
    schedule="StepLR",
    validate_every=3,
    loss="CrossEntropyLoss",
)
SHOWN: dict[str, Any] = {
    "optimizer": "RMSprop",
    "lr": 0.2,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.01,
    "optimizer_options": {"dampening": 0.1},
    "loss": "MSELoss",
    "loss_options": {"label_smoothing": 0.1},
    "reduction": "sum",
    "schedule": "CosineAnnealingLR",
    "schedule_options": {"step_size": 7},
    "schedule_every": "epoch",
    "clip": "value",
    "clip_at": 0.5,
    "amp": "bfloat16",
    "accumulate": 2,
    "batch_size": 50,
    "shuffle": False,
    "keep_grad": 0.5,
    "set_to_none": False,
    "mode": "eval",
    "grad": False,
    "validate_every": 4,
    "stages": ("forward", "backward"),
}
ELSEWHERE: dict[str, tuple[dict[str, Any], Any]] = {
    # SGD takes no betas, StepLR no length: a field that the choice does not take stays unused.
    "betas": ({"optimizer": "Adam"}, (0.8, 0.9)),
    "steps": ({"schedule": "CosineAnnealingLR"}, 77),
}


def test_every_field_of_the_recipe_is_in_the_code() -> None:
    assert {field.name for field in fields(Recipe)} == SHOWN.keys() | ELSEWHERE.keys()
    plain = source(Run("moons", BASE))
    for name, value in SHOWN.items():
        assert source(Run("moons", replace(BASE, **{name: value}))) != plain, name
    for name, (needed, value) in ELSEWHERE.items():
        assert source(Run("moons", replace(BASE, **{name: value}))) == plain, name
        base = replace(BASE, **needed)
        changed = source(Run("moons", replace(base, **{name: value})))
        assert changed != source(Run("moons", base)), name


def test_code_says_only_what_differs_from_torch() -> None:
    code = source(Run("digits", Recipe(optimizer="AdamW", lr=1e-3, weight_decay=0.01)))
    assert "optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)\n" in code
    code = source(Run("digits", Recipe(schedule="StepLR")))
    assert "torch.optim.lr_scheduler.StepLR(optimizer, step_size=50)\n" in code


# What changed on the way ------------------------------------------------------------------------


def test_the_first_comment_lists_what_changed_on_the_way() -> None:
    run = Run("moons")
    run.recipe = replace(run.recipe, lr=0.3)  # before the first step: where the script begins
    for _ in train(run, 3):
        pass
    for lr in (0.2, 0.15):  # a drag: its end counts
        run.recipe = replace(run.recipe, lr=lr)
    run.recipe = replace(run.recipe, clip="norm")
    for _ in train(run, 4):
        pass
    run.place([p.detach() for p in run.model.parameters()])
    run.recipe = replace(run.recipe, lr=0.1)
    run.recipe = replace(run.recipe, lr=0.15)
    assert source(run, 9).split("\nimport")[0] == (
        "# The recipe changed on the way:\n"
        '#   before step 3: lr = 0.15, clip = "norm"\n'
        "#   before step 7: the weights were placed\n"
        "# This script uses the last recipe from the start."
    )
    assert "lr=0.15" in source(run, 9)


def test_a_run_that_never_changed_has_no_comment() -> None:
    run = Run("moons")
    for _ in train(run, 3):
        pass
    run.recipe = replace(run.recipe)
    assert source(run).startswith("import torch\n")
    assert "range(3)" in source(run)


def test_a_script_from_a_state_says_nothing_about_the_way_there() -> None:
    run = Run("moons")
    for _ in train(run, 3):
        pass
    run.recipe = replace(run.recipe, lr=0.2)
    assert source(run, start=run.capture()).startswith("import torch\n")


# Models of one's own ----------------------------------------------------------------------------


def test_a_class_comes_with_what_it_needs_from_around_it() -> None:
    code = source(Run(task_named("class")))
    assert "import math\n\nimport torch\n" in code
    assert "from torch.nn import functional as F\n" in code
    order = ["HIDDEN = 12\n", "def squashed(", "class Net(nn.Module)", "model = Net()\n"]
    places = [code.index(part) for part in order]
    assert all(a < b for a, b in pairwise(places))
    assert "random.seed" not in code


def test_a_class_that_draws_gets_its_seeds() -> None:
    code = source(Run(task_named("draws"), seed=5))
    assert "torch.manual_seed(5)\nnp.random.seed(5)\n" in code
    assert "import random" not in code


def test_a_model_made_with_arguments_is_left_to_its_owner() -> None:
    code = source(Run(own(Sized(4))))
    assert "class Sized(nn.Module):" in code
    assert (
        "# How this Sized was made cannot be read off it: write the call.\n"
        "model = ...  # your model here\n"
    ) in code


class Optional(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(2, 2), nn.Linear(2, 2)
        self.other.weight = self.one.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.other(self.one(x))


def test_a_class_is_called_without_arguments_only_where_that_makes_the_same_model() -> None:
    assert "model = Optional()\n" in source(Run(own(Optional())))
    assert "model = ...  # your" in source(Run(own(Optional(5))))


def shared_layer() -> nn.Module:
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, nn.Tanh(), layer)


def hooked() -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    return model


@pytest.mark.parametrize("make", [shared_layer, hooked])
def test_a_stack_that_its_calls_would_not_make_again_is_left_to_its_owner(
    make: Callable[[], nn.Module],
) -> None:
    assert "model = ...  # your" in source(Run(own(make())))


def test_tied_weights_of_a_class_stay_tied(tmp_path: Path, printed: Printed) -> None:
    run = Run(own(Tied()), Recipe(momentum=0.9))
    script = export(run, tmp_path, 15)
    assert printed(script) == [step.loss for step in train(run, 15)]


def test_layers_are_told_by_what_differs_from_their_defaults() -> None:
    images, labels = torch.rand(20, 1, 8, 8), torch.arange(20) % 2
    model = nn.Sequential(
        nn.Conv2d(1, 3, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(3, momentum=0.2),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 2),
    )
    code = source(Run(Task.of(model, images, labels, batch_size=10)))
    assert "    nn.BatchNorm2d(3, momentum=0.2),\n    nn.LeakyReLU(negative_slope=0.2),\n" in code
    assert "    nn.Flatten(),\n    nn.Linear(48, 2),\n" in code


def in_notebook(cell: str, number: int = 1) -> dict[str, Any]:
    """Run a cell as IPython does: its source is in linecache, its module has no file."""
    name = f"/tmp/ipykernel_1/{number}.py"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(cell, name, "exec"), names)
    return names


CELL = """
import torch
import torch.nn.functional as F
from torch import nn

WIDTH = 5

class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, x):
        return self.b(F.elu(self.a(x)))

stretch = 7
surfaces = [lambda w: w[0] ** 2, lambda w: w[1] ** 2 + w[0] ** 2 / stretch]
"""


def test_what_was_typed_in_a_notebook_is_found(tmp_path: Path, printed: Printed) -> None:
    names = in_notebook(CELL)
    run = Run(own(names["Mine"]()))
    script = export(run, tmp_path / "class", 10)
    assert "\nWIDTH = 5\n" in script.read_text()
    assert printed(script) == [step.loss for step in train(run, 10)]

    run = Run(Task.surface(names["surfaces"][1], (3, 2)))
    script = export(run, tmp_path / "lambda", 10)
    assert "stretch = 7\n\n\ndef surface(w):\n    return w[1] ** 2 + w[0] ** 2 / stretch\n" in (
        script.read_text()
    )
    assert printed(script) == [step.loss for step in train(run, 10)]


def test_what_was_typed_where_no_source_is_kept_is_left_to_its_owner() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL, names)
    assert "Mine = ...  # yours; its source is not kept\n" in source(Run(own(names["Mine"]())))
    code = source(Run(Task.surface(names["surfaces"][0], (3, 2))))
    assert "surface = ...  # yours; its source is not kept\n" in code


def test_partly_frozen_models_are_frozen_again() -> None:
    code = source(Run(task_named("sequential")))
    assert (
        'model.get_submodule("0").requires_grad_(False)\n'
        'model.get_parameter("5.bias").requires_grad_(False)\n'
        'model.get_submodule("0").eval()\n'
        'model.load_state_dict(start["model"])\n'
    ) in code


# Small print ------------------------------------------------------------------------------------


def test_literals_are_python() -> None:
    for value in (0.1, 1e-8, 3, True, None, "a\\b\"c'", (0.9, 0.999), float("inf"), [1]):
        assert eval(literal(value)) == value
    assert literal("none") == '"none"'


def test_the_code_is_there_at_once() -> None:
    recipe = Recipe(amp="float16", clip="norm", accumulate=3, schedule="StepLR", validate_every=5)
    run = Run("digits", recipe)
    assert min(timeit.repeat(lambda: source(run), number=1, repeat=10)) < 0.05


def test_rows_of_class_numbers_in_int32_are_made_long(tmp_path: Path, printed: Printed) -> None:
    inputs, targets = rows()
    task = Task.of(Optional(), inputs, targets.int(), loss="MSELoss")
    run = Run(task)
    assert printed(export(run, tmp_path, 5)) == [step.loss for step in train(run, 5)]
