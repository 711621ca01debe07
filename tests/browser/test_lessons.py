"""The notebooks in a real JupyterLab: every lab answers its first slider, an exercise is solved."""

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


def test_the_first_lab_is_in_view_as_a_whole(lab: OpenNotebook) -> None:
    notebook = lab(path=NOTEBOOKS[0])
    notebook.command("notebook:run-cell-and-select-next")  # the heading
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait("() => document.querySelector('.it-top')?.dataset.step === '200'")
    room, bottom = notebook.page.evaluate(
        """() => [".jp-WindowedPanel-outer", ".it-lab"].map(
            (one) => document.querySelector(one).getBoundingClientRect().bottom)"""
    )
    assert bottom <= room
    assert notebook.errors == []


ACCUMULATE = """from interactive_training.exercises import check_accumulate


def accumulate(model, optimizer, loss_fn, parts):
    optimizer.zero_grad()
    total = 0.0
    for x, y in parts:
        loss = loss_fn(model(x), y){share}
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


check_accumulate(accumulate)"""


def type_and_run(notebook: Notebook, words: str, code: str) -> str:
    """Type `code` over the cell that holds `words`, press Shift+Enter, return what it shows."""
    page = notebook.page
    page.evaluate(
        """async (words) => {
            const { content } = window.jupyterapp.shell.currentWidget;
            const at = content.widgets.findIndex((cell) =>
                cell.model.type === "code" && cell.model.sharedModel.source.includes(words));
            await content.scrollToItem(at, "start");
            content.activeCellIndex = at;
        }""",
        words,
    )
    cell = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    old = cell.locator(".jp-InputPrompt").inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")
    notebook.wait(
        """(old) => {
            const cell = document.querySelector(".jp-Notebook .jp-Cell.jp-mod-active");
            const prompt = cell.querySelector(".jp-InputPrompt").textContent;
            return /\\d/.test(prompt) && prompt.trim() !== old.trim();
        }""",
        old,
    )
    return cell.locator(".jp-OutputArea-output").inner_text()


def test_an_exercise_is_solved_in_the_page(lab: OpenNotebook) -> None:
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("03"))
    notebook = lab(path=path)
    said = type_and_run(notebook, "check_accumulate(", ACCUMULATE.format(share=""))
    assert said.startswith("accumulate: not yet.")
    assert "Must hold: " in said and "Tried on: " in said and "in 2 equal parts" in said
    said = type_and_run(notebook, "check_accumulate(", ACCUMULATE.format(share=" / len(parts)"))
    assert said.strip() == "accumulate: right, on 8 random inputs."
    assert notebook.errors == []
