"""TrainingLab in a real JupyterLab: the first sixty seconds, as a learner drives them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook

LAB = "from interactive_training.labs import TrainingLab\nlab = TrainingLab('digits')\nlab"
AT = "(step) => Number(document.querySelector('.it-top')?.dataset.step) >= step"
PAUSED = "() => document.querySelector('.it-top').dataset.playing === 'false'"


def shot(notebook: Notebook, name: str) -> None:
    """Keep a screenshot where SCREENSHOTS says; tests do not depend on it."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        notebook.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_the_first_sixty_seconds(lab: OpenNotebook) -> None:
    notebook = lab(LAB)
    notebook.run()
    page = notebook.page
    notebook.wait(AT, 60)
    shot(notebook, "a-running")
    notebook.wait(AT, 200)
    notebook.wait(PAUSED)
    shot(notebook, "b-at-200")
    page.locator(".it-code input[type=checkbox]").first.click()
    shot(notebook, "c-unticked")
    page.locator("[data-key=run]").click()
    notebook.wait(AT, 400)
    page.locator("[data-key=run]").click()
    notebook.wait(PAUSED)
    shot(notebook, "d-collapsed")
    notebook.theme("dark")
    page.wait_for_timeout(1500)
    shot(notebook, "e-dark")
    notebook.theme("light")
    page.get_by_role("button", name="Why?").click()
    page.wait_for_timeout(800)
    shot(notebook, "f-why")
    page.get_by_role("button", name="Rewind to 200").click()
    notebook.wait("() => document.querySelector('.it-top').dataset.step === '200'")
    page.wait_for_timeout(500)
    page.locator(".it-marks button").nth(1).click()
    page.locator("[data-key=run]").click()
    notebook.wait(AT, 400)
    page.locator("[data-key=run]").click()
    notebook.wait(PAUSED)
    page.locator("[data-key=prove]").click()
    page.wait_for_selector(".it-passed, .it-proof.it-failed", timeout=60000)
    shot(notebook, "g-momentum-proof")
    print(page.locator(".it-sentence").inner_text(), "|", page.locator(".it-proof").inner_text())
    assert notebook.errors == []
