"""The training loop: take the lines of one step in order, and yield what happened.

The consumer's `for` body is the hook: it runs between two steps, with the step taken and its
gradients still in place.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from interactive_training.engine import state
from interactive_training.engine.errors import BusyError, NonFiniteError, RecipeError, StepError
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

    Notice: at each yield the gradients of the step are still on the model. What a loop's body
    changes by hand, other than through `run.recipe` and `run.place`, cannot be redone when the
    run has to come back to a state.
    """
    claim(run)
    try:
        for _ in range(steps):
            yield advance(run, recorded=record)  # type: ignore[misc]  # None without a record
    finally:
        run.claimed = False


def walk(run: "Run", steps: int = 1) -> Iterator[str]:
    """The same steps in slow motion: yield the name of each line just after it has run.

    What the lines leave behind is on the run: `x`, `y`, `output`, `loss` and the gradients. The
    step is over, with its record in `run.last`, when the walk is asked to go on after its last
    line; closing the walk before that puts the run back to before the step.
    """
    claim(run)
    try:
        for _ in range(steps):
            remember(run)
            try:
                recipe, lines = begin(run)
                for line in lines.walked:
                    with run.surroundings():
                        line(run, recipe)
                    if line.__name__ in lines.names:
                        yield line.__name__
                finish(run, recipe, lines, recorded=True)
            except BaseException as error:
                recover(run, error)
                raise
    finally:
        run.claimed = False


def advance(run: "Run", *, recorded: bool = True) -> Step | None:
    """Take one step: one forward, one backward, and what the recipe puts around them."""
    remember(run)
    try:
        recipe, lines = begin(run)
        with run.surroundings():
            for line in lines.recorded if recorded else lines.unrecorded:
                line(run, recipe)
        return finish(run, recipe, lines, recorded=recorded)
    except BaseException as error:
        recover(run, error)
        raise


def remember(run: "Run") -> None:
    """Keep the state now and then, so that there is always one to go back to."""
    if run.index >= run.timeline.next_at:
        run.timeline.keep(run.capture())


def begin(run: "Run") -> tuple["Recipe", Lines]:
    """Put the waiting recipe in force and fetch the next micro-batch."""
    run.busy = True
    run.settle()
    if run.in_force.schedule is not None:
        run.check_next()
    run.fetch()
    return run.in_force, run.plan[run.feed.first, run.feed.last]


def finish(run: "Run", recipe: "Recipe", lines: Lines, *, recorded: bool) -> Step | None:
    """Count the step, and let go of its graph."""
    run.last = record(run, recipe, lines.names) if recorded else None
    run.count()
    run.busy = False
    return run.last


def recover(run: "Run", error: BaseException) -> None:
    """Bring the run back to the state before the step that failed, and raise what it means.

    What was asked of the recipe within that step stays asked for. Returns when the error speaks
    for itself, such as an interrupt.
    """
    step, asked = run.index, run.recipe
    tensor = first_not_finite(run) if isinstance(error, NotFiniteInStep) else None
    run.busy = False
    if tensor is None:
        rewind(run, step, changed=True)
    else:
        rewind_to_finite(run, step)
    if run.recipe != asked:
        run.recipe = asked
    if tensor is not None:
        raise NonFiniteError(
            step,
            tensor,
            f"at step {step} the {tensor} was not finite; the run is back before step "
            f"{run.index}: mend the data, or rewind further and lower lr or clip the gradient.",
        ) from None
    if isinstance(error, Exception) and not isinstance(error, RecipeError):
        raise StepError(step, explained(step, error)) from error


def rewind_to_finite(run: "Run", index: int) -> None:
    """Go back to the newest state, at most that before step `index`, in which all is finite.

    It lies further back where steps without a record let a NaN through, or where the last update
    was so large that it left a weight infinite.
    """
    way = run.timeline.copy()
    way.kept = [kept for kept in way.kept if state.finite(kept.saved)] or way.kept[:1]

    def carefully(run: "Run") -> None:
        advance(run, recorded=False)
        if not state.finite(run.capture()):
            raise NotFiniteInStep

    try:
        way.go(run, index, carefully, changed=True)
    except NotFiniteInStep:
        way.go(run, run.index - 1, unrecorded, changed=True)


def unrecorded(run: "Run") -> None:
    """Take one step without a record, as one does to come back to a state."""
    advance(run, recorded=False)


def rewind(run: "Run", index: int, *, changed: bool = False) -> None:
    """Go back to the state before step `index`; what was changed from there on is dropped.

    `changed=True` keeps the changes made just before step `index`. Raises RecipeError when
    `index` lies ahead, or before the first state that is kept.
    """
    run.refuse_inside_a_step("rewind")
    run.timeline.go(run, index, unrecorded, changed=changed)


def claim(run: "Run") -> None:
    """Take the run for one loop.

    The state is kept: what was changed by hand since the last loop cannot be redone from before.
    The data is looked at anew, since it may be among that.
    """
    refuse_a_second_loop(run)
    run.feed.forget()
    run.timeline.keep(run.capture())
    run.claimed = True


def refuse_a_second_loop(run: "Run") -> None:
    """Raise BusyError while another train or walk of the run could still go on."""
    if run.claimed:
        raise BusyError(
            "another train or walk of this run is still open; exhaust or close it, or fork the run."
        )
