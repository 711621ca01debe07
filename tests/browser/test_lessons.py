"""Every lab of every notebook in a real JupyterLab: its first slider moves, and the lab answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.conftest import Notebook, OpenNotebook

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
SLIDER = "input[data-key^=range-]:visible"
SEEN = """(lab) => ({
    picture: lab.querySelector(".live-figure canvas").toDataURL(),
    words: lab.querySelector(".it-sentence").textContent,
})"""
OTHER = f"""([lab, before]) => {{
    const now = ({SEEN})(lab);
    return now.picture !== before.picture && now.words !== before.words;
}}"""
# Drawn, with words below it, and not training by itself any more.
AT_REST = """(lab) => {
    const figures = [...lab.querySelectorAll(".live-figure")];
    const top = lab.querySelector(".it-top");
    return figures.length > 0 && figures.every((one) => Number(one.dataset.background) > 0)
        && lab.querySelector(".it-sentence").textContent !== ""
        && top?.dataset.playing !== "true";
}"""


def drive(notebook: Notebook, lab: Locator) -> None:
    """Move the lab's first slider, run it where it has to be run, and wait for its answer."""
    lab.scroll_into_view_if_needed()
    handle = lab.element_handle()
    notebook.wait(AT_REST, handle)
    before = lab.evaluate(SEEN)
    slider = lab.locator(SLIDER).first
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    run = lab.locator("[data-key=run]")
    if run.count():
        run.click()
    notebook.wait(OTHER, [handle, before])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_lab_answers(lab: OpenNotebook, path: Path) -> None:
    notebook = lab(path=path)
    notebook.run()
    labs = notebook.page.locator(".it-lab")
    cells = nbformat.read(path, as_version=4).cells
    shown = sum("Lab(" in cell.source for cell in cells if cell.cell_type == "code")
    assert labs.count() == shown >= 1
    for number in range(shown):
        drive(notebook, labs.nth(number))
    assert notebook.errors == []
