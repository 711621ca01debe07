"""Both labs for everybody: axe's rules, the keyboard alone, and the last row of a room."""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook

LAB = "from interactive_training.labs import {0}\nlab = {0}({1})\nlab"
STOPPED = """() => document.querySelector(".it-top")?.dataset.step === "60"
    && document.querySelector(".it-top").dataset.playing === 'false'"""
PAINTED = """() => [...document.querySelectorAll(".live-figure")]
    .some((one) => Number(one.dataset.painted) > 0)"""
FULL = "() => document.fullscreenElement !== null"
FOCUSED = """() => {
    const node = document.activeElement;
    if (node === null || !node.closest(".it-lab")) return null;
    const style = getComputedStyle(node);
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return [node.dataset.key ?? node.getAttribute("aria-label") ?? node.className, ring];
}"""
TOO_SMALL = """() => {
    const small = [];
    for (const node of document.querySelectorAll(".it-lab *")) {
        const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
        if (!own || !node.checkVisibility({ visibilityProperty: true })) continue;
        if (node.closest(".it-lines, svg, style, .live-figure, .it-spoken")) continue;
        if (parseFloat(getComputedStyle(node).fontSize) < 24) small.push(node.textContent);
    }
    return small;
}"""

CONTROLS = """(names) => {
    const shown = [...document.querySelectorAll(".it-code .it-control")].filter((one) =>
        one.checkVisibility());
    return JSON.stringify(shown.map((one) => one.firstChild.textContent)) === JSON.stringify(names);
}"""


