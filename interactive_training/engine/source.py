"""The plain PyTorch script of a run: run on its own, it prints the run's losses, bit for bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from interactive_training.engine.choices import LOSSES, OPTIMIZERS, SCHEDULES, Choice, Value
from interactive_training.engine.lines import (
    Line,
    call,
    indented,
    literal,
    step_lines,
    surface_name,
)
from interactive_training.engine.modelcode import class_sources, function_source, model_code
from interactive_training.engine.plan import EACH, FIRST, LAST
from interactive_training.engine.recipe import (
    Recipe,
    optimizer_values,
    schedule_values,
)
from interactive_training.engine.run import Run
from interactive_training.engine.stages import evaluate

YOURS = "...  # your model here"


def source(run: Run, steps: int | None = None, *, start: dict[str, Any] | None = None) -> str:
    """The script of a fresh run of this task and seed with the present recipe.

    It takes `steps` micro-batches (default: as many as the run has done, or 200) and prints a
    line for each that ends in its loss. With `start`, a state captured between two groups, it
    goes on from there instead and reads that state from `start.pt`, which `export` writes.

    Notice: the lines of the loop are the stages that the run itself calls.
    """
    recipe = run.recipe if start is None else run.in_force
    steps = steps if steps is not None else run.index or 200
    lines = step_lines(recipe, run.task, run.device.type)
    parts = [
        changes(run) if start is None else "",
        imports(run, lines, recipe),
        definitions(run, recipe),
        set_up(run, recipe, lines, start),
        feed(run, recipe, lines, start),
        loop(run, recipe, lines, steps, start),
    ]
    return "".join(part for part in parts if part)


def export(
    run: Run,
    folder: str | Path,
    steps: int | None = None,
    *,
    start: dict[str, Any] | None = None,
) -> Path:
    """Write the script as `train.py` into `folder`, with `start.pt` beside it if it needs one.

    Returns the path of the script.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "train.py"
    script.write_text(source(run, steps, start=start), encoding="utf-8")
    saved: dict[str, Any] = {}
    if start is not None:
        saved = resumed(start)
    if not run.task.is_named and run.task.data is not None:
        saved.setdefault("model", run.task.model.state_dict())
        saved |= vars(run.task.data)
    if saved:
        torch.save(saved, folder / "start.pt")
    return script


def resumed(start: dict[str, Any]) -> dict[str, Any]:
    """What a script needs to go on from a captured state."""
    return {
        "model": start["parameters"] | start["buffers"],
        "gradients": start["gradients"],
        "optimizer": start["optimizer"],
        "scheduler": start["scheduler"],
        "scaler": start["scaler"] and start["scaler"]["values"],
        "random": start["generator"],
        "order": start["feed"]["order"],
        "offset": start["feed"]["offset"],
    }


def changes(run: Run) -> str:
    """The comment that lists how the recipe changed on the way, or nothing."""
    found = []
    before: Recipe | None = run.timeline.first_recipe
    for change in run.timeline.changes:
        if change.kind == "place":
            found.append(f"#   before step {change.index}: the weights were placed")
        elif before is not None and change.index > 0:
            new = change.value.changed(before)
            said = ", ".join(f"{key} = {literal(value)}" for key, value in new.items())
            found.append(f"#   before step {change.index}: {said}")
        before = change.value if change.kind == "recipe" else before
    if not found:
        return ""
    return "\n".join(
        [
            "# The recipe changed on the way:",
            *found,
            "# This script uses the last recipe from the start.\n",
        ]
    )


def imports(run: Run, lines: list[Line], recipe: Recipe) -> str:
    """The import lines."""
    unknown = run.draws == "unknown"
    code = "import random\n\nimport numpy as np\n" if unknown else ""
    code += "import torch\n"
    if not run.task.is_surface or any("nn." in line.code for line in lines):
        code += "from torch import nn\n"
    if any("F." in text for text in class_sources(run.task.model)):
        code += "from torch.nn import functional as F\n"
    if run.task.is_named and not run.task.is_surface:
        code += f"\nfrom interactive_training.data import {run.task.name}\n"
    return code + "\n"


def definitions(run: Run, recipe: Recipe) -> str:
    """The classes and functions that the script uses."""
    from inspect import getsource

    found = class_sources(run.task.model)
    if run.task.is_surface:
        found = [function_source(run.task.model.function, surface_name(run.task))]
    initialize = run.task.initialize
    if initialize is not None:
        found.append(getsource(initialize).strip())
    if recipe.validate_every is not None:
        found.append(getsource(evaluate).strip())
    return "".join(f"\n{text}\n\n" for text in found) + ("\n" if found else "")


