"""The controls of a training recipe, made from the rows of the engine's choices."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import inf
from typing import Any

from interactive_training.engine.choices import (
    ACTIVATIONS,
    CADENCES,
    CLIPS,
    LOSSES,
    LR,
    MODES,
    OPTIMIZERS,
    PRECISIONS,
    REDUCTIONS,
    SCHEDULES,
    Choice,
    Field,
)
from interactive_training.engine.errors import UnusableError, shown
from interactive_training.engine.mlp import INITS, NORMS, Layers
from interactive_training.engine.recipe import (
    FIELDS,
    Recipe,
    optimizer_values,
    schedule_values,
)
from interactive_training.engine.task import TASKS, Task

Control = dict[str, Any]

# Sliders need ends that the mathematics does not have: (lowest, highest, logarithmic).
SPANS: Mapping[str, tuple[float, float, bool]] = {
    "lr": (1e-4, 10.0, True),
    "weight_decay": (0.0, 0.2, False),
    "clip_at": (1e-2, 100.0, True),
    "eps": (1e-12, 1.0, True),
    "accumulate": (1, 16, False),
    "batch_size": (1, 256, True),
    "steps": (50, 2000, False),
    "validate_every": (5, 200, False),
    "step_size": (5, 500, False),
    "T_max": (5, 2000, False),
    "total_steps": (5, 2000, False),
    "max_lr": (1e-4, 10.0, True),
    "div_factor": (1, 1000, True),
    "final_div_factor": (1, 1e6, True),
    "patience": (0, 20, False),
    "cooldown": (0, 20, False),
    "threshold": (0, 0.1, False),
    "min_lr": (0, 0.1, False),
    "eta_min": (0, 0.1, False),
    "lr_decay": (0, 1, False),
    "initial_accumulator_value": (0, 1, False),
    "noise": (0.0, 1.0, False),
    "depth": (0, 12, False),
    "width": (1, 128, True),
    "n": (50, 2000, False),
}
LABELS: Mapping[str, str] = {
    "lr": "learning rate",
    "keep_grad": "kept",
    "label_smoothing": "smoothing",
    "set_to_none": "clear to None",
    "amp": "16-bit",
    "grad": "gradients",
    "mode": "mode",
    "accumulate": "micro-batches",
    "batch_size": "rows of each",
    "clip_at": "clip at",
    "schedule_every": "moves every",
    "steps": "planned steps",
    "validate_every": "look every",
    "weight_decay": "weight decay",
}
MARKS: Mapping[str, Sequence[tuple[float, str]]] = {
    "keep_grad": ((0.0, "0 cleared"), (0.9, ".9 momentum"), (1.0, "1 forgotten")),
}


def number(value: Any) -> str:
    """A number as Python writes it, with 3 significant digits; other values as they are."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def label_of(name: str, labels: Mapping[str, str] = LABELS) -> str:
    """What the control of a field is called on the screen."""
    return labels.get(name, name.replace("_", " "))


def of_field(name: str, field: Field, value: Any, *, path: str = "") -> Control:
    """The control of one field: a tick for truths, else a slider with its number."""
    base: Control = {"name": path + name, "label": label_of(name)}
    if field.kind is bool:
        return {**base, "kind": "toggle", "value": bool(value)}
    if field.kind in (tuple, str):
        text = ", ".join(map(number, value)) if isinstance(value, tuple) else str(value)
        return {**base, "kind": "text", "value": text}
    low, high, log = SPANS.get(name, (field.low, field.high, False))
    if low == -inf or high == inf:
        return {**base, "kind": "text", "value": number(value)}
    return {
        **base,
        "kind": "slider",
        "value": value,
        "text": number(value),
        "low": low,
        "high": high,
        "log": log,
        "whole": field.kind is int,
        "marks": [{"at": at, "label": label} for at, label in MARKS.get(name, ())],
    }


def of_choice(name: str, value: Any, among: Sequence[str], label: str = "") -> Control:
    """A menu; an entry more in a table is an entry more in here, and no pixel."""
    return {
        "name": name,
        "label": label or label_of(name),
        "kind": "choice",
        "value": str(value),
        "options": list(among),
    }


def fact(label: str, words: str) -> Control:
    """A value that follows from others: it is said, not set."""
    return {"name": label, "label": label, "kind": "fact", "value": words}


def lr_slider(recipe: Recipe, digits: int = 3) -> Control:
    """The learning rate, always in view; its slider goes through numbers of so many digits."""
    return {**of_field("lr", LR, recipe.lr), "digits": digits}


def options_of(row: Choice, values: Mapping[str, Any], path: str) -> list[Control]:
    """The controls of the values that only this choice takes."""
    return [
        of_field(field.name, field, values[field.name], path=path)
        for field in row.fields
        if field.name not in FIELDS
    ]


