"""How soon the bowl's path answers a hand, in a real JupyterLab and a real Chromium.

    pip install ipympl && python benchmarks/bowl_browser.py

First an arrow key on the learning rate: the same BowlLab with LiveFigure and with ipympl's figures
takes turns, each in a kernel of its own, and the answer is a canvas with other pixels. Then the
start is dragged, which only LiveFigure can: the answer to a key or to the pointer is a new path,
seen on the chart of the heights, which no hand touches. "dragging" means that the pointer moves as
fast as the browser takes it.
"""

from __future__ import annotations

import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRESSES, REST = 12, 0.5
DRAGGED = 300  # movements

OURS = "from interactive_training.labs import BowlLab\nlab = BowlLab()\nlab"
THEIRS = """
import sys; sys.path.insert(0, {folder!r})
from live_yardstick import IpymplFigure, bowl_with
IpymplFigure.widths = {widths}
lab = bowl_with(IpymplFigure)
lab
"""
CANVAS = {"ours": ".live-figure canvas", "ipympl": ".jupyter-matplotlib-canvas-container canvas"}

# Calls back with the milliseconds from the next event of this kind until canvas `which` changes.
ANSWER = """
([selector, which, kind]) => {
    const canvas = document.querySelectorAll(selector)[which];
    const look = () => {
        const { width, height } = canvas;
        const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        const words = new Uint32Array(bytes.buffer);
        let hash = 0;
        for (let i = 0; i < words.length; i++) hash = (Math.imul(hash, 31) + words[i]) | 0;
        return hash;
    };
    const before = look();
    window.answered = new Promise((done) => {
        document.addEventListener(kind, () => {
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
# Notes when the pointer moved, when a position was sent to Python, and when heights were painted.
TRACE = """
() => {
    const moves = [], sent = [], paints = [];
    const figure = document.querySelectorAll(".live-figure")[1];
    document.addEventListener("pointermove", () => moves.push(performance.now()), true);
    new MutationObserver(() => paints.push(performance.now()))
        .observe(figure, { attributeFilter: ["data-painted"] });
    const send = WebSocket.prototype.send, decoder = new TextDecoder();
    WebSocket.prototype.send = function (data) {
        const words = typeof data === "string" ? data : decoder.decode(data);
        if (words.includes('"kind":"drag"')) sent.push(performance.now());
        return send.call(this, data);
    };
    window.traced = { moves, sent, paints };
}
"""
SAME_REFRESH = 8  # ms from an answer that lets the next position go to the last figure painted


class Shown:
    """One of the two labs, open on its page."""

    def __init__(self, notebook: Any, kind: str) -> None:
        self.notebook, self.kind = notebook, kind
        notebook.run()
        notebook.wait("(canvas) => document.querySelector(canvas)?.width > 300", CANVAS[kind])
        time.sleep(2)

    def answers(self, node: Any, which: int) -> list[float]:
        """Milliseconds from an arrow key on a control to other pixels, several times."""
        page, found = self.notebook.page, []
        node.focus()
        for number in range(1 + PRESSES):
            page.evaluate(ANSWER, [CANVAS[self.kind], which, "keydown"])
            page.keyboard.press(("ArrowLeft", "ArrowRight")[number % 2])
            found.append(page.evaluate("() => window.answered"))
            time.sleep(REST)
        return found[1:]

    def rate(self) -> list[float]:
        """From a key on the learning rate to another path on the map."""
        return self.answers(self.notebook.page.get_by_role("slider", name="lr", exact=True), 0)


def dragged(shown: Shown) -> tuple[list[float], float, float]:
    """While the start is dragged: from each movement to its heights, and how many of both a second.

    A movement goes with the next position that is sent, and one is on its way at a time. So its
    heights are the last ones painted before the position after that one was sent.
    """
    page = shown.notebook.page
    box = page.locator(".live-figure-handle").first.bounding_box()
    x, y = box["x"] + 14, box["y"] + 14
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(TRACE)
    for number in range(DRAGGED):
        page.mouse.move(x - 2 * number, y + (number % 20))
    page.mouse.up()
    time.sleep(0.5)
    traced = page.evaluate("() => window.traced")
    moves, sent, paints = traced["moves"], traced["sent"], traced["paints"]
    waits, begin = [], moves[0]
    for this, following in pairwise(sent):
        answers = [paint for paint in paints if this < paint < following + SAME_REFRESH]
        waits += [answers[-1] - move for move in moves if begin < move <= this and answers]
        begin = this
    seen = [p for p in paints if p <= moves[-1]]
    seconds = (moves[-1] - moves[0]) / 1000
    return waits, len(seen) / seconds, len(moves) / seconds


def row(what: str, measured: float, form: str, target: str = "") -> None:
    """Print one line of the table."""
    print(f"{what:62}{measured:>10{form}}  {target}", flush=True)


def test_bowl(lab: Any) -> None:
    """Print the table; the name makes pytest give it the browser's fixtures."""
    ours = Shown(lab(OURS), "ours")
    sizes = ours.notebook.page.evaluate(
        "(canvas) => [...document.querySelectorAll(canvas)].map((c) => "
        "[c.clientHeight, c.clientWidth])",
        CANVAS["ours"],
    )
    widths = {int(height): float(width) for height, width in sizes}
    cell = THEIRS.format(folder=str(Path(__file__).parent), widths=widths)
    theirs = Shown(lab(cell), "ipympl")
    mine, other = [], []
    for _ in range(2):
        ours.notebook.page.bring_to_front()
        mine += ours.rate()
        theirs.notebook.page.bring_to_front()
        other += theirs.rate()
    key, ipympl = statistics.median(mine), statistics.median(other)
    print(f"\n{'':62}{'measured':>10}  target")
    row("ms from key on lr to another path", key, ".0f")
    row("  ipympl's", ipympl, ".0f")
    row("  ratio", key / ipympl, ".2f", "<= 0.4")
    ours.notebook.page.bring_to_front()
    start = ours.notebook.page.locator(".live-figure-handle").first
    row(
        "ms from key on the start to other heights",
        statistics.median(ours.answers(start, 1)),
        ".0f",
    )
    waits, often, moved = dragged(ours)
    row("ms from a movement to its heights, dragging", statistics.median(waits), ".0f")
    row("  over ipympl's idle key", statistics.median(waits) / ipympl, ".2f", "<= 0.6")
    row("  the slowest of all", max(waits), ".0f")
    row("paths painted a second while dragging", often, ".1f")
    row("  movements a second", moved, ".1f")
    assert ours.notebook.errors == theirs.notebook.errors == []


def main() -> int:
    """Run the measurement with the fixtures of the browser tests."""
    sys.path.insert(0, str(ROOT))
    from tests.browser import conftest

    return int(pytest.main(["-q", "-s", "--no-header", __file__], plugins=[conftest]))


if __name__ == "__main__":
    sys.exit(main())