def faults(notebook: Notebook) -> list[str]:
    """What axe finds serious or critical inside the lab, too little contrast included."""
    found = Axe().run(notebook.page, ".it-lab").response["violations"]
    return [
        f"{fault['id']}: {node['target']} {node['html'][:120]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("name", ["TrainingLab", "BowlLab"])
def test_axe_finds_no_serious_fault(lab: OpenNotebook, name: str) -> None:
    training = name == "TrainingLab"
    notebook = lab(LAB.format(name, "'digits', until=60" if training else ""))
    page = notebook.page
    notebook.run()
    notebook.wait(STOPPED if training else PAINTED)
    assert faults(notebook) == []
    # A control: the same call finds a fault that is there.
    page.evaluate("""() => {
        const bad = document.createElement("button");
        bad.id = "bad";
        document.querySelector(".it-lab").append(bad);
    }""")
    assert [fault for fault in faults(notebook) if "bad" in fault]
    page.evaluate("() => document.querySelector('#bad').remove()")
    page.locator("[data-key=setup]").click()
    assert faults(notebook) == []
    page.keyboard.press("Escape")
    if training:
        notebook.run_code("lab.change(keep_grad=0.5, clip='norm')")
        page.wait_for_selector("[data-key=value-clip-0-clip_at]")
        for line in ("model(x)", "loss_fn", "backward", "step"):
            page.locator(".it-line", has_text=line).click()
            notebook.wait(
                "(words) => document.querySelector('.it-selected')?.textContent.includes(words)",
                line,
            )
            assert faults(notebook) == []
    notebook.theme("dark")
    assert faults(notebook) == []
    notebook.theme("light")
    page.get_by_role("button", name="presenter mode").click()
    notebook.wait(FULL)
    assert faults(notebook) == []


def test_the_keyboard_is_enough(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("TrainingLab", "'digits', until=60"))
    page = notebook.page
    notebook.run()
    notebook.wait(STOPPED)
    cells = page.locator(".jp-Cell").count()
    page.locator("[data-key=setup]").focus()
    page.keyboard.press("Shift+Tab")  # so that the walk begins with a key
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        now = page.evaluate(FOCUSED)
        if now is None:
            break
        reached.append(now)
    assert [key for key, ring in reached if not ring] == []
    keys = [key for key, _ in reached]
    shown = page.locator(".it-lab [data-key]:visible:not(:disabled)").evaluate_all(
        "(nodes) => nodes.map((node) => node.dataset.key)"
    )
    assert [key for key in shown if key not in keys] == []
    assert keys.index("setup") < keys.index("run") < keys.index("copy")

    # Enter, letters and arrows stay in the lab, whatever JupyterLab does with them elsewhere.
    line = page.locator("[data-key^=line-forward]").first
    line.focus()
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    notebook.wait("() => document.querySelector('.it-drawer-title').textContent === 'model'")
    assert page.locator(".jp-Cell").count() == cells
    for key, place in (("Alt+ArrowDown", 1), ("Alt+ArrowUp", 0)):
        page.locator("[data-key=line-zero_grad-0]").focus()
        page.keyboard.press(key if place else "Alt+ArrowUp")
        notebook.wait(
            "(first) => document.querySelector('.it-text').textContent"
            ".startsWith('optimizer.zero') === first",
            place == 0,
        )
        # The focus goes with the line.
        assert page.evaluate(FOCUSED)[0] == "line-zero_grad-0"
    page.locator("[data-key=tick-zero_grad-0]").focus()
    page.keyboard.press("Space")
    notebook.wait("() => document.querySelector('.it-line').classList.contains('it-off')")

    page.locator("[data-key=setup]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".it-panel:not([hidden])")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    page.wait_for_selector(".it-panel", state="hidden")
    assert page.evaluate(FOCUSED)[0] == "setup"
    assert notebook.errors == []


def test_why_opens_in_view_and_escape_closes_it(lab: OpenNotebook) -> None:
    notebook = lab(
        LAB.format("TrainingLab", ""),
        "lab.advance(200)\nlab.change(stages=lab.run.recipe.stages[1:])\nlab.advance(200)",
    )
    page = notebook.page
    notebook.run()
    why = page.locator("[data-key^=why]")
    why.scroll_into_view_if_needed()
    before = page.locator(".it-code").bounding_box()
    why.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".it-why:not(:empty)")
    box = page.locator(".it-why").bounding_box()
    assert box is not None
    assert box["y"] > 0
    assert box["y"] + box["height"] <= 720
    assert page.locator(".it-code").bounding_box() == before  # nothing moved
    page.keyboard.press("Escape")
    page.wait_for_selector(".it-why:empty", state="attached")
    page.keyboard.press("Enter")
    page.wait_for_selector(".it-why:not(:empty)")
    page.locator(".it-why [data-key=close]").click()
    page.wait_for_selector(".it-why:empty", state="attached")


def test_the_presenter_is_read_from_the_last_row(lab: OpenNotebook) -> None:
    notebook = lab(
        LAB.format("TrainingLab", ""), "lab.advance(200)\nlab.change(lr=0.2)\nlab.advance(100)"
    )
    page = notebook.page
    notebook.run()
    page.get_by_role("button", name="presenter mode").click()
    notebook.wait(FULL)
    notebook.wait("() => document.querySelector('.live-figure')?.clientHeight === 480")
    assert page.evaluate(TOO_SMALL) == []
    # One slider, that of the selected line or the learning rate, and everything on one screen.
    notebook.wait(CONTROLS, ["learning rate"])
    for line, controls in (
        ("optimizer.zero_grad", ["kept"]),
        ("optimizer.step", ["optimizer", "momentum"]),
        ("loss = loss_fn", ["loss", "reduction", "smoothing"]),
        ("output = model", ["mode", "16-bit", "gradients", "learning rate"]),
    ):
        page.locator(".it-line", has_text=line).click()
        notebook.wait(CONTROLS, controls)
        assert page.evaluate(TOO_SMALL) == []
        words = page.locator(".it-words").bounding_box()
        assert words is not None
        assert words["y"] + words["height"] <= 720
    # The names of the two lines on the canvas: at least 24 px, which are 6 at 25 %.
    said = notebook.run_code(
        "labels = lab.view.panels.pictures.loss.labels.texts.values()\n"
        "print([(t.get_text(), t.get_fontsize()) for t in labels if t.get_text()])"
    )
    labels = ast.literal_eval(said.strip())
    assert labels == [("you", 24.0), ("unchanged", 24.0), ("guessing\n2.30", 24.0)]


HEAR = """() => {
    const listen = (selector) => {
        const times = [];
        new MutationObserver(() => times.push(performance.now()))
            .observe(document.querySelector(selector), { childList: true, characterData: true });
        return times;
    };
    window.heard = listen(".it-spoken");
    window.seen = listen(".it-sentence");
}"""
SAID = """() => document.querySelector(".it-spoken").textContent
    === document.querySelector(".it-sentence").textContent"""


def test_a_sentence_is_read_before_the_next_one_is_spoken(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("TrainingLab", "'digits', until=60"))
    notebook.run()
    notebook.wait(STOPPED)
    notebook.wait(SAID)
    notebook.page.evaluate(HEAR)
    run = notebook.page.locator("[data-key=run]")
    run.click()
    notebook.wait("() => window.heard.length > 2")
    run.click()
    notebook.wait("() => document.querySelector('.it-top').dataset.playing === 'false'")
    notebook.wait(SAID)
    heard, seen = notebook.page.evaluate("() => [window.heard, window.seen]")
    assert min(later - before for before, later in pairwise(heard)) > 1900
    assert len(seen) > 2 * len(heard)  # the eye need not wait
