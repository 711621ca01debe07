"""The code as a menu: which lines there are, which are ticked, and what each of them opens."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from interactive_training.engine.choices import STAGES
from interactive_training.engine.lines import Line, indented, literal, one_by_one, step_lines
from interactive_training.engine.recipe import FIELDS, Recipe
from interactive_training.engine.run import Run
from interactive_training.labs.controls import TITLES, drawer

FIELD = re.compile(r"\bFIELD_(\w+)")
# A chip adds a line that has nothing to do yet: the fields it sets, and the line it opens.
CHIPS: dict[str, tuple[str, dict[str, Any], str]] = {
    "clip": ("clip", {"clip": "norm"}, "clip"),
    "schedule": ("schedule", {"schedule": "CosineAnnealingLR"}, "schedule"),
    "amp": ("16-bit", {"amp": "float16"}, "forward"),
    "accumulate": ("accumulate", {"accumulate": 4}, "backward"),
}
OF_DATA = ("amp", "accumulate")  # what a surface, with no layers and one row, has no use for


@dataclass
class Order:
    """The stages from top to bottom, those left out included: pairs of stage and tick."""

    lines: list[tuple[str, bool]]

    @classmethod
    def of(cls, stages: Sequence[str]) -> "Order":
        """The order of a recipe's stages; one that it leaves out stands at its usual place."""
        lines = [(stage, True) for stage in stages]
        for place, stage in enumerate(STAGES):
            if stage not in stages:
                lines.insert(min(place, len(lines)), (stage, False))
        return cls(lines)

    @property
    def stages(self) -> tuple[str, ...]:
        """What is ticked, as a recipe has it."""
        return tuple(stage for stage, on in self.lines if on)

    def ticked(self, at: int) -> "Order":
        """The order with the tick at one place turned."""
        stage, on = self.lines[at]
        return Order([*self.lines[:at], (stage, not on), *self.lines[at + 1 :]])

    def moved(self, at: int, to: int) -> "Order":
        """The order with the line at one place put to another."""
        lines = list(self.lines)
        line = lines.pop(at)
        lines.insert(max(0, min(to, len(lines))), line)
        return Order(lines)

    def follow(self, stages: Sequence[str]) -> "Order":
        """This order if it has these stages, else a new one: an undo may have changed them."""
        return self if self.stages == tuple(stages) else Order.of(stages)


def menu(order: Order, run: Run, scale: float, selected: str, running: str) -> dict[str, Any]:
    """The state of the code part: lines with their words, chips, and the open drawer.

    With nothing `selected`, "", no drawer is open.
    """
    recipe = run.recipe
    every = replace(recipe, stages=tuple(stage for stage, _ in order.lines))
    names = {f"recipe.{name}": f"FIELD_{name}" for name in FIELDS}
    found = step_lines(every, run.task, run.device.type, names)
    opened = {line: drawer(line, recipe, run.task, scale) for line in TITLES}
    lines = []
    places = iter(range(len(order.lines)))
    for line in found:
        at = None if line.stage == "validate" else next(places)
        on = True if at is None else order.lines[at][1]
        shown = line.code if one_by_one(recipe, run.task) else guarded(line)
        for row, code in enumerate(shown.split("\n") if shown else ()):
            opens = "loss" if "loss_fn(" in code and line.stage == "forward" else line.stage
            lines.append(
                {
                    "at": at,
                    "stage": line.stage,
                    "opens": opens,
                    "first": row == 0,
                    "on": on,
                    "words": words(code, recipe, opened[opens]),
                    "selected": opens == selected,
                    "running": line.stage == running,
                }
            )
    present = {line.stage for line in found if line.code}
    chips = [
        {"name": name, "label": label}
        for name, (label, fields, opens) in CHIPS.items()
        if not used(name, recipe) and not (name in OF_DATA and run.task.is_surface)
    ]
    drawn = selected if selected in present or selected == "loss" else "zero_grad"
    return {"lines": lines, "chips": chips, "drawer": opened[drawn] if selected else None}


def guarded(line: Line) -> str:
    """The code of a line under the micro-batches of a group in which it runs, as in a script."""
    if line.when == "each" or not line.code:
        return line.code
    under = f"\n{indented(line.code)}" if "\n" in line.code else f" {line.code}"
    return f"if {line.when}:{under}"


def used(chip: str, recipe: Recipe) -> bool:
    """Whether the recipe already has what a chip would add."""
    return {
        "clip": recipe.clip != "none",
        "schedule": recipe.schedule is not None,
        "amp": recipe.amp != "off",
        "accumulate": recipe.accumulate > 1,
    }[chip]


def words(code: str, recipe: Recipe, opened: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line of code in pieces: plain text, and values that can be edited, each with its control.

    `opened` is the drawer of the line, which holds the controls of its values; a value without
    one there, as in a line that is left out, is text.
    """
    controls = {one["name"]: one for one in (*opened["controls"], *opened["more"])}
    pieces: list[dict[str, Any]] = []
    at = 0
    for match in FIELD.finditer(code):
        if match.start() > at:
            pieces.append({"text": code[at : match.start()]})
        name = match.group(1)
        piece = {"text": literal(getattr(recipe, name))}
        pieces.append({**piece, "control": controls[name]} if name in controls else piece)
        at = match.end()
    if at < len(code):
        pieces.append({"text": code[at:]})
    return pieces
