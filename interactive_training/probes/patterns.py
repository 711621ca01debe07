"""What a curve says: the pattern, what it means, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, log
from typing import Any

from interactive_training.engine.errors import NonFiniteError, StepError
from interactive_training.engine.history import History
from interactive_training.engine.recipe import Recipe

NEAR_GUESSING = 0.97  # of ln C
LEARNED = 0.9  # of ln C: below it a network has learned something
STUCK_AFTER = 150  # steps since the last change
IDLE_AFTER = 20  # steps without a move of the weights


@dataclass(frozen=True)
class Finding:
    """A pattern with its numbers, the diagnosis, the fix in words, and the fix as recipe fields.

    `short` says the most telling number in a few words; `spoilt` that there is no way on from here:
    the run has to go back to before a change, or to its start, where `fields` can be tried.
    """

    pattern: str
    diagnosis: str
    fix: str
    short: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    spoilt: bool = False


def of_error(error: Exception, recipe: Recipe) -> Finding:
    """What stopped a run."""
    if isinstance(error, NonFiniteError):
        fix, fields = smaller(recipe)
        return Finding(
            f"at step {error.step} the {error.tensor} was not finite.",
            f"the steps were too large. The run went back to {error.step}, its last finite state.",
            fix,
            fields=fields,
            spoilt=True,
        )
    if isinstance(error, StepError):
        cause = str(error).partition(": ")[2]
        return Finding(f"step {error.step} could not be taken.", cause, "change the lines.")
    return Finding(type(error).__name__ + ".", str(error), "undo the last change.")


def smaller(recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """What mends steps that were too large from the start, in words and as fields."""
    lr = recipe.lr / 10
    return f"start again with a learning rate ten times smaller, {lr:.3g}.", {"lr": lr}


def of_lines(history: History, recipe: Recipe, since: int) -> Finding | None:
    """What is wrong with the lines of a run whose weights stand still, or None when they move.

    `since` is the number of steps since the last change, which is not blamed for those before it.
    """
    newest = history.first + len(history) - 1
    idle = min(newest - history.updated, len(history), since)
    if idle < max(IDLE_AFTER, 2 * recipe.accumulate) or newest in history.skipped[-1:]:
        return None
    fields: dict[str, Any] = {"stages": Recipe().stages}
    fix = "put every line back in its place."
    if not recipe.grad:
        diagnosis = "gradients are switched off, so there is nothing to move by."
        fields, fix = {"grad": True}, "switch them on."
    elif "step" not in recipe.stages:
        diagnosis = "optimizer.step() is left out, and nothing else moves the weights."
    elif "backward" not in recipe.stages:
        diagnosis = "loss.backward() is left out, so there is no gradient to move by."
    else:
        diagnosis = "zero_grad() clears every gradient before optimizer.step() can use it."
    pattern = f"no weight has moved in {idle} steps."
    return Finding(pattern, diagnosis, fix, "No weight moves.", fields)


def of_curve(
    history: History,
    recipe: Recipe,
    classes: int,
    dead: Sequence[tuple[int, int]],
    since: int,
) -> Finding | None:
    """What is wrong with a run that trains without error, or None when nothing is.

    `classes` is the number of classes, `dead` what `Shadow.dead_units` found, `since` the number
    of steps since the last change.
    """
    if classes < 2 or len(history) < 20:
        return None
    guessing = log(classes)
    now = history.last("average")
    reduced = history.reduced("average")
    best = min((value for value in reduced.low.tolist() if isfinite(value)), default=now)
    layer = max(range(len(dead)), key=lambda i: dead[i][0] / dead[i][1], default=None)
    gone, units = (0, 1) if layer is None else dead[layer]
    dying = layer is not None and gone / units > 0.8
    collapsed = now > NEAR_GUESSING * guessing and best < LEARNED * guessing
    if collapsed or (dying and now > LEARNED * guessing):
        pattern = (
            f"the loss fell to {best:.2f} and now is {now:.2f}; guessing costs {guessing:.2f}."
        )
        out = "zero_grad" not in recipe.stages
        short = f"The loss fell to {best:.2f} and now is {now:.2f}."
        if dying:
            diagnosis = (
                f"{gone} of {units} units in hidden layer {(layer or 0) + 1} answer 0 to every "
                "row, so no gradient passes them, whatever you change now."
            )
            short = f"{gone} of {units} units in layer {(layer or 0) + 1} are dead."
        elif out:
            diagnosis = (
                f"gradients add up: their norm is {history.last('grad_norm'):.3g}, and every step "
                "repeats all the steps before it."
            )
        else:
            diagnosis = "the steps became too large for what was learned to survive."
        fix, fields = smaller(recipe)
        if out:
            fix, fields = "start again with every line in its place.", {"stages": Recipe().stages}
        return Finding(pattern, diagnosis, fix, short, fields, spoilt=True)
    if since > STUCK_AFTER and now > NEAR_GUESSING * guessing:
        return Finding(
            f"after {since} steps the loss is {now:.2f}; guessing costs {guessing:.2f}.",
            f"the steps are too small to leave the start: lr is {recipe.lr:.3g}.",
            f"a learning rate five times larger, {recipe.lr * 5:.3g}.",
            "It still guesses.",
            {"lr": recipe.lr * 5},
        )
    return None
