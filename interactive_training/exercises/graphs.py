"""Exercises on gradients that stay: adding up on purpose, and graphs that are never let go."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from interactive_training.exercises.check import check
from interactive_training.exercises.exercise import (
    ORDINALS,
    Case,
    Exercise,
    Failed,
    all_close,
    close,
    kind_of,
    number,
    plain,
)
from interactive_training.exercises.loops import (
    flat,
    in_words,
    made,
    network_case,
    optimizer_for,
    taken,
)
from interactive_training.exercises.result import Result

Solution = Callable[..., Any]

# Adding up on purpose -----------------------------------------------------------------------------


def parts_case(draw: random.Random, at: int) -> Case:
    """Batches that come in equal parts; in the first input there is one part only."""
    case = network_case(draw, at)
    parts = (1, 2, 3, 4)[at % 4]
    groups = case["rows"] // case["batch"]
    batch = case["batch"] * parts
    return {**case, "parts": parts, "batch": batch, "rows": batch * groups, "left": at >= 2}


def parts_words(case: Case) -> str:
    """A network whose batches come in parts, in words."""
    left = ", a gradient is left over from before" if case["left"] else ""
    return f"{in_words(case)}, each in {case['parts']} equal parts{left}"


def observe_parts(solution: Solution, case: Case) -> Any:
    """Call a solution once for each batch, with its parts."""
    model, x, y = made(case)
    optimizer, size = optimizer_for(model, case), case["batch"]
    if case["left"]:
        for p in model.parameters():
            p.grad = torch.ones_like(p)
    seen = []
    for a, b in zip(x.split(size), y.split(size), strict=True):
        parts = list(zip(a.chunk(case["parts"]), b.chunk(case["parts"]), strict=True))
        returned = plain(solution(model, optimizer, nn.MSELoss(), parts))
        seen.append({"returned": returned, "weights": flat(model)})
    return seen


def judge_parts(case: Case, seen: Any) -> None:
    """Compare each call with one step of the package's loop on the whole batch."""
    before = flat(made(case)[0])
    for at, ((loss, weights), call) in enumerate(zip(taken(case), seen, strict=True)):
        returned = number(call["returned"], "the loss of the whole batch")
        if not close(returned, loss):
            raise Failed(
                "the loss returned is the mean over the whole batch, before the weights move",
                f"the {ORDINALS[at]} call returned {returned:.4g}, {returned / loss:.3g} times it",
            )
        if not all_close(call["weights"], weights):
            raise Failed(
                "the parts together move the weights as the whole batch would, in one step",
                f"in the {ORDINALS[at]} call they {way(before, call['weights'], weights)}",
            )
        before = weights


def way(start: list[float], end: list[float], wanted: list[float]) -> str:
    """How weights moved from their start, beside where they were to go."""
    if len(end) != len(start):
        return "are not as many as before"
    first, last, right = (
        torch.tensor(place, dtype=torch.float64) for place in (start, end, wanted)
    )
    moved, right = last - first, right - first
    if not moved.any():
        return "did not move"
    times = (moved @ right / (right @ right)).item()
    if all_close(moved.tolist(), (times * right).tolist()):
        return f"moved {times:.3g} times as far"
    return "moved another way"


ACCUMULATE = Exercise("accumulate", parts_case, parts_words, observe_parts, judge_parts)


def check_accumulate(solution: Any, student: str | None = None) -> Result:
    """Check `accumulate(model, optimizer, loss_fn, parts)`: one step from a batch in equal parts.

    `parts` is a list of pairs (x, y) with the same number of rows. The loss of the whole batch
    comes back as a Python number. `student` chooses the random inputs.
    """
    return check(ACCUMULATE, solution, student)


# What a graph holds -------------------------------------------------------------------------------

LEAVES = "xyz"
ONE = ("sin", "exp", "tanh")
TWO = ("+", "*", "-")
DOUBLINGS, CHAIN = 12, 300


def graph_case(draw: random.Random, at: int) -> Case:
    """A small program: each line makes a number from earlier ones, some without a graph."""
    if at == 0:
        return {"leaves": [True], "lines": [], "again": ""}
    if at == 1:
        return {"leaves": [True, False], "lines": [["*", 0, 1]], "again": ""}
    if at >= 6:
        again = "t + t" if at == 6 else "t + x"
        return {"leaves": [True], "lines": [["exp", 0]], "again": again}
    leaves = [True, draw.random() < 0.5, draw.random() < 0.5]
    lines: list[list[Any]] = [[draw.choice(TWO), 0, 0]]  # a shared part from the beginning
    for count in range(3 + draw.randint(1, 4)):
        last, any_of = len(leaves) + count, draw.randrange(len(leaves) + count)
        lines.append(
            [draw.choice(TWO), last, any_of] if draw.random() < 0.7 else [draw.choice(ONE), last]
        )
    if at == 5:
        lines.insert(1, ["detach", len(leaves)])
    return {"leaves": leaves, "lines": lines, "again": ""}


def name_of(case: Case, at: int) -> str:
    """What a value of the program is called: x, y, z, then a, b, c and so on."""
    count = len(case["leaves"])
    return LEAVES[at] if at < count else "abcdefghijkl"[at - count]


def graph_words(case: Case) -> str:
    """The program as code."""
    words = [
        f"{LEAVES[at]} = torch.tensor(0.5{', requires_grad=True' if needs else ''})"
        for at, needs in enumerate(case["leaves"])
    ]
    for at, (operation, *parts) in enumerate(case["lines"], len(case["leaves"])):
        names = [name_of(case, part) for part in parts]
        made_of = f" {operation} ".join(names) if operation in TWO else f"{names[0]}.{operation}()"
        words.append(f"{name_of(case, at)} = {made_of}")
    last = name_of(case, len(case["leaves"]) + len(case["lines"]) - 1)
    if case["again"]:
        times = DOUBLINGS if case["again"] == "t + t" else CHAIN
        words += [f"t = {last}", f"{times} times t = {case['again']}"]
        last = "t"
    return f"{last}, after {'; '.join(words)}"


