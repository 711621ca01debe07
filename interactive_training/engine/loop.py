"""The training loop: take the lines of one step in order, and yield what happened.

The consumer's `for` body is the hook: it runs between two steps, with the step taken and its
gradients still in place.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from interactive_training.engine.errors import BusyError, NonFiniteError, StepError
from interactive_training.engine.explain import explained
from interactive_training.engine.measure import NotFiniteInStep, Step, first_not_finite, record
from interactive_training.engine.plan import Lines

if TYPE_CHECKING:
    from interactive_training.engine.recipe import Recipe
    from interactive_training.engine.run import Run


def train(run: "Run", steps: int, *, record: bool = True) -> Iterator[Step]:
    """Train for `steps` micro-batches and yield the Step of each; to pause, stop asking.

    With `record=False` nothing is measured and nothing is read from the device; the bare loop
    then yields None. Raises StepError when torch refuses a step and NonFiniteError when a number
    is not finite: either way the run stands in the last good state and can be trained on.

    Notice: at each yield the gradients of the step are still on the model.
    """
    claim(run)
    try:
        for _ in range(steps):
            yield advance(run, recorded=record)  # type: ignore[misc]  # None without a record
    finally:
        run.claimed = False


def walk(run: "Run", steps: int = 1) -> Iterator[str]:
    """The same steps in slow motion: yield the name of each line just after it has run.

    What the lines leave behind is on the run: `x`, `y`, `output`, `loss`, the gradients, and
    after the last line of a step its record, `last`. Closing the walk in the middle of a step puts
    the run back to before that step.
    """
    claim(run)
    try:
        for _ in range(steps):
            recipe, lines = begin(run)
            run.busy = True
            try:
                for line in lines.recorded:
                    with torch.set_grad_enabled(recipe.grad):
                        line(run, recipe)
                    if line.__name__ in lines.names:
                        yield line.__name__
            except BaseException as error:
                recover(run, error)
                raise
            finish(run, recipe, lines, recorded=True)
    finally:
        run.claimed = False


def advance(run: "Run", *, recorded: bool = True) -> Step | None:
    """Take one step: one forward, one backward, and what the recipe puts around them."""
    recipe, lines = begin(run)
    run.busy = True
    try:
        with torch.set_grad_enabled(recipe.grad):
            for line in lines.recorded if recorded else lines.unrecorded:
                line(run, recipe)
    except BaseException as error:
        recover(run, error)
        raise
    return finish(run, recipe, lines, recorded=recorded)


def begin(run: "Run") -> tuple["Recipe", Lines]:
    """Put the waiting recipe in force and fetch the next micro-batch."""
    run.settle()
    run.check_next()
    if run.index >= run.timeline.next_at:
        run.timeline.keep(run.capture())
    recipe = run.in_force
    run.fetch()
    return recipe, run.plan[run.feed.first, run.feed.last]


def finish(run: "Run", recipe: "Recipe", lines: Lines, *, recorded: bool) -> Step | None:
    """Count the step, and let go of its graph."""
    run.last = record(run, recipe, lines.names) if recorded else None
    run.count(lines.names)
    run.busy = False
    return run.last


def recover(run: "Run", error: BaseException) -> None:
    """Bring the run back to the state before the step that failed, and raise what it means.

    Returns when the error speaks for itself, such as an interrupt.
    """
    step = run.index
    tensor = first_not_finite(run) if isinstance(error, NotFiniteInStep) else None
    run.busy = False
    rewind(run, step, changed=True)
    if tensor is not None:
        raise NonFiniteError(
            step,
            tensor,
            f"at step {step} the {tensor} was not finite; the run is back before that step, "
            "so lower lr, clip the gradient or mend the data, and go on.",
        ) from None
    if isinstance(error, Exception):
        raise StepError(step, explained(step, error)) from error


def rewind(run: "Run", index: int, *, changed: bool = False) -> None:
    """Go back to the state before step `index`; what was changed from there on is dropped.

    `changed=True` keeps the changes made just before step `index`. Raises RecipeError when
    `index` lies ahead, or before the first state that is kept.
    """
    run.refuse_inside_a_step("rewind")
    run.timeline.go(run, index, lambda run: advance(run, recorded=False), changed=changed)


def claim(run: "Run") -> None:
    """Refuse a second loop on a run while the first could still go on."""
    if run.claimed:
        raise BusyError(
            "another train or walk of this run is still open; exhaust or close it, or fork the run."
        )
    run.claimed = True
