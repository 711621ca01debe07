"""TrainingLab in a real JupyterLab: the first sixty seconds, as a learner drives them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook

LAB = "from interactive_training.labs import TrainingLab\nlab = TrainingLab({})\nlab"
STEP = "(step) => Number(document.querySelector('.it-top')?.dataset.step) >= step"
AT = "(step) => document.querySelector('.it-top')?.dataset.step === String(step)"
PAUSED = "() => document.querySelector('.it-top')?.dataset.playing === 'false'"
BACKGROUNDS = (
    "() => [...document.querySelectorAll('.live-figure')].map((one) => one.dataset.background)"
)
SAYS = "(words) => document.querySelector('.it-sentence')?.textContent.includes(words)"


def shot(notebook: Notebook, name: str) -> None:
    """Keep a screenshot where SCREENSHOTS says, for the README; no test depends on it."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        notebook.page.mouse.move(1270, 700)
        notebook.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def percentages(notebook: Notebook, step: int) -> list[int]:
    """The percentages in the text line once it speaks of `step` or later, at rest."""
    notebook.wait(STEP, step)
    notebook.wait(PAUSED)
    at = notebook.page.evaluate("() => document.querySelector('.it-top').dataset.step")
    notebook.wait(SAYS, f"Step {at}:")
    said = notebook.page.locator(".it-sentence").inner_text()
    return [int(number) for number in re.findall(r"(\d+) %", said)]


def run_to(notebook: Notebook, step: int) -> list[int]:
    """Press Run, pause once `step` is reached, and read the text line."""
    run = notebook.page.locator("[data-key=run]")
    run.click()
    notebook.wait(STEP, step)
    if run.inner_text() == "Pause":
        run.click()
    return percentages(notebook, step)


def test_the_first_sixty_seconds(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'digits', ask='zero_grad'"))
    page = notebook.page
    notebook.run()
    notebook.wait(STEP, 60)
    shot(notebook, "running")
    (right, guessing) = percentages(notebook, 200)
    assert 30 < right < 70
    assert guessing == 10
    page.wait_for_selector(".it-ask:not([hidden])")
    assert (
        "Without optimizer.zero_grad(), 200 steps later" in page.locator(".it-ask p").inner_text()
    )
    shot(notebook, "question")

    page.get_by_role("button", name="higher").click()
    notebook.wait("() => !document.querySelector('.it-code input[type=checkbox]').checked")
    notebook.wait(STEP, 240)
    (you, unchanged) = percentages(notebook, 400)
    assert you < 20
    assert unchanged > 70
    shot(notebook, "collapsed")
    page.get_by_role("button", name="Why?").click()
    notebook.wait("() => document.querySelector('.it-why').textContent.includes('of 32 units')")
    shot(notebook, "why")
    drawn = page.evaluate(BACKGROUNDS)
    notebook.theme("dark")
    notebook.wait(f"(drawn) => ({BACKGROUNDS})().every((now, i) => now !== drawn[i])", drawn)
    shot(notebook, "dark")
    notebook.theme("light")

    page.locator(".it-code input[type=checkbox]").first.click()
    (you, unchanged) = run_to(notebook, 440)  # it does not help
    assert you < 20

    page.locator("[data-key=rewind]").evaluate(
        "(range) => { range.value = 200; range.dispatchEvent(new Event('change')); }"
    )
    notebook.wait(AT, 200)
    page.get_by_role("button", name="set kept to .9 momentum").click()
    notebook.wait("() => document.querySelector('.it-code').textContent.includes('momentum.')")
    (you, unchanged) = run_to(notebook, 400)
    assert you > 88
    assert 70 < unchanged < you

    page.locator("[data-key=prove]").click()
    page.wait_for_selector(".it-passed", timeout=60_000)
    proof = page.locator(".it-proof").inner_text()
    equal, total = re.findall(r"\d+", proof)
    assert equal == total
    assert proof.endswith("losses since your change are equal, to the last bit.")
    shot(notebook, "proved")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("[data-key=copy]").click()
    notebook.wait("() => document.querySelector('.it-proof').textContent.startsWith('Copied')")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert "p.grad *= 0.9" in copied
    assert copied.startswith("# The recipe changed on the way")
    page.get_by_role("button", name="presenter mode").click()
    notebook.wait(
        "() => document.fullscreenElement !== null"
        " && document.querySelector('.live-figure').clientHeight === 480"
        " && Number(document.querySelector('.live-figure').dataset.painted) > 0"
    )
    shot(notebook, "presenter")
    assert notebook.errors == []
