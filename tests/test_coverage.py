"""What the course teaches is listed whole, and each link leads to a heading that is there."""

from __future__ import annotations

import csv
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "notebooks" / "COVERAGE.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| [A-E]\d+ \|", line)]
LINKS = sorted(set(re.findall(r"\]\(([^)#]+\.ipynb)#([^)]+)\)", PAGE)))


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_page", ROOT / "tools" / "coverage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_whole() -> None:
    with (ROOT / "tools" / "coverage.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0] == ["id", "seed", "section", "kind", "item", "lab"]
    assert len(rows) == 1 + 589
    assert all(len(row) == 6 and all(row) for row in rows)
    identities = [row[0] for row in rows[1:]]
    assert len(set(identities)) == 589
    assert [row.split()[1] for row in ROWS] == identities


def test_the_page_is_up_to_date(tool: ModuleType) -> None:
    assert tool.page() == PAGE, "run tools/coverage.py"


@pytest.mark.parametrize(("file", "anchor"), LINKS, ids=[f"{f[:2]}-{a}" for f, a in LINKS])
def test_a_link_leads_to_a_heading(file: str, anchor: str) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / file, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    assert [heading.replace(" ", "-") for heading in found].count(unquote(anchor)) == 1


def test_every_tag_is_on_the_page() -> None:
    tags = set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            tags |= {(path.name, identity) for identity in cell.metadata.get("covers", [])}
    linked = {
        (file, row.split()[1]) for row in ROWS for file in re.findall(r"\(([^)#]+\.ipynb)#", row)
    }
    assert tags == linked
    assert tags


def test_an_unknown_item_is_refused(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = nbformat.v4.new_markdown_cell("# One\n\ntext", metadata={"covers": ["A1"]})
    more = nbformat.v4.new_markdown_cell("text\n\n## Two", metadata={"covers": ["A2"]})
    last = nbformat.v4.new_code_cell("1", metadata={"covers": ["A3"]})
    monkeypatch.setattr(tool, "NOTEBOOKS", tmp_path)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, more, last]), tmp_path / "01_x.ipynb")
    places = tool.places()
    assert [places[name][0].heading for name in ("A1", "A2", "A3")] == ["One", "One", "Two"]
    last.metadata["covers"] = ["A3", "Z9"]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, last]), tmp_path / "01_x.ipynb")
    with pytest.raises(KeyError, match="Z9"):
        tool.places()
