"""BowlLab in a real JupyterLab: hands on the start, the sliders and the fate map."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook

LAB = "from interactive_training.labs import BowlLab\nlab = BowlLab()\nlab"
PAINTED = """(backgrounds) => {
    const figures = [...document.querySelectorAll(".live-figure")];
    const drawn = (one) => Number(one.dataset.background) >= backgrounds;
    return figures.length === 3 && figures.every(drawn);
}"""
SAYS = "(words) => document.querySelector('.it-sentence').textContent.includes(words)"
SENTENCE = ".it-sentence >> nth=0"
GOAL = "(words) => document.querySelector('.it-goals .it-sentence').textContent.includes(words)"
START, PIN = ".live-figure-handle >> nth=0", ".live-figure-handle >> nth=1"


def shot(notebook: Notebook, name: str) -> None:
    """Keep a screenshot where SCREENSHOTS says; tests do not depend on it."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        notebook.page.wait_for_timeout(700)
        notebook.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def picture(notebook: Notebook) -> str:
    """What is on the canvas of the surface, as text to compare."""
    drawn: str = notebook.page.evaluate(
        "() => document.querySelector('.live-figure canvas').toDataURL()"
    )
    return drawn


def changed(notebook: Notebook, before: str, words: str) -> None:
    """Wait until picture and sentence are other ones."""
    notebook.wait(
        "(old) => document.querySelector('.live-figure canvas').toDataURL() !== old", before
    )
    notebook.wait("(old) => document.querySelector('.it-sentence').textContent !== old", words)


def test_start_and_pin_are_dragged_in_both_themes(lab: OpenNotebook) -> None:
    notebook = lab(LAB)
    notebook.run()
    notebook.wait(PAINTED, 1)
    page = notebook.page
    assert page.locator(SENTENCE).inner_text() == (
        "30 steps: (6.8e-05, 2.1e-21). Each step: flat x 0.70, steep x -0.20."
    )
    shot(notebook, "bowl-1-light")
    for number, theme in ((1, "light"), (2, "dark")):
        notebook.theme(theme)
        notebook.wait(PAINTED, number)
        before, words = picture(notebook), page.locator(SENTENCE).inner_text()
        box = page.locator(START).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 14, box["y"] + 14)
        page.mouse.down()
        page.mouse.move(box["x"] - 90, box["y"] + 60, steps=12)
        page.mouse.up()
        changed(notebook, before, words)
        before, words = picture(notebook), page.locator(SENTENCE).inner_text()
        page.locator(START).focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        changed(notebook, before, words)
        shot(notebook, f"bowl-2-dragged-{theme}")
        drag_pin(notebook, 106, -4)
        notebook.wait(SAYS, "Leaves the picture at step")
        shot(notebook, f"bowl-3-diverges-{theme}")
        page.locator(PIN).focus()
        for _ in range(5):
            page.keyboard.press("Shift+ArrowLeft")
        notebook.wait(SAYS, "steps: (")
    assert notebook.errors == []


def drag_pin(notebook: Notebook, x: float, y: float) -> None:
    """Drag the pin of the fate map by so many pixels."""
    mouse, box = notebook.page.mouse, notebook.page.locator(PIN).bounding_box()
    assert box is not None
    mouse.move(box["x"] + 14, box["y"] + 14)
    mouse.down()
    mouse.move(box["x"] + 14 + x, box["y"] + 14 + y, steps=8)
    mouse.up()


def test_500_movements_leave_no_backlog_and_the_newest_wins(lab: OpenNotebook) -> None:
    notebook = lab(LAB.replace("()", "(steps=200)"))
    notebook.run()
    notebook.wait(PAINTED, 1)
    page, box = notebook.page, notebook.page.locator(START).bounding_box()
    assert box is not None
    x, y = box["x"] + 14, box["y"] + 14
    page.mouse.move(x, y)
    page.mouse.down()
    for number in range(500):
        page.mouse.move(x - 200 + 200 * (number % 50) / 50, y + number / 4)
    page.mouse.move(x - 100, y + 50)
    page.mouse.up()
    page.wait_for_timeout(500)
    notebook.run_code("done = lab._latest.done")
    ends = "[lab.race.start, lab.reading.race.start, lab._latest.done - done]"
    asked, drawn, work = json.loads(notebook.run_code(f"import json; print(json.dumps({ends}))"))
    assert asked == drawn and work == 0
    page_has = page.locator(START).get_attribute("aria-valuetext") or ""
    assert [float(part) for part in page_has.split(",")] == pytest.approx(asked, rel=0.01)
    assert notebook.errors == []


