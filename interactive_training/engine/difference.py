"""Cause and effect: the first step and tensor in which two runs differ."""

from interactive_training.engine.errors import TaskError
from interactive_training.engine.loop import advance, rewind
from interactive_training.engine.run import Run
from interactive_training.engine.state import capture, tensors
from interactive_training.engine.timeline import redo


def first_difference(run: Run, twin: Run) -> tuple[int, str, float] | None:
    """The first step after which two runs differ, the tensor that differs, and by how much.

    Both are taken again, on copies, from the earliest step that both can go back to, up to the
    step that both have reached. Returns (step, tensor name, largest absolute difference), or None
    when every tensor is bitwise the same throughout. Raises TaskError when their models differ.

    Notice: within a step the gradient comes first, then the weights, then the optimizer's memory;
    a changed lr leaves the gradient of its first step alone, a changed reduction does not.
    """
    if {n: p.shape for n, p in run.model.named_parameters()} != {
        n: p.shape for n, p in twin.model.named_parameters()
    }:
        raise TaskError("the runs have different models; compare a run with its fork.")
    runs = (run, twin)
    start = max(r.timeline.kept[0].index if r.timeline.kept else r.index for r in runs)
    end = min(r.index for r in runs)
    start = min(start, end)
    copies = [again(r, start) for r in runs]
    todo = [[c for c in r.timeline.changes if c.index >= start] for r in runs]
    found = difference(*copies)
    if found is not None:
        return (start, *found)
    for at in range(start, end + 1):
        for one, changes in zip(copies, todo, strict=True):
            while changes and changes[0].index == at:
                redo(one, changes.pop(0))
            if at < end:
                advance(one, recorded=False)
        found = difference(*copies)
        if found is not None:
            return (at, *found)
    return None


def again(run: Run, index: int, *, changed: bool = False) -> Run:
    """A copy of the run as it was before step `index`, with or without the changes made there."""
    one = run.fork()
    one.timeline = run.timeline.copy()
    if one.timeline.kept:
        rewind(one, index, changed=changed)
    return one


def difference(run: Run, twin: Run) -> tuple[str, float] | None:
    """The first tensor in which two states differ, in the order in which a step changes them."""
    one, other = tensors(capture(run)), tensors(capture(twin))
    for name in one | other:
        if name not in one or name not in other:
            return name, float("inf")
        a, b = one[name], other[name]
        if a.shape != b.shape:
            return name, float("inf")
        same = (a == b) | ((a != a) & (b != b))
        if not same.all():
            return name, float((a.double() - b.double()).abs().max())
    return None
