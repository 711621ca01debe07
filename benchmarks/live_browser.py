"""What a learner's page sees of a TrainingLab, beside the same lab with ipympl's figures.

    pip install ipympl && python benchmarks/live_browser.py

Both labs are open in a real JupyterLab and a real Chromium, each with a kernel of its own, and take
turns. A frame counts when the canvas of the loss has new pixels, and for ours when its number is
new too. The key is an arrow on the learning rate; it is answered when the top of the picture, where
the marks of changes stand and no curve comes, has new pixels.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 4.0
ROUNDS = 6  # ipympl paints twice as many in one as in the next
PRESSES = 6
REST = 1.1  # seconds between two keys, so that each is a change of its own
UNTIL = {"60": 4000, "full": 200_000}

OURS = """
from interactive_training.labs import TrainingLab
lab = TrainingLab("digits", until={until})
lab
"""
THEIRS = """
import sys; sys.path.insert(0, {folder!r})
from live_yardstick import IpymplFigure, lab_with
IpymplFigure.widths = {widths}
lab = lab_with(until={until})
lab
"""
CANVAS = {"ours": ".live-figure canvas", "ipympl": ".jupyter-matplotlib-canvas-container canvas"}

# Looks at the canvas of the loss: at the strip with the marks (`top`) or at all of it.
WATCH = """
([selector, top]) => {
    const canvas = document.querySelector(selector);
    const figure = canvas.closest(".live-figure");
    const height = top ? Math.floor(canvas.height * 0.15) : canvas.height;
    const width = top ? Math.floor(canvas.width * 0.9) : canvas.width;
    const from = top ? Math.floor(canvas.height * 0.12) : 0;
    const look = () => {
        const bytes = canvas.getContext("2d").getImageData(0, from, width, height).data;
        const words = new Uint32Array(bytes.buffer);
        let hash = 0;
        for (let i = 0; i < words.length; i++) hash = (Math.imul(hash, 31) + words[i]) | 0;
        return hash;
    };
    let drawn = 0;  // ipympl's pictures have no number: count how often one is drawn
    const ctx = canvas.getContext("2d");
    delete ctx.drawImage;
    const draw = ctx.drawImage;
    ctx.drawImage = (...all) => (drawn++, draw.apply(ctx, all));
    return window.watched = { look, number: () => figure?.dataset.painted ?? drawn }, null;
}
"""
FRAMES = """
(ms) => new Promise((done) => {
    const { look, number } = window.watched;
    const end = performance.now() + ms;
    let [count, pixels, at] = [0, look(), number()];
    const again = () => {
        // To look at the pixels takes as long as to paint them, so only where a frame has come.
        const newest = number();
        const now = newest === at ? pixels : look();
        count += now !== pixels;
        [pixels, at] = [now, newest];
        if (performance.now() < end) requestAnimationFrame(again); else done(count / ms * 1000);
    };
    again();
})
"""
ANSWER = """
() => {
    const { look } = window.watched;
    const before = look();
    window.answered = new Promise((done) => {
        document.addEventListener("keydown", () => {
            const pressed = performance.now();
            const again = () => {
                const took = performance.now() - pressed;
                if (look() !== before) done(took);
                else if (took > 10000) done(NaN);
                else setTimeout(again, 4);
            };
            again();
        }, { capture: true, once: true });
    });
}
"""


class Shown:
    """One of the two labs, open on its page."""

    def __init__(self, notebook: Any, kind: str, pace: str) -> None:
        self.notebook, self.kind, self.pace = notebook, kind, pace
        notebook.run()
        notebook.wait("(canvas) => document.querySelector(canvas)?.width > 300", CANVAS[kind])
        self.play(False)
        self.slider = notebook.page.get_by_role("slider", name="learning rate")
        self.arrow = 0

    def play(self, on: bool) -> None:
        """Let the lab train, or stop it, and let the page come to rest."""
        verb = "play" if on else "pause"
        lines = f"lab.session.put('pace', {self.pace!r}); lab.session.put({verb!r})"
        self.notebook.run_code(f"lab.session.start(); {lines}")
        time.sleep(0.5 if on else 1.0)

    def frames(self) -> float:
        """Painted frames a second while training."""
        self.play(True)
        self.notebook.page.evaluate(WATCH, [CANVAS[self.kind], False])
        found: float = self.notebook.page.evaluate(FRAMES, SECONDS * 1000)
        self.play(False)
        return found

    def answers(self, training: bool) -> list[float]:
        """Milliseconds from a key to its picture, several times."""
        self.play(training)
        page = self.notebook.page
        page.evaluate(WATCH, [CANVAS[self.kind], True])
        self.slider.focus()
        found = []
        for _ in range(PRESSES):
            page.evaluate(ANSWER)
            page.keyboard.press(("ArrowRight", "ArrowLeft")[self.arrow % 2])
            self.arrow += 1
            found.append(page.evaluate("() => window.answered"))
            time.sleep(REST)
        self.play(False)
        return found


def widths(notebook: Any) -> dict[int, float]:
    """The width of each of our figures by its height, for ipympl's."""
    sizes = notebook.page.evaluate(
        "(canvas) => [...document.querySelectorAll(canvas)].map("
        "(one) => [one.clientHeight, one.clientWidth])",
        CANVAS["ours"],
    )
    return {int(height): float(width) for height, width in sizes}


def row(what: str, measured: float, form: str, target: str = "") -> None:
    """Print one line of the table."""
    print(f"{what:62}{measured:>10{form}}  {target}", flush=True)


@pytest.mark.parametrize("pace", UNTIL)
def test_live(lab: Any, pace: str) -> None:
    """Print the table at one pace; the name makes pytest give it the browser's fixtures."""
    until = UNTIL[pace]
    ours = Shown(lab(OURS.format(until=until)), "ours", pace)
    cell = THEIRS.format(
        folder=str(Path(__file__).parent), widths=widths(ours.notebook), until=until
    )
    theirs = Shown(lab(cell), "ipympl", pace)
    both = (ours, theirs)
    print(f"\n{f'pace {pace}':62}{'measured':>10}  target")
    painted = [[shown.frames() for shown in both] for _ in range(1 + ROUNDS)][1:]
    mine, other = (statistics.mean(column) for column in zip(*painted, strict=True))
    row("frames painted a second while training", mine, ".1f")
    row("  ipympl's", other, ".1f")
    row("  ratio", mine / other, ".2f", ">= 3")
    idle, theirs_idle = (statistics.median(shown.answers(False)) for shown in both)
    training, theirs_training = (statistics.median(shown.answers(True)) for shown in both)
    row("ms from key to picture, idle", idle, ".0f")
    row("  ipympl's", theirs_idle, ".0f")
    row("  ratio", idle / theirs_idle, ".2f", "<= 0.4")
    row("ms from key to picture, training", training, ".0f")
    row("  ipympl's while training", theirs_training, ".0f")
    row("  over ipympl's idle", training / theirs_idle, ".2f", "<= 0.6")
    assert ours.notebook.errors == theirs.notebook.errors == []


def main() -> int:
    """Run the measurement with the fixtures of the browser tests."""
    sys.path.insert(0, str(ROOT))
    from tests.browser import conftest

    return int(pytest.main(["-q", "-s", "--no-header", __file__], plugins=[conftest]))


if __name__ == "__main__":
    sys.exit(main())