def drawer(line: str, recipe: Recipe, task: Task, scale: float) -> dict[str, Any]:
    """What unfolds when a line of the code is clicked: at most three controls, then the rest.

    `line` is a stage, or "loss" for the second line of `forward`; `scale` is float16's loss scale
    at the newest step, or 1.
    """
    controls, note = _drawer(line, recipe, task, scale)
    first = IN_VIEW.get(line, 3)
    return {
        "title": TITLES[line],
        "controls": controls[:first],
        "more": controls[first:],
        "note": note,
    }


def slides(drawer: Mapping[str, Any]) -> bool:
    """Whether a drawer has a slider among its first controls."""
    return any(control["kind"] == "slider" for control in drawer["controls"])


# Of three: a gradient that is kept makes two lines more of the code, which need the room.
IN_VIEW: Mapping[str, int] = {"zero_grad": 1}
TITLES: Mapping[str, str] = {
    "zero_grad": "zero_grad",
    "forward": "model",
    "loss": "loss",
    "backward": "backward",
    "unscale": "unscale",
    "clip": "clip",
    "step": "optimizer",
    "validate": "validation",
    "schedule": "schedule",
}


def _drawer(line: str, recipe: Recipe, task: Task, scale: float) -> tuple[list[Control], str]:
    def known(name: str, kind: type, value: Any, low: float = 0, high: float = 1) -> Control:
        return of_field(name, Field(name, None, kind, low=low, high=high), value)

    match line:
        case "zero_grad":
            if "zero_grad" not in recipe.stages:
                return [fact("kept", "all of it")], kept_words(recipe)
            return [
                known("keep_grad", float, recipe.keep_grad),
                *[known("set_to_none", bool, recipe.set_to_none)] * (recipe.keep_grad == 0),
            ], kept_words(recipe)
        case "forward":
            return [
                of_choice("mode", recipe.mode, MODES),
                of_choice("amp", recipe.amp, PRECISIONS),
                known("grad", bool, recipe.grad),
            ], precision_words(recipe)
        case "loss":
            name = recipe.loss or task.loss
            row = LOSSES[name]
            given = {f.name: dict(recipe.loss_options).get(f.name, f.default) for f in row.fields}
            return [
                of_choice("loss", name, list(LOSSES)),
                of_choice("reduction", recipe.reduction, REDUCTIONS),
                *options_of(row, given, "loss_options."),
            ], row.notice
        case "backward":
            half = [fact("loss scale", scale_words(scale))] if recipe.amp == "float16" else []
            return [
                known("accumulate", int, recipe.accumulate),
                fact("loss times", share_words(recipe, task)),
                *half,
                known("batch_size", int, recipe.batch_size or task.batch_size),
                known("shuffle", bool, recipe.shuffle),
            ], "Micro-batch gradients add up."
        case "unscale":
            return [], "Divides gradients by the loss scale."
        case "clip":
            return [
                of_choice("clip", recipe.clip, CLIPS),
                known("clip_at", float, recipe.clip_at),
            ], "norm keeps the direction; value does not."
        case "step":
            row_of = OPTIMIZERS[recipe.optimizer]
            values = optimizer_values(recipe)
            own = [
                of_field(f.name, f, values[f.name], path="" if f.name in FIELDS else OPTIONS)
                for f in row_of.fields
                if f.name != "lr"
            ]
            # Momentum and decay are what a learner looks for first.
            first = ("momentum", "betas", "weight_decay")
            own.sort(key=lambda c: first.index(c["name"]) if c["name"] in first else len(first))
            return [of_choice("optimizer", recipe.optimizer, list(OPTIMIZERS)), *own], row_of.notice
        case "validate":
            return [known("validate_every", int, recipe.validate_every or 20)], (
                "Held-out rows, in eval mode."
            )
        case "schedule":
            chosen = recipe.schedule or "none"
            controls = [of_choice("schedule", chosen, ["none", *SCHEDULES])]
            if recipe.schedule is None:
                return controls, "Changes the learning rate over time."
            row_of = SCHEDULES[recipe.schedule]
            every = of_choice("schedule_every", recipe.schedule_every, CADENCES)
            plateau = recipe.schedule == "ReduceLROnPlateau"
            return [
                *controls,
                known("steps", int, recipe.steps),
                *([] if plateau else [every]),
                *options_of(row_of, schedule_values(recipe), "schedule_options."),
            ], row_of.notice
    raise KeyError(line)


OPTIONS = "optimizer_options."


def kept_words(recipe: Recipe) -> str:
    """What becomes of the old gradient, in one line beside the title."""
    kept = recipe.keep_grad
    if "zero_grad" not in recipe.stages:
        return "The line is left out."
    if kept == 0:
        return "The old gradient is cleared."
    if kept == 1:
        return "1 is the forgotten zero_grad."
    return f"Keeping {number(kept)} has a name: momentum."


def precision_words(recipe: Recipe) -> str:
    """What to notice of the forward pass; for float16, how to make its loss scale move."""
    if recipe.amp != "float16":
        return "eval stops dropout, not gradients."
    if recipe.reduction == "sum":
        return "A sum overflows 65,504, float16's largest number: each overflow halves the scale."
    return "Mean losses fit. To see the loss scale fall, set the loss's reduction to sum."


