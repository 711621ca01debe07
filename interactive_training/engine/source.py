"""The plain PyTorch script of a run: run on its own, it prints the run's losses, bit for bit."""

import inspect
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import nn

from interactive_training.engine.choices import LOSSES, OPTIMIZERS, SCHEDULES, Choice, Value
from interactive_training.engine.definitions import Definitions, free_names, import_lines
from interactive_training.engine.errors import RecipeError
from interactive_training.engine.lines import (
    Line,
    call,
    indented,
    literal,
    one_by_one,
    step_lines,
    surface_name,
)
from interactive_training.engine.modelcode import model_code
from interactive_training.engine.plan import EACH, FIRST, LAST
from interactive_training.engine.recipe import Recipe, optimizer_values, schedule_values
from interactive_training.engine.run import Run
from interactive_training.engine.stages import evaluate

YOURS = "...  # your model here"
Start = dict[str, Any]


def source(run: Run, steps: int | None = None, *, start: Start | None = None) -> str:
    """The script of a fresh run of this task and seed with the present recipe.

    It takes `steps` micro-batches (default: as many as the run has done, or 200) and prints a
    line for each that ends in its loss. With `start`, a state captured between two groups, it
    goes on from there instead and reads that state from `start.pt`, which `export` writes.
    Raises RecipeError when no script can go on from `start`.

    Notice: the lines of the loop are the stages that the run itself calls.
    """
    recipe = run.recipe if start is None else start["recipe"]
    steps = steps if steps is not None else run.index or 200
    if start is not None:
        check_start(start)
    lines = step_lines(recipe, run.task, run.device.type, counted_on(start))
    defined = definitions(run, recipe)
    body = [
        f"\n\n{defined}\n\n\n" if defined.texts else f"\n{defined}",
        set_up(run, recipe, lines, start, defined),
        feed(run, recipe, lines, start),
        loop(run, recipe, lines, steps, start),
    ]
    code = "".join(body)
    known = {
        "random": "import random",
        "np": "import numpy as np",
        run.task.name: f"from interactive_training.data import {run.task.name}",
        **defined.imports,
    }
    needed = {known[name] for name in free_names(code) if name in known}
    said = changes(run) if start is None else ""
    return f"{said}{import_lines(needed)}\n{code}"


def export(
    run: Run, folder: str | Path, steps: int | None = None, *, start: Start | None = None
) -> Path:
    """Write the script as `train.py` into `folder`, with `start.pt` beside it if it needs one.

    Returns the path of the script.
    """
    code = source(run, steps, start=start)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "train.py"
    script.write_text(code, encoding="utf-8")
    saved: Start = {}
    if not run.task.is_named and run.task.data is not None:
        saved = {"model": run.task.model.state_dict(), **vars(run.task.data)}
    if start is not None:
        saved |= resumed(run, start)
    if saved:
        torch.save(saved, folder / "start.pt")
    return script


def check_start(start: Start) -> None:
    """Raise RecipeError unless plain PyTorch can go on from a captured state."""
    place = start["feed"]
    if place["offset"] != place["end"]:
        raise RecipeError(
            "the state was captured inside a group of micro-batches; take the last of them first."
        )
    if start["scaler"] and start["scaler"]["stage"] is not None:
        raise RecipeError(
            "the state holds gradients that float16 unscaled and never used; put unscale before "
            "step."
        )


def resumed(run: Run, start: Start) -> Start:
    """What a script needs to go on from a captured state."""
    persistent = run.model.state_dict().keys()
    state = start["parameters"] | start["buffers"]
    return {
        "model": {name: tensor for name, tensor in state.items() if name in persistent},
        "gradients": start["gradients"],
        "optimizer": start["optimizer"],
        "scheduler": start["scheduler"],
        "scaler": start["scaler"] and start["scaler"]["values"],
        "scale": start["counters"]["scale"],
        "validated": start["counters"]["validated"],
        "validation_loss": start["counters"]["validation_loss"],
        "order": start["feed"]["order"],
        "offset": start["feed"]["offset"],
        "random": start["generator"],
        "outside": start["outside"],
    }


def counted_on(start: Start | None) -> dict[str, str]:
    """How the number of a group is found where groups have not always been micro-batches."""
    behind = 0 if start is None else start["counters"]["index"] - start["counters"]["groups"]
    return {"run.groups": f"(step + 1 - {behind})"} if behind else {}