@pytest.mark.parametrize("width", [320, 600, 1488])
def test_nothing_sticks_out_or_is_squeezed(lab: OpenNotebook, width: int) -> None:
    notebook = lab(LAB)
    notebook.page.set_viewport_size({"width": width + 432, "height": 900})
    notebook.run()
    notebook.wait(PAINTED, 1)
    notebook.page.get_by_role("button", name="Swing, but arrive").click()
    notebook.wait(GOAL, "cross the valley")
    shot(notebook, f"bowl-12-{width}")
    found = notebook.page.evaluate(
        """() => {
            const right = document.querySelector(".it-lab").getBoundingClientRect().right;
            const nodes = [...document.querySelectorAll(".it-lab :is(button, input, select)")];
            const boxes = nodes.map((node) => [node, node.getBoundingClientRect()]);
            const out = boxes.filter(([, box]) => box.width && box.right > right + 1);
            const ranges = boxes.filter(([node, box]) => node.type === "range" && box.width);
            const words = document.querySelector(".it-sentence").getBoundingClientRect();
            return {
                out: out.map(([node]) => node.dataset.key ?? node.textContent),
                slider: Math.min(...ranges.map(([, box]) => box.width)),
                sentence: words.height,
                height: document.querySelector(".it-lab").getBoundingClientRect().height,
            };
        }"""
    )
    assert found["out"] == []
    assert found["slider"] > 80 and found["sentence"] < 64
    assert width < 848 or found["height"] <= 480
    assert notebook.errors == []


def test_presenting(lab: OpenNotebook) -> None:
    notebook = lab(LAB)
    notebook.run()
    notebook.wait(PAINTED, 1)
    page = notebook.page
    page.get_by_role("button", name="presenter mode").click()
    notebook.wait("() => document.querySelectorAll('.live-figure').length === 1")
    notebook.wait("() => document.querySelector('.live-figure')?.clientWidth > 1100")
    notebook.wait(
        "() => document.querySelectorAll('.it-row-of-controls input[type=range]').length === 1"
    )
    page.locator("[data-key=range-lr]").focus()
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    notebook.wait(SAYS, "Leaves the picture")
    shot(notebook, "bowl-11-presenter")
    page.evaluate("() => document.exitFullscreen()")
    notebook.wait(PAINTED, 1)
    assert notebook.errors == []


@pytest.mark.parametrize(
    ("made", "head"),
    [("BowlLab()", "lab.head"), ("TrainingLab('moons', until=5)", "lab.view.top")],
)
def test_a_page_loaded_again_is_not_presenting(lab: OpenNotebook, made: str, head: str) -> None:
    notebook = lab(f"from interactive_training.labs import *\nlab = {made}\nlab")
    notebook.run()
    painted = "() => Number(document.querySelector('.live-figure')?.dataset.painted) > 0"
    notebook.wait(painted)
    page = notebook.page

    def presenting(now: bool) -> None:
        end = time.monotonic() + 30
        while notebook.run_code(f"print({head}.state['presenting'])") != f"{now}\n":
            assert time.monotonic() < end
            page.wait_for_timeout(100)

    presenting(False)
    page.get_by_role("button", name="presenter mode").click()
    presenting(True)
    notebook.reload()
    notebook.wait(painted)
    assert page.evaluate("() => document.fullscreenElement === null")
    presenting(False)
    assert notebook.errors == []


def test_sliders_marks_racers_and_the_hand(lab: OpenNotebook) -> None:
    notebook = lab(LAB)
    notebook.run()
    notebook.wait(PAINTED, 1)
    page = notebook.page
    page.get_by_role("button", name="set lr to edge .25").click()
    page.keyboard.press("ArrowRight")  # the slider has the focus
    notebook.wait(SAYS, "Leaves the picture at step")
    shot(notebook, "bowl-4-edge")
    page.get_by_role("button", name="set lr to best .20").click()
    notebook.wait(SAYS, "flat x 0.60")
    page.locator("[data-key=add]").click()
    notebook.wait(SAYS, "Heights at step 30: you")
    page.locator("[data-key=add]").click()
    notebook.wait(SAYS, "Adam")
    page.locator("[data-key=more]").click()
    shot(notebook, "bowl-5-race")
    page.keyboard.press("Escape")
    page.wait_for_selector(".it-up", state="hidden")
    page.locator("[data-key=more]").click()
    page.locator("[data-key=setup]").click()  # one panel at a time
    page.wait_for_selector(".it-up", state="hidden")
    shot(notebook, "bowl-6-setup")
    page.locator("[data-key=choice-surface]").select_option("himmelblau")
    notebook.wait(SAYS, "height 7.9e-31")
    page.locator("[data-key=cloud]").click()
    page.locator("[data-key=setup]").click()
    shot(notebook, "bowl-7-himmelblau")
    page.locator("[data-key=cloud]").click()
    page.locator("[data-key=moment]").click()
    notebook.wait(SAYS, "Step 0: gradient")
    shot(notebook, "bowl-8-slow")
    page.locator("[data-key=moment]").click()
    page.get_by_role("button", name="Be the optimizer").click()
    notebook.wait(SAYS, "Move 0")
    before, words = picture(notebook), page.locator(SENTENCE).inner_text()
    page.locator(START).focus()
    page.keyboard.press("Shift+ArrowUp")
    changed(notebook, before, words)
    notebook.wait(SAYS, "Move 1")
    shot(notebook, "bowl-9-hand")
    page.get_by_role("button", name="Let SGD go").click()
    notebook.wait(SAYS, "By hand")
    shot(notebook, "bowl-10-compare")
    page.get_by_role("button", name="Done").click()
    page.locator("[data-key=goalswing]").press("Enter")
    notebook.wait(GOAL, "Now 2 times, at 4.57e-09")
    focused = page.evaluate("() => document.activeElement.dataset.key")
    assert focused == "goalswing"  # though its name has changed
    assert notebook.errors == []