def share_words(recipe: Recipe, task: Task) -> str:
    """What the loss of one micro-batch is multiplied by, so that the group's loss is a mean."""
    if task.is_surface or recipe.accumulate == 1:
        return "1, it is the only one"
    if recipe.reduction == "sum":
        return "1, a sum is not divided"
    rows = recipe.batch_size or task.batch_size
    return f"rows / rows of all, {rows} / {rows * recipe.accumulate}"


def scale_words(scale: float) -> str:
    """float16's loss scale, which the scaler sets itself."""
    return f"{scale:,.0f} now" if scale > 1 else "set by the next step"


def setup(task: Task, seed: int) -> list[Control]:
    """The controls of the set-up strip; each starts a new run."""
    controls = [of_choice("task", task.name, [*TASKS], "task")]
    if task.layers is not None:
        for item in fields(Layers):
            value = getattr(task.layers, item.name)
            among = {
                "activation": list(ACTIVATIONS),
                "init": list(INITS),
                "norm": ["none", *NORMS],
            }.get(item.name)
            if among:
                controls.append(of_choice(item.name, value, among))
            elif item.name == "residual":
                controls.append(of_field(item.name, Field(item.name, False, bool), value))
            else:
                kind = int if item.name in ("depth", "width") else float
                high = 0.9 if item.name == "dropout" else 1
                field = Field(item.name, None, kind, low=0, high=high)
                controls.append(of_field(item.name, field, value))
    if task.layers is not None and "noise" in task.set_options:
        value = task.options.get("noise", task.set_default("noise"))
        controls.append(of_field("noise", Field("noise", 0.2), value))
    controls.append({"name": "seed", "label": "seed", "kind": "text", "value": str(seed)})
    return controls


def described(task: Task, seed: int) -> str:
    """The set-up in a few words: "digits, MLP 64-32-32-10, seed 1"."""
    if task.layers is not None and task.data is not None:
        hidden = [task.layers.width] * task.layers.depth
        sizes = "-".join(map(str, [task.data.inputs.shape[1], *hidden, task.outputs]))
        return f"{task.name}, MLP {sizes}, seed {seed}"
    if task.is_surface:
        return f"{task.name}, 2 weights"
    count = sum(p.numel() for p in task.model.parameters())
    return f"your {type(task.model).__name__}, {count:,} weights, seed {seed}"


def change(recipe: Recipe, name: str, value: Any) -> dict[str, Any]:
    """The recipe fields to set when the control `name` was put to `value` (text is read)."""
    if isinstance(value, str):
        value = read(value, pair=name == "betas")
    if "." in name:
        owner, _, option = name.partition(".")
        return {owner: {**dict(getattr(recipe, owner)), option: value}}
    if name in ("optimizer", "loss"):
        return {name: value, f"{name}_options": {}}
    if name == "schedule":
        chosen = None if value == "none" else value
        fields_: dict[str, Any] = {"schedule": chosen, "schedule_options": {}}
        if chosen == "ReduceLROnPlateau" and recipe.validate_every is None:
            fields_["validate_every"] = 20
        return fields_
    if name == "schedule_every" and value == "validation" and recipe.validate_every is None:
        return {name: value, "validate_every": 20}
    return {name: value}


# A number typed with commas: before its decimals, or between its thousands.
COMMAS = re.compile(r"[+-]?\d*(,\d+)+(e[+-]?\d+)?", re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def read(text: str, *, pair: bool = False) -> Any:
    """What a learner typed, as a Python value if it is one, else the text itself.

    "0,2" is meant as one number wherever no `pair` is asked for; it stays a text, to be refused.
    """
    if not pair and COMMAS.fullmatch(text.strip()):
        return text.strip()
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return float(text)  # nan and inf, which Python writes as names
    except ValueError:
        return text


def refusal(error: Exception, labels: Mapping[str, str] = LABELS) -> str:
    """Why something was refused, for a learner: by the label on the screen, and as it was typed."""
    refused = error.refused if isinstance(error, UnusableError) else None
    if refused is None:
        return str(error)
    label, value = label_of(refused.name, labels), refused.value
    if isinstance(value, str) and refused.example is not None:
        return f"{label}: {no_number(value, refused.example)}"
    exact = isinstance(value, float) and float(number(value)) == value
    return f"{label} is {number(value) if exact else shown(value)}{refused.rest}"


def no_number(text: str, example: float) -> str:
    """What to type instead of a text in a field for a number."""
    if type(read(text)) in (int, float):
        return f"{shown(text)} is a text; type {text} without quotes."
    remedy = f"type one, such as {number(example)}."
    if THOUSANDS.fullmatch(text):
        remedy = f"write {text.replace(',', '')} without the comma."
    elif COMMAS.fullmatch(text) and text.count(",") == 1:
        remedy = f"write {text.replace(',', '.')} with a point."
    return f"{shown(text)} is no number; {remedy}"