def changes(run: Run) -> str:
    """The comment that lists how the recipe changed on the way, or nothing."""
    found = []
    before = run.timeline.first_recipe
    for index, made in groupby(run.timeline.changes, lambda change: change.index):
        after, placed = before, False
        for change in made:
            placed = placed or change.kind == "place"
            after = change.value if change.kind == "recipe" else after
        if index > 0 and before is not None and after is not None:
            said = [f"{key} = {literal(value)}" for key, value in after.changed(before).items()]
            said += ["the weights were placed"] * placed
            found += [f"#   before step {index}: {', '.join(said)}\n"] * bool(said)
        before = after
    if not found:
        return ""
    last = "# This script uses the last recipe from the start.\n"
    return f"# The recipe changed on the way:\n{''.join(found)}{last}"


def definitions(run: Run, recipe: Recipe) -> Definitions:
    """The classes and functions that the script uses."""
    found = Definitions()
    if run.task.is_surface:
        found.add(run.task.model.function, surface_name(run.task))
    else:
        for cls in dict.fromkeys(type(module) for module in run.task.model.modules()):
            if not cls.__module__.startswith("torch.nn."):
                found.add(cls)
    if run.task.initialize is not None:
        found.add(run.task.initialize)
    if recipe.validate_every is not None:
        found.add(evaluate)
    return found


def set_up(
    run: Run, recipe: Recipe, lines: list[Line], start: Start | None, defined: Definitions
) -> str:
    """The lines before the loop: data, model, loss, optimizer, schedule, scaler."""
    task = run.task
    own = not task.is_named and not task.is_surface
    load = [] if task.is_surface else [load_model(task.model)]
    code = [f"torch.set_num_threads({run.threads})"] if run.threads is not None else []
    if start is not None or own:
        code.append('start = torch.load("start.pt", weights_only=True)')
    if own:
        code += own_model(task.model) + load
    if start is None:
        code += seeds(run, defined)
    if task.is_surface:
        code.append(surface_start(run, start))
    elif not own:
        code += named_model(run) + (load if start is not None else [])
    move = f'("{run.device.type}")' if run.device.type != "cpu" else ""
    if not task.is_surface:
        code += [f"model.to{move}"] * bool(move)
        code += ["model.eval()"] * (recipe.mode == "eval")
    code += ["torch.set_grad_enabled(False)"] * (not recipe.grad)
    if not task.is_surface:
        code += tensors(run, recipe, own, f".to{move}" if move else "")
        code += losses(run, recipe)
    code += stepping(run, recipe)
    if start is not None:
        code += going_on(run, recipe, lines, defined)
    code += seen_early(recipe, lines, start)
    return "\n".join(code) + "\n"


def seeds(run: Run, defined: Definitions) -> list[str]:
    """The lines that seed whatever the model may draw from."""
    return [
        f"torch.manual_seed({run.seed})",
        *[f"random.seed({run.seed})"] * may_use("random", run, defined),
        *[f"np.random.seed({run.seed % 2**32})"] * may_use("numpy", run, defined),
    ]


def may_use(library: str, run: Run, defined: Definitions) -> bool:
    """Whether a model may draw from "random" or "numpy" in its own code or in one it imports."""
    return run.draws == "unknown" and (defined.is_open or library in defined.packages)


def surface_start(run: Run, start: Start | None) -> str:
    """The line that makes the point from which a surface is walked down."""
    if start is not None:
        return 'w = start["model"]["w"].requires_grad_()'
    at = ", ".join(map(repr, run.task.model.get_parameter("w").tolist()))
    return f"w = torch.tensor([{at}], dtype=torch.float64, requires_grad=True)"


def named_model(run: Run) -> list[str]:
    """The lines that make data and model of a built-in task."""
    task = run.task
    options = {k: v for k, v in task.options.items() if k in task.set_options}
    code = [f"data = {call(task.name, options)}", f"model = {model_code(task.model)}"]
    if task.initialize is not None:
        code.append(f"{task.initialize.__name__}(model)")
    return code


