"""Predictions in a real JupyterLab: chosen, drawn, skipped, counted, and kept in the notebook."""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from matplotlib.image import imread

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook, Server

HOSTILE = '<img src=x onerror=\\"window.hacked = 1\\">'
BETWEEN = f"""
from interactive_training.labs import Prediction
guess = Prediction("At `0.26` the path will {HOSTILE}", ["arrive", "swing", "leave {HOSTILE}"])
guess
"""
REVEAL = "guess.reveal('swing')"
CHOOSE = """
from interactive_training.labs import TrainingLab
lab = TrainingLab("digits", ask="zero_grad", until=40)
lab.session.put("pace", "full")
lab
"""
DRAW = """
from interactive_training import Recipe
from interactive_training.exercises import Question
from interactive_training.labs import TrainingLab
without = tuple(line for line in Recipe().stages if line != "zero_grad")
ask = Question("From here on without `zero_grad`: draw the loss.", change={"stages": without})
lab = TrainingLab("bowl", Recipe(lr=0.05), until=40, ask=ask)
lab.session.put("pace", "full")
lab
"""
AT_REST = """(step) => document.querySelector('.it-top')?.dataset.step === String(step)
    && document.querySelector('.it-top').dataset.playing === 'false'"""
POINTS = """() => document.querySelector('.it-sketch-line').getAttribute('points')
    .split(' ').filter((pair) => pair).map((pair) => pair.split(',').map(Number))"""
KEPT = """(answer) => JSON.stringify(answer) === JSON.stringify(Object.values(
    window.jupyterapp.shell.currentWidget.context.model.getMetadata("interactive_training")
        ?.predictions ?? {})[0])"""
KEPT_HANDS = """(hands) => JSON.stringify(hands) === JSON.stringify(Object.values(
    window.jupyterapp.shell.currentWidget.context.model.getMetadata("interactive_training")
        .predictions)[0].hands)"""
FIELDS = """(values) => JSON.stringify(values) === JSON.stringify(
    [...document.querySelectorAll('[data-key^=hands-]')].map((field) => field.value))"""
FAINT = 0.15  # of the way from black to white
TEXT = "([part, words]) => document.querySelector(part)?.textContent.includes(words)"