def set_up(run: Run, recipe: Recipe, lines: list[Line], start: dict[str, Any] | None) -> str:
    """The lines before the loop: data, model, loss, optimizer, schedule, scaler."""
    task = run.task
    own = not task.is_named and not task.is_surface
    code: list[str] = []
    if start is not None or own:
        code.append('start = torch.load("start.pt", weights_only=True)')
    if own:
        code += [f"model = {model_code(task.model) or YOURS}", *own_model(run)]
        code.append('model.load_state_dict(start["model"])')
    code.append(f"torch.manual_seed({run.seed})")
    if run.draws == "unknown":
        code += [f"random.seed({run.seed})", f"np.random.seed({run.seed % 2**32})"]
    if task.is_surface:
        at = ", ".join(map(repr, task.model.w.tolist()))  # type: ignore[operator,union-attr]
        code.append(f"w = torch.tensor([{at}], dtype=torch.float64, requires_grad=True)")
    elif not own:
        options = {k: v for k, v in task.options.items() if k in task.set_options}
        code.append(f"data = {call(task.name, options)}")
        code.append(f"model = {model_code(task.model)}")
        if task.initialize is not None:
            code.append(f"{task.initialize.__name__}(model)")
    device = f'"{run.device.type}"' if run.device.type != "cpu" else ""
    if device and not task.is_surface:
        code.append(f"model.to({device})")
    if recipe.mode == "eval" and not task.is_surface:
        code.append("model.eval()")
    if not recipe.grad:
        code.append("torch.set_grad_enabled(False)")
    if not task.is_surface:
        code += tensors(run, recipe, own, f".to({device})" if device else "")
        code += losses(run, recipe)
    code.append(f"optimizer = {optimizer(run, recipe)}")
    if recipe.schedule is not None:
        row = SCHEDULES[recipe.schedule]
        named = call(
            f"torch.optim.lr_scheduler.{recipe.schedule}",
            unusual(row, schedule_values(recipe)),
            "optimizer",
        )
        code.append(f"scheduler = {named}")
        if ("schedule", FIRST) in [(line.stage, line.when) for line in lines]:
            code.append("validated = False")
    if recipe.amp == "float16":
        code.append(f'scaler = torch.amp.GradScaler("{run.device.type}")')
        if recipe.schedule is not None and "schedule" in recipe.stages:
            code.append("scale = scaler.get_scale()")
    if start is not None:
        code += going_on(run, recipe)
    return "\n".join(code) + "\n"


def own_model(run: Run) -> list[str]:
    """What was set on the learner's own model after it was made."""
    frozen = [name for name, p in run.task.model.named_parameters() if not p.requires_grad]
    resting = [name for name, m in run.task.model.named_modules() if not m.training]
    return [f'model.get_parameter("{name}").requires_grad_(False)' for name in frozen] + [
        f'model.get_submodule("{name}").training = False' for name in resting
    ]


def tensors(run: Run, recipe: Recipe, own: bool, move: str) -> list[str]:
    """The lines that name inputs and targets."""
    hot = LOSSES[recipe.loss or run.task.loss].targets == "values" and run.task.classes

    def part(name: str) -> str:
        found = f'start["{name}"]' if own else f"data.{name}"
        if hot and name.endswith("targets"):
            found = f"nn.functional.one_hot({found}, {run.task.outputs}).float()"
        return found + move

    code = [f"inputs = {part('inputs')}", f"targets = {part('targets')}"]
    if not hot and not own:
        code = [f"inputs, targets = {part('inputs')}, {part('targets')}"]
    if recipe.validate_every is not None:
        inputs, targets = part("validation_inputs"), part("validation_targets")
        code.append(f"validation = (\n    {inputs},\n    {targets},\n)")
    return code


def losses(run: Run, recipe: Recipe) -> list[str]:
    """The lines that make the loss."""
    name = recipe.loss or run.task.loss
    options = unusual(LOSSES[name], dict(recipe.loss_options))
    reduction = {} if recipe.reduction == "mean" else {"reduction": recipe.reduction}
    code = [f"loss_fn = {call(f'nn.{name}', options | reduction)}"]
    if reduction and recipe.validate_every is not None:
        code.append(f"mean_loss_fn = {call(f'nn.{name}', options)}")
    return code


def optimizer(run: Run, recipe: Recipe) -> str:
    """The call that makes the optimizer."""
    row = OPTIMIZERS[recipe.optimizer]
    values = unusual(row, optimizer_values(recipe), always=("lr",))
    parameters = "[w]" if run.task.is_surface else "model.parameters()"
    return call(f"torch.optim.{recipe.optimizer}", values, parameters)