def own_model(model: nn.Module) -> list[str]:
    """The lines that make the learner's own model, with what was set on it afterwards."""
    code = model_code(model)
    if code is None:
        return [
            f"# How this {type(model).__name__} was made cannot be read off it: write the call.",
            f"model = {YOURS}",
        ]
    frozen = outermost(
        model,
        lambda module: (
            not any(p.requires_grad for p in module.parameters())
            and any(True for _ in module.parameters())
        ),
    )
    resting = outermost(model, lambda module: not any(m.training for m in module.modules()))
    return [
        f"model = {code}",
        *(f"{submodule(name)}.requires_grad_(False)" for name in frozen),
        *(
            f'model.get_parameter("{name}").requires_grad_(False)'
            for name, p in model.named_parameters()
            if not p.requires_grad and not within(name, frozen)
        ),
        *(f"{submodule(name)}.eval()" for name in resting),
        *(
            f"{submodule(name)}.training = False"
            for name, module in model.named_modules()
            if not module.training and not within(name, resting)
        ),
    ]


def outermost(model: nn.Module, holds: Callable[[nn.Module], bool]) -> list[str]:
    """The names of the modules of which something holds, without those inside another of them."""
    found: list[str] = []
    for name, module in model.named_modules():
        if not within(name, found) and holds(module):
            found.append(name)
    return found


def within(name: str, modules: list[str]) -> bool:
    """Whether a module or parameter is one of these modules or lies in it."""
    return any(f"{name}.".startswith(f"{module}.") or not module for module in modules)


def submodule(name: str) -> str:
    """The expression for a module of the model."""
    return f'model.get_submodule("{name}")' if name else "model"


def load_model(model: nn.Module) -> str:
    """The line that loads the model's state; tensors of an unusual type replace the model's."""
    kinds = {t.dtype for t in model.state_dict().values() if t.is_floating_point()}
    assign = ", assign=True" if kinds - {torch.float32} else ""
    return f'model.load_state_dict(start["model"]{assign})'


def tensors(run: Run, recipe: Recipe, own: bool, move: str) -> list[str]:
    """The lines that name inputs and targets."""
    task = run.task
    assert task.data is not None
    hot = LOSSES[recipe.loss or task.loss].targets == "values" and task.classes
    long = "" if task.data.targets.dtype == torch.int64 else ".long()"

    def part(name: str) -> str:
        found = f'start["{name}"]' if own else f"data.{name}"
        if hot and name.endswith("targets"):
            found = f"nn.functional.one_hot({found}{long}, {task.outputs}).float()"
        return found + move

    code = [f"inputs, targets = {part('inputs')}, {part('targets')}"]
    if recipe.validate_every is not None:
        held_out = f"{part('validation_inputs')}, {part('validation_targets')}"
        code.append(f"validation = {held_out}")
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


def stepping(run: Run, recipe: Recipe) -> list[str]:
    """The lines that make optimizer, schedule and scaler."""
    values = optimizer_values(recipe)
    shown = {"lr": values["lr"]} | unusual(OPTIMIZERS[recipe.optimizer], values)
    parameters = "[w]" if run.task.is_surface else "model.parameters()"
    code = [f"optimizer = {call(f'torch.optim.{recipe.optimizer}', shown, parameters)}"]
    if recipe.schedule is not None:
        shown = unusual(SCHEDULES[recipe.schedule], schedule_values(recipe))
        name = f"torch.optim.lr_scheduler.{recipe.schedule}"
        code.append(f"scheduler = {call(name, shown, 'optimizer')}")
    if recipe.amp == "float16":
        code.append(f'scaler = torch.amp.GradScaler("{run.device.type}")')
    return code


def unusual(row: Choice, values: Mapping[str, Value]) -> dict[str, Value]:
    """The values that torch would not take by itself."""
    torchs = inspect.signature(row.make).parameters
    return {name: value for name, value in values.items() if value != torchs[name].default}