def shot(notebook: Notebook, name: str) -> None:
    """Keep a screenshot where SCREENSHOTS says, for the README; no test depends on it."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        notebook.page.screenshot(path=str(Path(folder) / f"{name}.png"))


# The page notes an answer when the run that it began has stopped.
NOTED = """() => window.jupyterapp.shell.currentWidget.context.model
    .getMetadata("interactive_training") !== undefined"""


def kept(notebook: Notebook, server: Server) -> dict[str, Any]:
    """What the saved file holds of the predictions, by question."""
    notebook.command("docmanager:save")
    name = notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.context.contentsModel.name"
    )
    saved = json.loads((server.folder / name).read_text(encoding="utf-8"))
    found: dict[str, Any] = saved["metadata"].get("interactive_training", {}).get("predictions", {})
    return found


def ink(notebook: Notebook, part: str, hidden: str) -> float:
    """How much `hidden` darkens or lightens a pixel of `part` at most, from 0 to 1."""
    box = notebook.page.locator(part).bounding_box()
    assert box is not None

    def pixels() -> Any:
        return imread(BytesIO(notebook.page.screenshot(clip=box)))[..., :3]

    shown = pixels()
    style = f"{hidden} {{ visibility: hidden }}"
    tag = notebook.page.add_style_tag(content=style)
    found = float(abs(shown - pixels()).max())
    tag.evaluate("(tag) => tag.remove()")
    return found


def restart(notebook: Notebook) -> None:
    """A new kernel for the open notebook."""
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    notebook.ready()


def test_between_cells(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(BETWEEN, REVEAL)
    page = notebook.page
    notebook.run()
    page.wait_for_selector(".it-alone")
    first = page.locator(".it-alone").first
    # Both cells show the question: the truth waits for an answer.
    notebook.wait("() => document.querySelectorAll('.it-alone .it-ask:not([hidden])').length === 2")
    assert page.locator(".it-bar-row:visible").count() == 0
    assert "<img" in first.inner_text()  # as text
    assert page.locator(".it-alone img").count() == 0
    shot(notebook, "prediction_asks")

    hands = first.get_by_role("button", name="Hands")
    assert hands.get_attribute("title") == "Count hands, for a class"
    hands.click()
    first.get_by_text("How many hands for each answer?").wait_for()
    for count in ("x", "-3", "1.5"):
        first.get_by_role("textbox", name="hands for arrive").fill(count)
        first.get_by_role("textbox", name="hands for arrive").press("Enter")
        notebook.wait(TEXT, [".it-alone [role=alert]", f"'{count}' is no count"])
    assert kept(notebook, server) == {}
    for i, count in enumerate(("3", "12", "7")):
        field = first.locator(f"[data-key=hands-{i}]")
        field.fill(count)
        field.press("Tab")
    notebook.wait("() => !document.querySelector('.it-alone [role=alert]').textContent")
    first.locator("[data-key=answer-2]").click()
    notebook.wait("() => document.querySelectorAll('.it-truth').length === 2")
    widths = [bar.bounding_box() for bar in first.locator(".it-bar").all()]
    across = [box["width"] for box in widths if box is not None]
    assert len(across) == 3
    assert abs(across[0] / across[1] - 3 / 12) < 0.02
    assert abs(across[2] / across[1] - 7 / 12) < 0.02
    assert "came true" in first.locator(".it-bars").inner_text()
    shot(notebook, "prediction_bars")
    notebook.theme("dark")
    shot(notebook, "prediction_bars_dark")
    notebook.theme("light")

    # The counts can be put right after the truth, and the bars stay where they are in view.
    first.locator("[data-key=hands]").click()
    first.locator("[data-key=hands-0]").wait_for(state="hidden")
    first.locator("[data-key=hands]").click()
    first.locator("[data-key=hands-1]").fill("13")
    first.locator("[data-key=hands-1]").press("Enter")
    notebook.wait(KEPT_HANDS, [3, 13, 7])
    first.locator("[data-key=hands-1]").fill("12")
    first.locator("[data-key=hands-1]").press("Enter")
    notebook.wait(KEPT_HANDS, [3, 12, 7])
    first.locator("[data-key=hands]").click()
    assert "12" in first.locator(".it-bars").inner_text()

    (answer,) = kept(notebook, server).values()
    assert answer["hands"] == [3, 12, 7]
    assert answer["guess"].startswith("leave <img")
    notebook.reload()
    notebook.wait("() => document.querySelectorAll('.it-truth').length === 2")
    assert "your guess" in page.locator(".it-bars").first.inner_text()
    restart(notebook)
    notebook.run()
    notebook.wait("() => document.querySelectorAll('.it-truth').length === 2")
    assert page.locator(".it-count").all_inner_texts()[:3] == ["3", "12", "7"]
    first.locator("[data-key=forget]").click()  # for another class
    notebook.wait("() => document.querySelectorAll('.it-alone [data-key=answer-0]').length === 2")
    assert kept(notebook, server) == {}
    assert page.locator(".it-last-time").count() == 0
    assert page.evaluate("() => window.hacked") is None
    # JupyterLab drops its own requests to the kernel that was restarted, and says so.
    assert [e for e in notebook.errors if not e.startswith("Error: Canceled future")] == []


def test_change_and_skip(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(BETWEEN)
    page = notebook.page
    notebook.run()
    page.locator("[data-key=answer-0]").click()
    notebook.wait(TEXT, [".it-alone", "your guess: arrive"])
    page.get_by_role("button", name="Change").click()
    page.locator("[data-key=answer-1]").click()
    notebook.wait(TEXT, [".it-alone", "your guess: swing"])
    (answer,) = kept(notebook, server).values()
    assert answer == {"guess": "swing"}
    page.get_by_role("button", name="Change").click()
    page.get_by_role("button", name="Skip").click()
    notebook.wait(TEXT, [".it-alone", "Skipped."])
    assert notebook.errors == []


def test_over_the_future_of_a_lab(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(CHOOSE)
    page = notebook.page
    notebook.run()
    notebook.wait(AT_REST, 40)
    page.wait_for_selector(".it-over .it-ask:not([hidden])")
    # It covers the future of the picture and nothing else: half the axes, none of the gutter.
    box = page.locator(".it-over .it-ask").bounding_box()
    figure = page.locator(".live-figure").first.bounding_box()
    assert box is not None
    assert figure is not None
    left, right = figure["x"] + 44, figure["x"] + figure["width"] - 76
    assert abs(box["x"] - (left + right) / 2) < 1.5
    assert abs(box["x"] + box["width"] - right) < 1.5
    assert box["y"] >= figure["y"]
    assert box["height"] < 152
    page.locator("[data-key=answer-0]").press("Enter")  # from the keyboard
    notebook.wait(AT_REST, 80)
    page.wait_for_selector(".it-ask p", state="hidden")
    assert notebook.run_code("print(lab.guess)").strip() == "higher"
    assert kept(notebook, server) == {"What happens without zero_grad?": {"guess": "higher"}}

    restart(notebook)
    notebook.run()  # another run asks again, and shows what was said last time
    notebook.wait(AT_REST, 40)
    page.wait_for_selector("[data-key=answer-0].it-last-time")
    page.get_by_role("button", name="Skip").click()
    page.wait_for_selector(".it-ask", state="hidden")
    assert notebook.run_code("print(lab.run.index, lab.run.recipe.stages[0])").split() == [
        "40",
        "zero_grad",
    ]
    assert kept(notebook, server) == {"What happens without zero_grad?": {"guess": "higher"}}
    assert notebook.errors == []


def test_a_class_counts_its_hands_and_runs(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(CHOOSE)
    page = notebook.page
    notebook.run()
    notebook.wait(AT_REST, 40)
    page.wait_for_selector(".it-over .it-ask:not([hidden])")
    # A double click finds an answer where Hands was: it is no answer.
    page.evaluate(
        """() => ["hands", "answer-0"].forEach((key) =>
            document.querySelector(`[data-key=${key}]`).click())"""
    )
    page.locator("[data-key=hands-0]").focus()
    for count in ("3", "12", "7"):  # Enter goes on to the next
        page.keyboard.type(count)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("button", name="Skip").wait_for()
    notebook.wait(FIELDS, ["", "", ""])
    assert kept(notebook, server) == {}
    # Answers that come late take back nothing that was typed meanwhile.
    slow = "lambda *a, **k: (time.sleep(0.3), show(*a, **k))"
    late = f"show = lab.view.asked.show\nlab.view.asked.show = {slow}"
    notebook.run_code(f"import time\n{late}")
    page.locator("[data-key=hands-0]").focus()
    for count in ("3", "12", "7"):
        page.keyboard.type(count, delay=100)
        page.keyboard.press("Tab")  # so does Tab
    assert notebook.run_code("print(lab.run.index)").strip() == "40"
    notebook.wait(KEPT, {"hands": [3, 12, 7]})
    assert next(iter(kept(notebook, server).values())) == {"hands": [3, 12, 7]}
    page.get_by_role("button", name="Run it").click()
    notebook.wait(AT_REST, 80)
    page.wait_for_selector(".it-bars .it-truth", state="attached")
    assert page.locator(".it-count").all_inner_texts() == ["3", "12", "7"]
    shot(notebook, "hands_counted")
    page.get_by_role("button", name="Hide hands").click()
    page.wait_for_selector(".it-bars", state="hidden")
    page.get_by_role("button", name="Show hands").click()
    page.wait_for_selector(".it-count:visible")
    assert notebook.errors == []


def test_hands_and_clear_beside_the_outcome(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(CHOOSE)
    page = notebook.page
    notebook.run()
    notebook.wait(AT_REST, 40)
    before = page.locator(".it-lab").bounding_box()
    page.locator("[data-key=answer-0]").click()
    notebook.wait(AT_REST, 80)
    tools = page.locator(".it-tucked .it-ask-tools")
    tools.wait_for()
    assert tools.inner_text().split() == ["Clear", "Hands"]
    shot(notebook, "outcome")
    notebook.theme("dark")
    shot(notebook, "outcome_dark")
    notebook.theme("light")
    # Nothing of the pictures lies under them, and the lab is no higher than before.
    box = tools.bounding_box()
    figure = page.locator(".live-figure").first.bounding_box()
    assert box is not None
    assert figure is not None
    assert box["y"] >= figure["y"] + figure["height"]
    assert abs(box["x"] + box["width"] - figure["x"] - figure["width"]) < 1
    assert ink(notebook, ".it-tucked .it-ask-tools", hidden=".live-figure") == 0
    assert page.locator(".it-lab").bounding_box() == before
    notebook.reload()  # and there they stand again
    tools.wait_for()
    notebook.wait("() => Number(document.querySelector('.live-figure')?.dataset.painted) > 0")
    again = tools.bounding_box()
    top = page.locator(".it-lab").bounding_box()
    assert again is not None
    assert top is not None
    assert before is not None
    assert again["y"] - top["y"] == pytest.approx(box["y"] - before["y"], abs=1)

    tools.get_by_role("button", name="Hands").click()
    for count in ("3", "12", "7"):  # the first brings the bars, and takes nothing of the others
        page.keyboard.type(count, delay=50)
        page.keyboard.press("Tab")
    notebook.wait(KEPT, {"guess": "higher", "hands": [3, 12, 7]})
    notebook.wait(FIELDS, ["3", "12", "7"])
    assert page.locator(".it-count").all_inner_texts() == ["3", "12", "7"]
    assert page.locator(".it-truth").count() == 1
    shot(notebook, "outcome_counting")
    page.locator("[data-key=hands]").click()
    assert page.locator(".it-answers:visible").count() == 0
    shot(notebook, "outcome_counted")

    page.locator("[data-key=forget]").click()
    page.wait_for_selector(".it-bars", state="hidden")
    assert kept(notebook, server) == {}
    said = notebook.run_code("print(lab.run.index, lab.guess == '', len(lab.history))")
    assert said.split() == ["80", "True", "80"]
    assert page.locator(".it-tucked").inner_text().split() == ["Hands"]
    page.get_by_role("button", name="Rewind to 40").click()
    page.locator(".it-over [data-key=answer-0]").wait_for()  # asked anew
    assert notebook.errors == []


def test_drawn_with_the_mouse(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(DRAW)
    page = notebook.page
    notebook.run()
    notebook.wait(AT_REST, 40)
    pad = page.locator(".it-sketch")
    pad.wait_for()
    shot(notebook, "draw_asks")
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.2 * box["height"], steps=12)
    page.mouse.up()
    points = page.evaluate(POINTS)
    assert points[0][0] == 0  # from where the picture ends
    across = [x for x, _ in points]
    assert across == sorted(across)
    assert abs(points[-1][0] - 0.9) < 0.05
    assert abs(points[-1][1] - 0.2) < 0.03
    shot(notebook, "draw_drawn")
    notebook.theme("dark")
    shot(notebook, "draw_dark")
    notebook.theme("light")
    page.get_by_role("button", name="Clear", exact=True).click()
    assert page.evaluate(POINTS) == []
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 300, box["y"] - 200, steps=5)  # beyond the edge
    page.mouse.up()
    page.get_by_role("button", name="Done").click()
    notebook.wait(AT_REST, 80)
    shot(notebook, "draw_truth")
    notebook.wait(NOTED)
    assert notebook.run_code("print('zero_grad' in lab.run.recipe.stages)").strip() == "False"
    (answer,) = kept(notebook, server).values()
    curve = answer["drawn"]
    assert [curve[0][0], curve[-1][0]] == [40, 80]
    high = float(notebook.run_code("print(lab.view.panels.pictures.loss.ax.get_ylim()[1])"))
    assert abs(curve[-1][1] - high) < 1e-3 * high  # the top of the axes
    assert len(json.dumps(answer)) < 1_000
    assert "your guess" in notebook.run_code(
        "print(lab.view.panels.pictures.loss.labels.texts['guess'].get_text())"
    )
    notebook.reload()
    notebook.wait("() => Number(document.querySelector('.live-figure')?.dataset.painted) > 0")
    assert kept(notebook, server) == {
        "From here on without `zero_grad`: draw the loss.": {"drawn": curve}
    }
    restart(notebook)
    notebook.run()
    notebook.wait(AT_REST, 40)
    notebook.wait("() => document.querySelector('.it-sketch-last').getAttribute('points')")
    notebook.wait("() => document.querySelector('.it-high')")  # the words make room below it
    assert ink(notebook, ".it-drawing > p", hidden=".it-sketch-last") < FAINT
    shot(notebook, "draw_again")
    page.evaluate("() => document.querySelector('.it-ask').classList.remove('it-high')")
    assert ink(notebook, ".it-drawing > p", hidden=".it-sketch-last") < FAINT  # nor through them
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert ink(notebook, ".it-drawing > p", hidden=".it-sketch-last") < FAINT
        shot(notebook, f"draw_again_{theme}")
    assert ink(notebook, ".it-sketch", hidden=".it-sketch-last") > 3 * FAINT  # but it is there

    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Done").click()
    notebook.wait(AT_REST, 80)
    page.locator(".it-tucked [data-key=forget]").click()
    page.wait_for_selector(".it-ask", state="hidden")
    assert kept(notebook, server) == {}
    assert notebook.errors == []


def test_drawn_with_keys_and_touch(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(DRAW)
    page = notebook.page
    notebook.run()
    notebook.wait(AT_REST, 40)
    pad = page.locator(".it-sketch")
    pad.wait_for()
    box = pad.bounding_box()
    assert box is not None
    finger = page.context.new_cdp_session(page)
    finger.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def touch(kind: str, *at: float) -> None:
        x, y = (box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"]) if at else (0, 0)
        finger.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y}] if at else []},
        )

    touch("touchStart", 0.2, 0.5)
    touch("touchMove", 0.5, 0.3)
    touch("touchMove", 0.8, 0.4)
    touch("touchEnd")
    touched = page.evaluate(POINTS)
    assert abs(touched[-1][0] - 0.8) < 0.05
    finger.send("Emulation.setTouchEmulationEnabled", {"enabled": False})

    pad.focus()
    pad.press("Delete")
    assert page.evaluate(POINTS) == []
    start = float(pad.get_attribute("aria-valuenow") or "nan")
    pad.press("ArrowUp")
    heights = [y for _, y in page.evaluate(POINTS)]
    assert len(heights) == 25
    assert abs((1 - heights[-1]) * 100 - (start + 2)) < 1
    for _ in range(12):
        pad.press("ArrowRight")
    pad.press("Shift+ArrowDown")
    heights = [y for _, y in page.evaluate(POINTS)]
    assert heights[12] < heights[13] == heights[24]  # only from there on
    assert "step" in (pad.get_attribute("aria-valuetext") or "")
    pad.press("Enter")
    notebook.wait(AT_REST, 80)
    notebook.wait(NOTED)
    (answer,) = kept(notebook, server).values()
    assert len(answer["drawn"]) == 25
    assert notebook.errors == []


@pytest.mark.parametrize(
    ("number", "truths"),
    [
        ("01", ["moves nothing", "stay where it is", "fall as usual"]),
        ("02", ["higher than at the start", "swing for ever"]),
        ("03", ["only if it was cleared to 0"]),
        ("06", ["SGD's, with and without momentum", "just as far"]),
    ],
)
def test_the_predictions_of_a_notebook(lab: OpenNotebook, number: str, truths: list[str]) -> None:
    (path,) = (Path(__file__).resolve().parents[2] / "notebooks").glob(f"{number}_*.ipynb")
    notebook = lab(path=path)
    page = notebook.page
    notebook.run()  # all cells at once: every truth still waits for its answer
    asking = page.locator(":is(.it-alone, .it-views):has([data-key=answer-0])")
    answered: list[str] = []
    cells = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
    for cell in range(page.evaluate(cells)):
        page.evaluate(
            "(i) => window.jupyterapp.shell.currentWidget.content.scrollToItem(i)",
            cell,
        )
        if not asking.first.is_visible():
            continue
        alone = asking.first.element_handle()
        asking.first.locator("[data-key=answer-0]").click()
        page.wait_for_function(
            "(alone) => alone.querySelector('.it-truth')", arg=alone, timeout=10_000
        )
        answered.append(
            alone.evaluate("(alone) => alone.querySelector('.it-truth > span').textContent")
        )
    assert answered == truths
    assert notebook.errors == []
