"""Notebook 03 in a real JupyterLab, worked through as a new student would."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook

(PATH,) = (Path(__file__).resolve().parents[2] / "notebooks").glob("03_*.ipynb")
STEP = "(step) => Number(document.querySelector('.it-top')?.dataset.step) >= step"
PAUSED = "() => document.querySelector('.it-top')?.dataset.playing === 'false'"
SAYS = "(words) => document.querySelector('.it-sentence')?.textContent.includes(words)"
SHOWS = """(words) => [...document.querySelectorAll('.jp-OutputArea-output')].some(
    (output) => output.textContent.includes(words))"""


def shot(notebook: Notebook, name: str) -> None:
    """Keep a screenshot where SCREENSHOTS says; no test depends on it."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        notebook.page.screenshot(path=str(Path(folder) / f"03_{name}.png"))


def test_a_student_works_through_it(lab: OpenNotebook) -> None:
    notebook = lab(path=PATH)
    page = notebook.page
    notebook.run()
    page.locator(".it-lab").scroll_into_view_if_needed()
    notebook.wait(STEP, 40)
    notebook.wait(PAUSED)
    shot(notebook, "opened")
    before = page.locator(".it-sentence").inner_text()

    page.locator(".it-code input[type=checkbox]").first.click()
    page.locator("[data-key=run]").click()
    notebook.wait(STEP, 80)
    page.locator("[data-key=run]").click()
    notebook.wait(PAUSED)
    notebook.wait(SAYS, "The unchanged run")
    assert page.locator(".it-sentence").inner_text() != before
    shot(notebook, "forgotten")
    page.get_by_role("button", name="Rewind to 40").click()
    notebook.wait("() => document.querySelector('.it-top').dataset.step === '40'")
    shot(notebook, "rewound")

    # Solve the last exercise in the page, as one who has found the loop that leaks.
    page.evaluate(
        """() => {
            const cells = window.jupyterapp.shell.currentWidget.content.widgets;
            const cell = cells.find((one) => one.model.sharedModel.source.includes("mended ="));
            const source = cell.model.sharedModel.source;
            cell.model.sharedModel.setSource(
                source.replace("(loss - mean)", "(loss.item() - mean)")
                      .replace("mended = ...", "mended = three"));
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = cells.indexOf(cell);
        }"""
    )
    notebook.command("notebook:run-cell")
    notebook.wait(SHOWS, "mean_loss: right, on 8 random inputs.")
    shot(notebook, "solved")
    assert notebook.errors == []
