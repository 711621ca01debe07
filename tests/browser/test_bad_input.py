"""Whatever a learner types, clicks or brings along: said in words in the lab, the run unharmed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook

LAB = "from interactive_training.labs import TrainingLab\nlab = TrainingLab({})\nlab"
STEP = "(step) => Number(document.querySelector('.it-top')?.dataset.step) >= step"
PAUSED = "() => document.querySelector('.it-top')?.dataset.playing === 'false'"
SAYS = "(words) => document.querySelector('.it-sentence')?.textContent.includes(words)"
FAILED = "() => document.querySelector('.it-sentence').classList.contains('it-failed')"
HTML = "<img src=x onerror=window.harmed=1>"
TYPED = (
    *("0", "-1", "nan", "inf", "-inf", "1e308", "9" * 400, "'0.1'", "True", "None", "1j", "abc"),
    *("[", "(0.1,)", "0,1", "0x", "__import__('os').abort()", HTML, "\N{SNOWMAN}"),
)
OWN = """\
import torch
from torch import nn

from interactive_training import Recipe, Task
from interactive_training.labs import TrainingLab

class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.add_module({layer!r}, nn.Linear(4, 2))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        out = next(self.children())(x)
        if self.training and self.calls > 30:
            {line}
        return out

{name}.__name__ = {shown!r}
x = torch.randn(64, 4)
task = Task.of({name}(), x, (x[:, 0] > 0).long(), batch_size=16)
lab = TrainingLab(task, Recipe(lr=0.1), until=40, question={layer!r})
lab
"""


def unharmed(notebook: Notebook) -> None:
    """No error in the page, nothing that was meant as words has become an element."""
    assert notebook.errors == []
    assert notebook.page.evaluate("() => window.harmed") is None
    assert notebook.page.locator(".it-lab img[src=x]").count() == 0


def test_what_is_typed_into_each_kind_of_field(lab: OpenNotebook) -> None:
    notebook = lab(LAB.format("'digits', until=2"), "lab.change(keep_grad=0.5, optimizer='AdamW')")
    page = notebook.page
    notebook.run()
    notebook.wait(STEP, 2)
    notebook.wait(PAUSED)
    before = notebook.run_code("print(lab.run.recipe, lab.run.seed, lab.run.index)")
    page.locator(".it-line", has_text="optimizer.step").click()
    fields = {
        "learning rate": (page.locator(".it-rate input[type=text]"), "0.05"),
        "betas": (page.locator("[data-key=entry-betas]"), "0.9, 0.999"),
        "weight decay": (page.locator(".it-drawer [data-key=entry-weight_decay]"), "0.01"),
    }
    for name, (field, shown) in fields.items():
        field.wait_for()
        for typed in TYPED:
            if (name, typed) == ("weight decay", "0"):
                continue  # may be so
            if typed == "None" and name != "learning rate":
                continue  # torch's default
            forget(notebook)
            field.fill(typed)
            field.press("Enter")
            notebook.wait(FAILED)
            page.wait_for_function(
                "([node, shown]) => node.value === shown", arg=[field.element_handle(), shown]
            )
    kept = page.get_by_role("spinbutton", name="kept")
    for typed in ("-1", "7", "0x", "1e"):
        forget(notebook)
        kept.focus()
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
        notebook.wait(FAILED)
        notebook.wait("() => document.activeElement.textContent === '0.5'")
    page.locator("[data-key=setup]").click()
    seed = page.locator("[data-key=entry-seed]")
    for typed in ("-1", "1.5", "abc", HTML, "9" * 400):
        forget(notebook)
        seed.fill(typed)
        seed.press("Enter")
        notebook.wait(FAILED)
        page.wait_for_function("(node) => node.value === '1'", arg=seed.element_handle())
    assert notebook.run_code("print(lab.run.recipe, lab.run.seed, lab.run.index)") == before
    unharmed(notebook)


def forget(notebook: Notebook) -> None:
    """Take the last refusal off the page, so that the next one is seen to come."""
    notebook.run_code("lab.session.refusal = ''; lab.view.show(everything=True)")
    notebook.wait(f"() => !({FAILED})()")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"raise ValueError({HTML!r})", "Stopped: "),
        ("return out[:-1]", "Stopped: "),
        (f"print({HTML!r}, '\\n' * 500)", "lines, not shown here."),
    ],
    ids=["raises", "returns another shape", "prints a lot"],
)
def test_an_own_model_that_goes_wrong(lab: OpenNotebook, line: str, words: str) -> None:
    cell = OWN.format(name="Own", shown=HTML, layer=HTML.replace(".", ""), line=line)
    notebook = lab(cell)
    page = notebook.page
    notebook.run()
    page.locator(".it-words").scroll_into_view_if_needed()
    notebook.wait(SAYS, words)
    notebook.wait(PAUSED)
    if words == "Stopped: ":
        page.get_by_role("button", name="Why?").click()
        page.wait_for_selector(".it-why:not(:empty)")
    assert HTML in page.locator("[data-key=setup]").inner_text()
    assert page.locator(".it-question-text").inner_text() == HTML.replace(".", "")
    # The weights are those of the last good step, and the lab goes on.
    page.locator("[data-key=reset]").click()
    notebook.wait("() => document.querySelector('.it-top').dataset.step === '0'")
    page.locator("[data-key=run]").click()
    notebook.wait(STEP, 5)
    unharmed(notebook)
    size = page.evaluate(
        """() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.widgets[0]
            .model.outputs.toJSON()).length"""
    )
    assert size < 200_000


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, 1])
def test_clicks_at_an_absurd_speed(lab: OpenNotebook, seed: int) -> None:
    notebook = lab(LAB.format("'digits', until=50, ask='zero_grad'"))
    page = notebook.page
    notebook.run()
    notebook.wait(STEP, 50)
    rng = random.Random(seed)
    for _ in range(150):
        # In the page itself: no waiting between two clicks.
        page.evaluate(
            """(shares) => {
                for (const share of shares) {
                    const nodes = [...document.querySelectorAll(".it-lab :is(button, select, input,"
                        + " .it-line, .it-open, .it-value)")].filter((node) => !node.disabled
                        && !node.matches(".it-present, [data-key=prove]"));
                    const node = nodes[Math.floor(share * nodes.length)];
                    if (node.matches("select")) {
                        node.selectedIndex = Math.floor((share * 997 % 1) * node.options.length);
                        node.dispatchEvent(new Event("change"));
                    } else if (node.matches("input[type=range]")) {
                        node.value = (share * 997 % 1) * node.max;
                        node.dispatchEvent(new Event("input"));
                        node.dispatchEvent(new Event("change"));
                    } else node.click();
                }
            }""",
            [rng.random() for _ in range(5)],
        )
    # The kernel may work on this for a while; what is typed now comes after all of it.
    rate = page.locator(".it-rate input[type=text]")
    rate.fill("0.0123")
    rate.press("Enter")
    settled = notebook.run_code(
        "import time\n"
        "end = time.monotonic() + 50\n"
        "while lab.run.recipe.lr != 0.0123 and time.monotonic() < end: time.sleep(0.01)\n"
        "lab.session.put('pause')\n"
        "while lab.session.playing and time.monotonic() < end: time.sleep(0.01)\n"
        "print(lab.run.recipe.lr, lab.session.playing, lab.session.alive)"
    )
    assert settled.split() == ["0.0123", "False", "True"]
    # The lab is as it was made to be: the page shows what the kernel has, and it still trains.
    notebook.wait(PAUSED)
    index = notebook.run_code("print(lab.run.index)").strip()
    notebook.wait("(at) => document.querySelector('.it-top').dataset.step === at", index)
    shows = "([field, value]) => Number(field.value) === value"
    notebook.wait(shows, [rate.element_handle(), 0.0123])
    # A recipe made of random clicks may well diverge: the run to come is a sane one.
    notebook.run_code(
        "from interactive_training import Recipe, Run\n"
        "lab.session.put('reset', Run('digits', Recipe(lr=0.05)))"
    )
    notebook.wait(shows, [rate.element_handle(), 0.05])
    page.locator("[data-key=run]").click()
    notebook.wait(STEP, 5)
    # Pictures of a task that was gone again before the page had loaded them are no harm.
    gone = "[anywidget] Failed to initialize model"
    notebook.errors = [error for error in notebook.errors if not error.startswith(gone)]
    unharmed(notebook)
