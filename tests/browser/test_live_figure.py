"""LiveFigure in a real JupyterLab."""

from __future__ import annotations

FIGURE = """
import numpy as np
from matplotlib.figure import Figure
from interactive_training.figures import style
from interactive_training.live import LiveFigure

figure = Figure(layout=style.Margins())
ax = style.article(figure.add_subplot(xlim=(0, 300), ylim=(0.01, 10), yscale="log"),
                   "loss per sample (log)")
x = np.arange(0, 301, 3)
noise = np.random.default_rng(0).normal(size=x.size)
(ghost,) = ax.plot(x, 3 * np.exp(-x / 90), animated=True)
(you,) = ax.plot(x, 3 * np.exp(-x / 60 + 0.1 * noise), animated=True)
(twin,) = ax.plot(x, 3 * np.exp(-x / 200 + 0.1 * noise), animated=True)
style.lane(ghost, "ghost")
style.lane(you, "you")
style.lane(twin, "twin")
for line, words in ((ghost, "before"), (you, "you"), (twin, "twin")):
    label = ax.annotate(words, (x[-1], line.get_ydata()[-1]), xytext=(6, 0), va="center",
                        textcoords="offset points", fontsize=12, animated=True)
    style.role(label, style.role_of(line))
live = LiveFigure(figure)
live.say("Step 300: 0.02, the run before: 0.1.")
live
"""


def test_try(lab):
    page = lab(FIGURE)
    page.run()
    page.wait("() => document.querySelector('.live-figure')?.dataset.painted >= 1")
    page.page.screenshot(path="/tmp/light.png")
    page.theme("dark")
    page.wait("() => document.querySelector('.live-figure').dataset.background >= 2")
    page.page.screenshot(path="/tmp/dark.png")
    assert page.errors == []
    print(page.run_code("print(live._flow.number, live._picture._layout, live.problem)"))
