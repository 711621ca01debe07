"""TrainingLab in a real JupyterLab: the first sixty seconds, as a learner drives them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook, Server

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


@pytest.mark.parametrize("kernel", ["7", "6"])
def test_the_first_sixty_seconds(
    lab: OpenNotebook, request: pytest.FixtureRequest, kernel: str
) -> None:
    name = "python3" if kernel == "7" else request.getfixturevalue("kernel6")
    notebook = lab(LAB.format("'digits', ask='zero_grad'"), kernel=name)
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
    # With two lines more in the code the lab is as high as before.
    assert page.locator(".it-lab").evaluate("(lab) => lab.clientHeight") <= 444
    reset = page.get_by_role("button", name="Reset")
    assert reset.get_attribute("title") == "Start again at step 0 with the same code"
    presenter = page.get_by_role("button", name="presenter mode")
    assert (
        presenter.get_attribute("title")
        == "Full screen, for a class; Ctrl and + enlarge, Esc comes back"
    )
    presenter.click()
    notebook.wait(
        "() => document.fullscreenElement !== null"
        " && document.querySelector('.live-figure')?.clientHeight === 480"
        " && Number(document.querySelector('.live-figure').dataset.painted) > 0"
    )
    shot(notebook, "presenter")
    assert notebook.errors == []


def test_a_reloaded_page_shows_the_running_state(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'moons', until=100_000"))
    notebook.run()
    notebook.wait(STEP, 30)
    notebook.reload()
    notebook.wait(STEP, 60)
    notebook.wait("() => Number(document.querySelector('.live-figure')?.dataset.painted) > 0")
    at = int(notebook.page.evaluate("() => document.querySelector('.it-top').dataset.step"))
    notebook.wait(STEP, at + 30)  # it goes on
    notebook.page.locator("[data-key=run]").click()
    notebook.wait(PAUSED)
    assert notebook.errors == []


def test_pause_answers_at_full_speed(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'digits', until=10**6"), "lab.session.put('pace', 'full')")
    notebook.run()
    notebook.wait(STEP, 500)
    took = notebook.page.evaluate(
        """() => new Promise((done) => {
            const top = document.querySelector(".it-top");
            const began = performance.now();
            const seen = new MutationObserver(() => {
                if (top.dataset.playing === "false") done(performance.now() - began);
            });
            seen.observe(top, { attributes: true, attributeFilter: ["data-playing"] });
            document.querySelector("[data-key=run]").click();
        })"""
    )
    assert took < 500
    stood = notebook.run_code("print(lab.run.index)")
    assert notebook.run_code("print(lab.run.index)") == stood


def test_what_is_typed(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'digits', until=2"))
    notebook.run()
    percentages(notebook, 2)
    rate = notebook.page.get_by_role("textbox", name="learning rate")
    for typed, words in (
        ("abc", "learning rate: 'abc' is no number; type one, such as 0.1."),
        ("-1", "learning rate is -1; choose a number above 0"),
        ("nan", "above 0"),
        ("<b>1</b>", "is no number; type one"),
    ):
        rate.fill(typed)
        rate.press("Enter")
        notebook.wait(SAYS, words)
        notebook.wait("() => document.querySelector('.it-rate input[type=text]').value === '0.05'")
    rate.fill("0.2")
    rate.press("Enter")
    notebook.wait("() => !document.querySelector('.it-sentence').textContent.includes('no number')")
    assert notebook.run_code("print(lab.run.recipe.lr)").strip() == "0.2"
    # The arrow keys move the slider, and Alt with an arrow key a line of the code.
    notebook.page.get_by_role("slider", name="learning rate").press("ArrowRight")
    line = notebook.page.locator("[data-key^=line-]").first
    line.press("Alt+ArrowDown")
    notebook.wait(
        "() => document.querySelector('.it-line').textContent.includes('output = model(x)')"
    )
    stages = notebook.run_code("print(*lab.run.recipe.stages, lab.run.recipe.lr > 0.2)").split()
    assert stages[:2] == ["forward", "zero_grad"]
    assert stages[-1] == "True"
    assert notebook.errors == []


def test_fast_clicks_leave_one_lab(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'digits', until=20"))
    notebook.run()
    percentages(notebook, 20)
    box = notebook.page.locator(".it-code input[type=checkbox]").first
    for _ in range(15):
        box.click(force=True)
    run = notebook.page.locator("[data-key=run]")
    for _ in range(9):
        run.click(force=True)
    # Every click did what the button said just then; afterwards page and kernel agree, and the
    # button works as ever.
    notebook.page.locator("[data-key=pace]").select_option("10")  # comes after all of them
    playing = notebook.run_code(
        "import time\n"
        "while lab.session.pace != '10': time.sleep(0.01)\n"
        "print(str(lab.session.playing).lower())"
    ).strip()
    notebook.wait(
        "(playing) => document.querySelector('.it-top').dataset.playing === playing", playing
    )
    if playing == "false":
        run.click()
    notebook.wait("() => document.querySelector('.it-top').dataset.playing === 'true'")
    ticked = notebook.run_code("print('zero_grad' in lab.run.recipe.stages)").strip() == "True"
    notebook.wait(
        "(on) => document.querySelector('.it-code input[type=checkbox]').checked === on", ticked
    )
    for _ in range(3):
        notebook.command("notebook:run-cell")
    notebook.wait("() => document.querySelectorAll('.it-lab').length === 1")
    found = notebook.run_code(
        "import threading\n"
        "print(sum(t.name == 'interactive-training' for t in threading.enumerate()))"
    )
    assert int(found) <= 1
    assert notebook.errors == []


def test_ten_thousand_steps_hardly_grow_the_file(lab: OpenNotebook, server: Server) -> None:
    notebook = lab(LAB.format("'moons', until=10_000"), "lab.session.put('pace', 'full')")
    notebook.run()
    notebook.command("docmanager:save")
    (path,) = server.folder.glob("test_ten_thousand*.ipynb")
    before = path.stat().st_size
    notebook.wait(STEP, 10_000)
    notebook.command("docmanager:save")
    assert path.stat().st_size - before < 200_000


def test_momentum_without_leaving_the_presenter(lab: OpenNotebook) -> None:
    notebook = lab(
        LAB.format("'digits', until=200"),
        "lab.advance(200)\nlab.change(stages=lab.run.recipe.stages[1:])\nlab.advance(200)",
    )
    page = notebook.page
    notebook.run()
    page.get_by_role("button", name="presenter mode").click()
    notebook.wait("() => document.fullscreenElement !== null")
    page.get_by_role("button", name="Rewind to 200").click()
    notebook.wait(AT, 200)
    # One slider at a time: the learning rate, or that of the selected line.
    kept, rate = (page.get_by_role("slider", name=name) for name in ("kept", "learning rate"))
    rate.wait_for()
    assert kept.count() == 0
    page.locator(".it-line", has_text="zero_grad").click()
    kept.wait_for()
    assert rate.count() == 0
    page.locator(".it-line", has_text="zero_grad").click()  # a second click closes it
    rate.wait_for()
    assert kept.count() == 0
    page.locator(".it-line", has_text="optimizer.step").click()
    page.get_by_role("slider", name="momentum").wait_for()
    assert page.get_by_role("slider").count() == 1
    page.locator(".it-line", has_text="zero_grad").click()
    kept.press("End")
    notebook.wait(
        "() => document.querySelector('.it-code .it-note').textContent.includes('forgotten')"
    )
    page.get_by_role("button", name="set kept to .9 momentum").click()
    notebook.wait("() => document.querySelector('.it-code').textContent.includes('momentum.')")
    (you, unchanged) = run_to(notebook, 400)
    assert unchanged < you
    assert page.evaluate("() => document.fullscreenElement !== null")
    assert notebook.errors == []


def test_values_in_the_code_by_keyboard(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'digits', until=2"), "lab.change(keep_grad=0.5, clip='norm')")
    page = notebook.page
    notebook.run()
    percentages(notebook, 2)
    kept = page.get_by_role("spinbutton", name="kept")
    page.locator("[data-key=line-zero_grad-2]").focus()
    page.keyboard.press("Tab")
    focused = "() => document.activeElement.dataset.key"
    assert page.evaluate(focused) == "value-zero_grad-2-keep_grad"
    ring = kept.evaluate("(node) => getComputedStyle(node).outline")
    assert "solid 2px" in ring

    shows = "(text) => document.activeElement.textContent === text"
    for key, text in (
        ("ArrowUp", "0.51"),
        ("Shift+ArrowUp", "0.61"),
        ("ArrowDown", "0.6"),
        *(("Shift+ArrowUp", "1.0") for _ in range(5)),  # and no further
    ):
        page.keyboard.press(key)
        if text != "1.0":
            notebook.wait(shows, text)
    notebook.wait(shows, "1.0")
    assert kept.get_attribute("aria-valuenow") == "1"
    assert notebook.run_code("print(lab.run.recipe.keep_grad)").strip() == "1.0"

    # Answers that come late do not take back what was pressed meanwhile.
    late = "show = lab.session._show\nlab.session._show = lambda: (time.sleep(0.3), show())"
    notebook.run_code(f"import time\n{late}")
    for _ in range(10):
        page.keyboard.press("ArrowDown", delay=70)
    notebook.wait(shows, "0.9")
    assert notebook.run_code("print(lab.run.recipe.keep_grad)").strip() == "0.9"
    notebook.run_code("lab.session._show = show")

    # A digit begins anew, Enter takes what was typed, and the focus stays where it was.
    for keys, text in (("0.25", "0.25"), ("7", "0.25")):
        page.keyboard.type(keys)
        assert page.evaluate("() => document.activeElement.value") == keys
        page.keyboard.press("Enter")
        notebook.wait(shows, text)
    notebook.wait(SAYS, "at most 1")
    page.keyboard.press("Enter")
    page.keyboard.type("0.9")
    page.keyboard.press("Escape")
    notebook.wait(shows, "0.25")

    # Whatever does not fit of a long line, its value does.
    clip = page.get_by_role("spinbutton", name="clip at").bounding_box()
    line = page.locator(".it-line", has_text="clip_grad_norm_").bounding_box()
    assert clip is not None
    assert line is not None
    assert clip["x"] + clip["width"] < line["x"] + line["width"]
    page.get_by_role("spinbutton", name="clip at").focus()
    page.keyboard.press("ArrowUp")
    notebook.wait("() => parseFloat(document.activeElement.textContent) > 1")
    assert page.locator(".jp-Cell").count() == 2
    assert notebook.errors == []


def test_the_lab_keeps_its_size(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'digits', until=30"))
    page = notebook.page
    notebook.run()
    percentages(notebook, 30)

    def size() -> tuple[float, float]:
        box = page.locator(".it-lab").bounding_box()
        assert box is not None
        return box["width"], box["height"]

    first = size()
    assert first[0] <= 848
    assert first[1] <= 460
    for line in ("output = model", "loss = loss_fn", "loss.backward", "optimizer.step"):
        page.locator(".it-line", has_text=line).click()
        page.wait_for_selector(f".it-selected:has-text('{line}')")
        assert size() == first, line
    page.locator("[data-key=prove]").click()
    page.wait_for_selector(".it-passed")
    assert size() == first
    page.get_by_role("textbox", name="learning rate").fill("-1")
    page.keyboard.press("Enter")
    page.wait_for_selector(".it-say .it-failed")
    assert size() == first
    notebook.theme("dark")
    assert size() == first
    notebook.command("application:toggle-left-area")
    notebook.wait("() => document.querySelector('.it-lab').clientWidth > 1000")
    assert size()[1] == first[1]


@pytest.mark.parametrize("key", ["run", "line-backward-0", "range-keep_grad"])
def test_no_key_begins_a_lab_anew(lab: OpenNotebook, key: str) -> None:
    notebook = lab(LAB.format("'digits', until=2"))
    page = notebook.page
    notebook.run()
    percentages(notebook, 2)
    made = notebook.run_code("print(id(lab))")
    for pressed in ("Shift+Enter", "Control+Enter", "Alt+Enter"):
        page.locator(f"[data-key={key}]").focus()
        page.keyboard.press(pressed)
    page.locator("[data-key=step]").click()  # what was pressed before has been heard
    notebook.wait(STEP, 3)
    assert notebook.run_code("print(id(lab))") == made
    assert page.locator(".jp-Cell").count() == 1
    assert notebook.errors == []