def unusual(
    row: Choice, values: Mapping[str, Value], always: tuple[str, ...] = ()
) -> dict[str, Value]:
    """The values that differ from torch's defaults, and those that are always said."""
    defaults = {field.name: field.default for field in row.fields}
    return {k: v for k, v in values.items() if k in always or v != defaults[k]}


def going_on(run: Run, recipe: Recipe) -> list[str]:
    """The lines that put a captured state into what was just made."""
    model = ["w.data.copy_(start['model']['w'])"] if run.task.is_surface else []
    code = model or ['model.load_state_dict(start["model"], strict=False)']
    parameters = '[("w", w)]' if run.task.is_surface else "model.named_parameters()"
    code += [f"for name, p in {parameters}:", '    p.grad = start["gradients"][name]']
    code.append('optimizer.load_state_dict(start["optimizer"])')
    if recipe.schedule is not None:
        code.append('scheduler.load_state_dict(start["scheduler"])')
    if recipe.amp == "float16":
        code.append('scaler.load_state_dict(start["scaler"])')
    return [*code, 'torch.set_rng_state(start["random"])']


def extras(lines: list[Line], recipe: Recipe) -> dict[str, str]:
    """What the loop's lines ask of a micro-batch besides x and y, and how it is found."""
    text = "\n".join(line.code for line in lines if line.code)
    when = {line.when for line in lines if line.code}
    several = recipe.accumulate > 1
    wanted = {
        "first": ("i == 0", several and FIRST in when),
        "last": ("i == len(parts) - 1", several and LAST in when),
        "group_rows": ("len(group)", "group_rows" in text),
        "groups": ("groups", several and "groups" in text),
        "epoch_ends": (f"{'group' if several else 'rows'}[-1] == order[-1]", "epoch_ends" in text),
    }
    return {name: found for name, (found, needed) in wanted.items() if needed}


def feed(run: Run, recipe: Recipe, lines: list[Line], start: dict[str, Any] | None) -> str:
    """The generator of micro-batches, which draws a new order for every epoch."""
    if run.task.is_surface:
        return ""
    size = recipe.batch_size or run.task.batch_size
    found = extras(lines, recipe)
    yielded = ", ".join(["inputs[rows]", "targets[rows]", *found.values()])
    draw = f"torch.{'randperm' if recipe.shuffle else 'arange'}(len(inputs))"
    order = "order" if start is None else "order[offset:]"
    if recipe.accumulate == 1:
        body = f"for rows in {order}.split({size}):\n    yield {yielded}"
    else:
        counted = "    groups += 1\n" if "groups" in found else ""
        parts = (
            f"    parts = group.split({size})\n    for i, rows in enumerate(parts):\n"
            if "i ==" in yielded
            else f"    for rows in group.split({size}):\n"
        )
        body = (
            f"for group in {order}.split({recipe.accumulate} * {size}):\n{counted}{parts}"
            f"        yield {yielded}"
        )
    counter = ""
    if "groups" in found:
        counter = f"    groups = {0 if start is None else start['counters']['groups']}\n"
    if start is None:
        head = "def batches():"
        epoch = f"order = {draw}\n{body}"
    else:
        head = "def batches(order, offset):"
        epoch = f"{body}\norder, offset = {draw}, 0"
    return f"\n\n{head}\n{counter}    while True:\n{indented(epoch, 2)}\n\n\n"


def loop(
    run: Run, recipe: Recipe, lines: list[Line], steps: int, start: dict[str, Any] | None
) -> str:
    """The training loop."""
    begin = 0 if start is None else int(start["counters"]["index"])
    span = f"range({steps})" if not begin else f"range({begin}, {begin + steps})"
    if run.task.is_surface:
        head = f"\nfor step in {span}:"
    else:
        names = "".join(f", {name}" for name in extras(lines, recipe))
        batches = "batches()" if start is None else 'batches(start["order"], start["offset"])'
        head = f"for step, (x, y{names}) in zip({span}, {batches}):"
    body: list[str] = []
    guard = EACH
    for line in lines:
        if not line.code:
            continue
        when = EACH if recipe.accumulate == 1 or run.task.is_surface else line.when
        if when != EACH and when != guard:
            body.append(f"    if {when}:")
        body.append(indented(line.code, 1 if when == EACH else 2))
        guard = when
    said = "loss.item()" if "forward" in recipe.stages else 'float("nan")'
    return "\n".join([head, *body, f"    print(step, {said})\n"])
