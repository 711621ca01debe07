"""The committed notebooks hold what belongs there, and their facts are really compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COMPARED = "nbval-check-output"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_in_order(path: Path) -> None:
    check = [sys.executable, str(ROOT / "tools" / "notebooks.py"), "--check", str(path)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    notebook = nbformat.read(path, as_version=4)
    assert "widgets" not in notebook.metadata
    facts = [cell for cell in notebook.cells if COMPARED in cell.metadata.get("tags", [])]
    assert len(facts) >= 3
    assert all(cell.outputs and cell.execution_count for cell in facts)


@pytest.mark.parametrize(("stored", "passes"), [("4\n", True), ("5\n", False)])
def test_a_changed_output_is_noticed(tmp_path: Path, stored: str, passes: bool) -> None:
    cell = nbformat.v4.new_code_cell(
        "print(2 + 2)",
        execution_count=1,
        metadata={"tags": [COMPARED]},
        outputs=[nbformat.v4.new_output("stream", name="stdout", text=stored)],
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "fact.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(tmp_path / "fact.ipynb")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is passes, done.stdout