def observe_graph(solution: Solution, case: Case) -> Any:
    """Run the program and ask a solution for the size of its graph."""
    values = [torch.tensor(0.5, requires_grad=needs) for needs in case["leaves"]]
    for operation, *parts in case["lines"]:
        first, *rest = [values[part] for part in parts]
        if operation in TWO:
            other = rest[0]
            made_of = {"+": first + other, "*": first * other, "-": first - other}[operation]
        else:
            made_of = getattr(first, operation)()
        values.append(made_of)
    t = values[-1]
    if case["again"]:
        for _ in range(DOUBLINGS if case["again"] == "t + t" else CHAIN):
            t = t + (t if case["again"] == "t + t" else values[0])
    return plain(solution(t))


def judge_graph(case: Case, seen: Any) -> None:
    """Count on the program what its graph must hold, and compare."""
    count = number(seen, "the number of nodes")
    needs, reached = list(case["leaves"]), [{at} for at in range(len(case["leaves"]))]
    for at, (operation, *parts) in enumerate(case["lines"], len(needs)):
        needs.append(operation != "detach" and any(needs[part] for part in parts))
        kept = set().union(*(reached[part] for part in parts if needs[part]))
        reached.append(kept | {at} if needs[at] else {at})
    wanted = len(reached[-1]) if needs[-1] and case["lines"] else 0
    wanted += {"": 0, "t + t": DOUBLINGS, "t + x": CHAIN}[case["again"]]
    if count != wanted:
        raise Failed(
            "every node that can be reached from the tensor's grad_fn is counted once, and a "
            "tensor without one counts 0",
            f"it returned {kind_of(seen)}",
        )


GRAPH_SIZE = Exercise("graph_size", graph_case, graph_words, observe_graph, judge_graph)


def check_graph_size(solution: Any, student: str | None = None) -> Result:
    """Check `graph_size(tensor)`: the number of nodes behind a tensor.

    Counted are the nodes reached from `tensor.grad_fn` through `next_functions`, each once, those
    that put a gradient into a leaf included; a tensor without a graph has 0. `student` chooses
    the random programs, by default the account's name.
    """
    return check(GRAPH_SIZE, solution, student)


# A loop that lets go ------------------------------------------------------------------------------


class Kept:
    """A tensor that a graph keeps for backward; it is gone as soon as the graph is."""

    def __init__(self, tensor: Tensor) -> None:
        # A node may keep its own output, whose grad_fn would keep the node for ever.
        self.tensor = tensor.detach()


def observe_mean(solution: Solution, case: Case) -> Any:
    """Call a solution on all batches, and count what graphs keep whenever the model is asked."""
    model, x, y = made(case)
    size, before = case["batch"], flat(model)
    alive: weakref.WeakSet[Kept] = weakref.WeakSet()
    held: list[int] = []

    def pack(tensor: Tensor) -> Kept:
        kept = Kept(tensor)
        alive.add(kept)
        return kept

    model.register_forward_pre_hook(lambda module, args: held.append(len(alive)))
    batches = list(zip(x.split(size), y.split(size), strict=True))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        result = solution(model, nn.MSELoss(), batches)
        held.append(len(alive))
        returned = plain(result)
    return {"returned": returned, "held": held, "moved": flat(model) != before}


def judge_mean(case: Case, seen: Any) -> None:
    """Compare the mean, and look whether the graphs grow from batch to batch."""
    held = seen["held"]
    counts = ", ".join(map(str, held))
    if held[-1]:
        raise Failed(
            "when the mean is returned, no graph is held any more",
            f"before each batch and in the end the graphs held {counts} tensors",
        )
    if len(held) > 2 and max(held[1:]) > held[1]:
        raise Failed(
            "what the graphs hold does not grow from batch to batch",
            f"before each batch, and in the end, they held {counts} tensors",
        )
    returned = number(seen["returned"], "the mean loss")
    model, x, y = made(case)
    size, loss_fn = case["batch"], nn.MSELoss()
    with torch.no_grad():
        losses = [
            loss_fn(model(a), b).item() for a, b in zip(x.split(size), y.split(size), strict=True)
        ]
    if not close(returned, sum(losses) / len(losses)):
        raise Failed(
            "the mean of the losses of all batches is returned", f"it returned {returned:.4g}"
        )
    if seen["moved"]:
        raise Failed("looking at the loss moves no weight", "some weight has moved")


MEAN_LOSS = Exercise("mean_loss", network_case, in_words, observe_mean, judge_mean)


def check_mean_loss(solution: Any, *others: Any, student: str | None = None) -> Result:
    """Check `mean_loss(model, loss_fn, batches)`: the mean loss, without holding on to a graph.

    `batches` is a list of pairs (x, y) with the same number of rows; the mean comes back as a
    Python number. Of several solutions the result says how many are right, not which. `student`
    chooses the random inputs, by default the account's name.
    """
    results = [check(MEAN_LOSS, one, student) for one in (solution, *others)]
    if not others:
        return results[0]
    right, name = sum(map(bool, results)), f"{len(results)} loops"
    if right == len(results):
        return Result(name, tried=results[0].tried)
    saw = f"{right} of the {len(results)} do; look at each which does not"
    return Result(name, failed="every loop finds the mean and lets its graphs go", saw=saw)
