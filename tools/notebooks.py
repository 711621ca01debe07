"""Run the notebooks and keep the outputs that belong in the repository.

    python tools/notebooks.py notebooks/*.ipynb           runs them and writes them back
    python tools/notebooks.py --tidy notebooks/*.ipynb    writes them back without running them
    python tools/notebooks.py --check notebooks/*.ipynb   only says whether they are in order

A cell tagged nbval-check-output keeps its outputs and execution count, since nbval compares them.
A cell that shows a lab or a picture keeps that as one still picture. Every other cell keeps
nothing, and no notebook keeps the state of widgets. Of a cell's metadata its tags stay,
`covers`: what the cell teaches of tools/coverage.tsv, and `jupyter`: whether its output is folded.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import nbformat

COMPARED = "nbval-check-output"
STILL = ("image/png", "text/plain")
METADATA = ("covers", "jupyter", "tags")


def normalized(notebook: Any) -> Any:
    """The notebook with only what belongs in the repository, its cell ids numbered."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02}"
        cell.metadata = {name: cell.metadata[name] for name in METADATA if cell.metadata.get(name)}
        if cell.cell_type != "code":
            continue
        if COMPARED in cell.metadata.get("tags", []):
            cell.outputs = joined(cell.outputs)
            continue
        cell.outputs = [still(output) for output in cell.outputs if "image/png" in data(output)]
        if not cell.outputs:
            cell.execution_count = None  # nbval wants a count wherever there is an output
    return notebook


def joined(outputs: list[Any]) -> list[Any]:
    """Outputs with what was printed in one piece: where it comes apart is a matter of chance."""
    found: list[Any] = []
    for output in outputs:
        if output.output_type != "stream":
            found.append(output)
        elif found and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(nbformat.v4.new_output("stream", name=output.name, text=output.text))
    return found


def data(output: Any) -> dict[str, Any]:
    """The representations of an output by type."""
    found: dict[str, Any] = output.get("data", {})
    return found


def still(output: Any) -> Any:
    """An output as one still picture with its words, which no kernel is needed for."""
    kept = {kind: data(output)[kind] for kind in STILL if kind in data(output)}
    size = output.metadata.get("image/png", {})
    return nbformat.v4.new_output("display_data", kept, metadata={"image/png": size})


def main() -> int:
    """Run, tidy or check the notebooks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether they are in order")
    parser.add_argument("--tidy", action="store_true", help="write them back without running them")
    parser.add_argument("notebooks", nargs="+", type=Path)
    arguments = parser.parse_args()
    changed = 0
    for path in arguments.notebooks:
        notebook = nbformat.read(path, as_version=4)
        if not arguments.check and not arguments.tidy:
            run(notebook, path)
        text = nbformat.writes(normalized(notebook)) + "\n"
        if text == path.read_text(encoding="utf-8"):
            continue
        changed += 1
        if arguments.check:
            print(f"{path} holds what does not belong there; run tools/notebooks.py on it.")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path}: written")
    return changed if arguments.check or arguments.tidy else 0


def run(notebook: Any, path: Path) -> None:
    """Run all cells in the notebook's own folder."""
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": path.parent}}).execute()


if __name__ == "__main__":
    sys.exit(main())
