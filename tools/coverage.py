"""Write notebooks/COVERAGE.md: what the course teaches, item by item, with where.

    python tools/coverage.py           writes it
    python tools/coverage.py --check   only says whether it is up to date

What there is to teach stands in tools/coverage.tsv. A cell says what it teaches in its metadata,
`"covers": ["A1", "D7"]`; the link leads to the heading above it.
"""

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
ITEMS = ROOT / "tools" / "coverage.tsv"
NOTEBOOKS = ROOT / "notebooks"
PAGE = NOTEBOOKS / "COVERAGE.md"


@dataclass(frozen=True)
class Place:
    """A heading of a notebook."""

    notebook: str
    heading: str

    def link(self) -> str:
        """A link that JupyterLab follows to the heading."""
        number = self.notebook.partition("_")[0]
        anchor = self.heading.replace(" ", "-")
        return f"[{number} {self.heading}]({self.notebook}#{anchor})"


def items() -> list[dict[str, str]]:
    """The rows of the table: id, seed, section, kind, item, lab."""
    with ITEMS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def headings(source: str) -> list[str]:
    """The headings of a markdown cell, of any level."""
    lines = source.splitlines()
    return [line.lstrip("#").strip() for line in lines if line.startswith(("# ", "## ", "### "))]


def places() -> dict[str, list[Place]]:
    """Where each id is taught, in the order of the course; KeyError for an id that is none."""
    found: dict[str, list[Place]] = {item["id"]: [] for item in items()}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        heading = path.stem
        for cell in nbformat.read(path, as_version=4).cells:
            inside = headings(cell.source) if cell.cell_type == "markdown" else []
            if cell.source.startswith("#") and inside:
                heading = inside[0]
            place = Place(path.name, heading)
            for identity in cell.metadata.get("covers", []):
                if identity not in found:
                    raise KeyError(f"{path.name} covers {identity!r}, which {ITEMS.name} lacks.")
                if place not in found[identity]:
                    found[identity].append(place)
            heading = inside[-1] if inside else heading
    return found


def page() -> str:
    """The text of COVERAGE.md."""
    rows, taught = items(), places()
    done = sum(bool(taught[row["id"]]) for row in rows)
    lines = [
        "# What the course teaches",
        "",
        "<!-- Written by tools/coverage.py from the cells' metadata; do not edit. -->",
        "",
        f"{done} of {len(rows)} items have their place so far.",
    ]
    section = ("", "")
    for row in rows:
        if (row["seed"], row["section"]) != section:
            section = (row["seed"], row["section"])
            part = row["id"][0]
            lines += ["", f"## {part}: {row['section']}", "", "| | item | where |", "|---|---|---|"]
        text = row["item"].replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
        where = ", ".join(place.link() for place in taught[row["id"]])
        lines.append(f"| {row['id']} | {text} | {where} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check = parser.parse_args().check
    text = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    if check:
        print(f"{PAGE.name} is not up to date; run tools/coverage.py.")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
