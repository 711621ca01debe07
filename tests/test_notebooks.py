"""The committed notebooks hold what belongs there, and their facts are really compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COMPARED = "nbval-check-output"
TOOL = [sys.executable, str(ROOT / "tools" / "notebooks.py")]


def nbval(path: Path, threads: int = 1) -> subprocess.CompletedProcess[str]:
    """Run a notebook as `make notebooks` does, in the folder where it lies."""
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "120"]
    options += ["--nbval-sanitize-with", str(ROOT / "tests" / "nbval_sanitize.cfg")]
    options += ["-q", "--tb=short", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, path.name],
        cwd=path.parent,
        env=os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_in_order(path: Path) -> None:
    done = subprocess.run(
        [*TOOL, "--check", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    notebook = nbformat.read(path, as_version=4)
    assert "widgets" not in notebook.metadata
    facts = [cell for cell in notebook.cells if COMPARED in cell.metadata.get("tags", [])]
    assert len(facts) >= 3
    assert all(cell.outputs and cell.execution_count for cell in facts)
    printed = [output for cell in facts for output in cell.outputs]
    assert all(output.output_type == "stream" and output.name == "stdout" for output in printed)


@pytest.mark.parametrize(("stored", "passes"), [("4\n", True), ("5\n", False)])
def test_a_changed_output_is_noticed(tmp_path: Path, stored: str, passes: bool) -> None:
    cell = nbformat.v4.new_code_cell(
        "print(2 + 2)",
        execution_count=1,
        metadata={"tags": [COMPARED]},
        outputs=[nbformat.v4.new_output("stream", name="stdout", text=stored)],
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "fact.ipynb")
    done = nbval(tmp_path / "fact.ipynb")
    assert (done.returncode == 0) is passes, done.stdout


def test_every_changed_fact_of_a_notebook_is_noticed(tmp_path: Path) -> None:
    """The last character of each stored output is another one: nbval fails there, only there."""
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("03"))
    notebook = nbformat.read(path, as_version=4)
    changed = 0
    for cell in notebook.cells:
        if COMPARED in cell.metadata.get("tags", []):
            text = cell.outputs[-1].text.rstrip("\n")
            cell.outputs[-1].text = text[:-1] + ("x" if text[-1] != "x" else "y") + "\n"
            changed += 1
    nbformat.write(notebook, tmp_path / path.name)
    done = nbval(tmp_path / path.name)
    assert re.search(rf"\b{changed} failed", done.stdout), done.stdout
    assert changed >= 3


@pytest.mark.full
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_facts_hold_with_any_number_of_threads(path: Path, threads: int) -> None:
    done = nbval(path, threads)
    assert done.returncode == 0, done.stdout


# Before a commit ----------------------------------------------------------------------------------


HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]


def test_the_hooks_need_no_network() -> None:
    assert [repository["repo"] for repository in HOOKS] == ["local"]
    for hook in HOOKS[0]["hooks"]:
        program, script, *_ = hook["entry"].split()
        assert program == "python"
        assert (ROOT / script).is_file()
        assert hook["language"] == "system"


def test_the_hook_puts_a_notebook_in_order(tmp_path: Path) -> None:
    (hook,) = (hook for hook in HOOKS[0]["hooks"] if hook["id"] == "notebooks")
    path = tmp_path / "01_messy.ipynb"
    assert re.search(hook["files"], "notebooks/01_messy.ipynb")
    stream = nbformat.v4.new_output("stream", name="stdout", text="4\n")
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("4", "\n")]
    still = {"image/png": "iVBORw0KGgo=", "text/plain": "a lab", "text/html": "<script>"}
    cells = [
        nbformat.v4.new_markdown_cell("# Title", metadata={"covers": ["A1"], "jp": {"x": 1}}),
        nbformat.v4.new_code_cell("print(4)", execution_count=7, outputs=[stream]),
        nbformat.v4.new_code_cell(
            "print(4)", execution_count=8, outputs=pieces, metadata={"tags": [COMPARED]}
        ),
        nbformat.v4.new_code_cell(
            "lab", execution_count=9, outputs=[nbformat.v4.new_output("display_data", still)]
        ),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"widgets": {"state": {}}})
    nbformat.write(notebook, path)
    command = [sys.executable, str(ROOT / hook["entry"].split()[1]), *hook["entry"].split()[2:]]
    # The commit stops when a file had to be changed, and goes through the second time.
    for status in (1, 0):
        assert subprocess.run([*command, str(path)], check=False).returncode == status
    tidy = nbformat.read(path, as_version=4)
    assert "widgets" not in tidy.metadata
    title, silent, compared, shown = tidy.cells
    assert title.metadata == {"covers": ["A1"]}
    assert (silent.outputs, silent.execution_count) == ([], None)
    assert compared.outputs == [stream]
    assert compared.execution_count == 8
    assert set(shown.outputs[0].data) == {"image/png", "text/plain"}
