"""The checks in a real kernel: functions typed in cells, and the exercises of the course."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def results(cells: list[str], folder: Path) -> list[str]:
    """What each cell shows as its result, all run in one kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": folder}}).execute()
    return ["".join(shown(cell)) for cell in notebook.cells]


def shown(cell: Any) -> list[str]:
    """The texts of a cell's results, without what it printed."""
    return [output.data["text/plain"] for output in cell.outputs if "data" in output]


def test_a_solution_may_use_what_other_cells_define(tmp_path: Path) -> None:
    said = results(
        [
            "import torch as th\nfrom torch.linalg import eigvalsh",
            "HALF = 0.5",
            "class Bowl:\n    def __init__(self, hessian):\n        self.ends = ends(hessian)",
            "def ends(hessian):\n    found = eigvalsh(hessian)\n    return found[0], found[-1]",
            "def best_rate(hessian):\n"
            "    low, high = Bowl(hessian).ends\n"
            "    return (1 / (HALF * th.add(low, high))).item()",
            "from interactive_training.exercises import check_best_rate\n"
            "check_best_rate(best_rate)",
            "def best_rate(hessian):\n    return [0] * 10**9",
            "check_best_rate(best_rate)",
            "assert not check_best_rate(lambda hessian: 0.1)\n'the notebook goes on'",
        ],
        tmp_path,
    )
    assert said[5] == "best_rate: right, on 8 random inputs."
    assert "more than 256 MB of memory" in said[7]
    assert said[8] == "'the notebook goes on'"


# How each exercise of the course is solved: what to put in place of what stands there.
LOOP = """losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses"""
NODES = """seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [after for after, _ in node.next_functions]
    return len(seen)"""
STEP_FILLED = "optimizer.step()\n    return loss.item()"
SOLVED: dict[str, list[list[tuple[str, str]]]] = {
    "01": [
        [
            ("...  # yours\n    loss =", "optimizer.zero_grad()\n    loss ="),
            ("...  # yours\n    return loss.item()", STEP_FILLED),
        ],
        [("return []  # yours", LOOP)],
        [("loss.backward()", "optimizer.zero_grad()\n        loss.backward()")],
    ],
    "02": [
        [("...  # yours", "w = w - lr * hessian @ w")],
        [("0.25  # yours: right for one bowl", "2 / torch.linalg.eigvalsh(hessian).max()")],
        [
            (
                "0.2  # yours: right for one bowl",
                "(2 / torch.linalg.eigvalsh(hessian)[[0, -1]].sum()).item()",
            )
        ],
        [("torch.stack([hessian[0, 0] * w[0], hessian[1, 1] * w[1]])", "hessian @ w")],
    ],
    "03": [
        [
            ("...  # yours: nothing from before may stay", "optimizer.zero_grad()"),
            (
                "loss_fn(model(x), y)  # yours: of each loss only its share",
                "loss_fn(model(x), y) / len(parts)",
            ),
        ],
        [("return 0  # yours", NODES)],
        [("(loss - mean)", "(loss.item() - mean)")],
    ],
}


@pytest.mark.parametrize("number", SOLVED)
def test_the_course_asks_and_can_be_solved(number: str) -> None:
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    asked = [
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and "\ncheck_" in cell.source
    ]
    assert len(asked) == len(SOLVED[number]) >= 3
    solved = []
    for source, changes in zip(asked, SOLVED[number], strict=True):
        for before, after in changes:
            assert source.count(before) == 1
            source = source.replace(before, after)
        solved.append(source)
    _, *said = results(["import torch", *asked, *solved], path.parent)
    assert all("not yet" in result and "Must hold" in result for result in said[: len(asked)]), said
    assert not any("cannot be sent" in result for result in said), said
    assert all(": right, on 8 random inputs." in result for result in said[len(asked) :]), said
