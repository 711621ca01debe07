"""Which lines run in which micro-batch: the recipe's order of stages, made ready to call."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache, wraps
from itertools import product
from typing import TYPE_CHECKING

from interactive_training.engine import stages
from interactive_training.engine.measure import measure, read, tick

if TYPE_CHECKING:
    from interactive_training.engine.recipe import Recipe
    from interactive_training.engine.run import Run

Line = Callable[["Run", "Recipe"], None]

EACH, FIRST, LAST = "each", "first", "last"


def placed(recipe: "Recipe") -> list[tuple[str, str]]:
    """The stages in order, each with the micro-batches of a group in which it runs.

    `forward` and `backward` run in "each". What stands before the first `backward` runs in the
    "first" micro-batch of a group, what stands after it in the "last". Validation comes just
    before the schedule that may wait for it, else at the end.
    """
    names = list(recipe.stages)
    pivot = next((names.index(n) for n in ("backward", "forward") if n in names), 0)
    lines = [
        (name, EACH if name in ("forward", "backward") else FIRST if i < pivot else LAST)
        for i, name in enumerate(names)
    ]
    if recipe.validate_every is not None:
        at = lines.index(("schedule", LAST)) if ("schedule", LAST) in lines else len(lines)
        lines.insert(at, ("validate", LAST))
    return lines


# Stages that a recipe may leave nothing to do: only slow motion calls them then.
IDLE: Mapping[str, Callable[["Recipe"], bool]] = {
    "unscale": lambda recipe: recipe.amp != "float16",
    "clip": lambda recipe: recipe.clip == "none",
    "schedule": lambda recipe: recipe.schedule is None,
}


def is_idle(stage: str, recipe: "Recipe") -> bool:
    """Whether a stage has nothing to do in this recipe."""
    return stage in IDLE and IDLE[stage](recipe)


@dataclass(frozen=True)
class Lines:
    """The calls of one micro-batch in order, with and without a record, and the stages in them.

    `walked` are the calls in slow motion, with those of the stages that have nothing to do.
    """

    recorded: tuple[Line, ...]
    unrecorded: tuple[Line, ...]
    walked: tuple[Line, ...]
    names: frozenset[str]


Plan = dict[tuple[bool, bool], Lines]


@lru_cache(maxsize=256)
def plan(recipe: "Recipe", dropout: bool) -> Plan:
    """The lines of every kind of micro-batch, by whether it is the (first, last) of its group.

    `dropout` says whether the model draws masks in `forward`.
    """
    made: Plan = {}
    idle = {name for name in IDLE if is_idle(name, recipe)}
    for first, last in product((True, False), repeat=2):
        names = [
            name
            for name, when in placed(recipe)
            if when == EACH or (when == FIRST and first) or (when == LAST and last)
        ]
        # Gradients are measured before anything uses them up, and read together with the loss:
        # before the step where the loss is there already, so that a NaN never reaches the weights.
        use = min((names.index(n) for n in ("clip", "step") if n in names), default=len(names))
        if "forward" in names[:use]:
            recorded = [*names[:use], "measure", "read", *names[use:]]
        else:
            recorded = [*names[:use], "measure", *names[use:], "read"]
        made[first, last] = Lines(
            recorded=calls(recorded, dropout, idle),
            unrecorded=calls(names, dropout, idle),
            walked=calls(recorded, dropout),
            names=frozenset(names),
        )
    return made


def calls(names: list[str], dropout: bool, idle: Set[str] = frozenset()) -> tuple[Line, ...]:
    """The functions to call for these lines, with what the run does around them unseen."""
    found: list[Line] = []
    for name in names:
        line = {"measure": measure, "read": read}.get(name) or getattr(stages, name)
        if name not in idle:
            found.append(with_dropout if dropout and name == "forward" else line)
        if name == "schedule":
            found.append(tick)
    return tuple(found)


@wraps(stages.forward)
def with_dropout(run: "Run", recipe: "Recipe") -> None:
    """`forward`, with masks from the run's generator."""
    with run.from_generator:
        stages.forward(run, recipe)