def going_on(run: Run, recipe: Recipe, lines: list[Line], defined: Definitions) -> list[str]:
    """The lines that put a captured state into what was just made."""
    parameters = '[("w", w)]' if run.task.is_surface else "model.named_parameters()"
    code = [f"for name, p in {parameters}:", '    p.grad = start["gradients"][name]']
    code.append('optimizer.load_state_dict(start["optimizer"])')
    if recipe.schedule is not None:
        code.append('scheduler.load_state_dict(start["scheduler"])')
    if recipe.amp == "float16":
        code.append('scaler.load_state_dict(start["scaler"])')
        order = [line.stage for line in lines if line.code]
        if "backward" not in order or {"unscale", "step"} & set(order[: order.index("backward")]):
            code.append("scaler.scale(torch.zeros(()))  # it has scaled before")
    code.append('torch.set_rng_state(start["random"])')
    if may_use("random", run, defined):
        code.append('version, words, gauss = start["outside"]["python"]')
        code.append("random.setstate((version, tuple(words.tolist()), gauss))")
    if may_use("numpy", run, defined):
        code.append('keys, *rest = start["outside"]["numpy"]')
        code.append('np.random.set_state(("MT19937", keys.numpy().astype("uint32"), *rest))')
    if run.draws == "unknown" and run.device.type != "cpu":
        code.append(f'torch.{run.device.type}.set_rng_state(start["outside"]["device"])')
    return code


def seen_early(recipe: Recipe, lines: list[Line], start: Start | None) -> list[str]:
    """The first values of what the loop reads before it sets it."""
    stages = [line.stage for line in lines]
    reads = next((line.code for line in lines if line.stage == "schedule"), "")
    before = stages[: stages.index("schedule")] if reads else []
    code = []
    if "validated" in reads and "validate" not in before:
        code.append("validated = False" if start is None else 'validated = start["validated"]')
        if start is not None and "validation_loss" in reads:
            code.append('validation_loss = start["validation_loss"]')
    if "scale:" in reads and "step" not in before:
        code.append('scale = start["scale"]' if start else "scale = scaler.get_scale()")
    return code


def extras(run: Run, recipe: Recipe, lines: list[Line]) -> dict[str, str]:
    """What the loop's lines ask of a micro-batch besides x and y, and how it is found."""
    text = "\n".join(line.code for line in lines)
    when = {line.when for line in lines if line.code}
    several = not one_by_one(recipe, run.task)
    wanted = {
        "first": ("i == 0", several and FIRST in when),
        "last": ("i == len(parts) - 1", several and LAST in when),
        "group_rows": ("len(group)", "group_rows" in text),
        "groups": ("groups", several and "groups" in text),
        "epoch_ends": (f"{'group' if several else 'rows'}[-1] == order[-1]", "epoch_ends" in text),
    }
    return {name: found for name, (found, needed) in wanted.items() if needed}


def feed(run: Run, recipe: Recipe, lines: list[Line], start: Start | None) -> str:
    """The generator of micro-batches, which draws a new order for every epoch."""
    if run.task.is_surface:
        return ""
    size = recipe.batch_size or run.task.batch_size
    found = extras(run, recipe, lines)
    yielded = ", ".join(["inputs[rows]", "targets[rows]", *found.values()])
    draw = f"torch.{'randperm' if recipe.shuffle else 'arange'}(len(inputs))"
    within_epoch = begun_epoch(run, start)
    order = "order[offset:]" if within_epoch else "order"
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
    if within_epoch:
        head = "def batches(order, offset):"
        epoch = f"{body}\norder, offset = {draw}, 0"
    else:
        head = "def batches():"
        epoch = f"order = {draw}\n{body}"
    return f"\n\n{head}\n{counter}    while True:\n{indented(epoch, 2)}\n\n\n"


def begun_epoch(run: Run, start: Start | None) -> bool:
    """Whether the script begins in the middle of an epoch."""
    return start is not None and start["feed"]["offset"] < run.task.rows


def loop(run: Run, recipe: Recipe, lines: list[Line], steps: int, start: Start | None) -> str:
    """The training loop."""
    begin = 0 if start is None else int(start["counters"]["index"])
    span = f"range({begin}, {begin + steps})" if begin else f"range({steps})"
    if run.task.is_surface:
        head = f"\nfor step in {span}:"
    else:
        names = "".join(f", {name}" for name in extras(run, recipe, lines))
        place = 'start["order"], start["offset"]' if begun_epoch(run, start) else ""
        head = f"for step, (x, y{names}) in zip({span}, batches({place})):"
    body: list[str] = []
    guard = EACH
    for line in lines:
        if not line.code:
            continue
        when = EACH if one_by_one(recipe, run.task) else line.when
        if when not in (EACH, guard):
            body.append(f"    if {when}:")
        body.append(indented(line.code, 1 if when == EACH else 2))
        guard = when
    said = "loss.item()" if "forward" in recipe.stages else 'float("nan")'
    return "\n".join([head, *body, f"    print(step, {said})\n"])
