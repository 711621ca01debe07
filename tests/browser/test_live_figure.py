"""LiveFigure in a real JupyterLab."""

SETUP = """
import sys
sys.path.insert(0, {tests!r})
from gallery import every_artist, loss_figure
from interactive_training.live import LiveFigure
live = LiveFigure(every_artist(), height=340)
live
"""
REFERENCE = """
from interactive_training.figures import style
from interactive_training.live import background, pack
with live.lock:
    picture = live._picture
    live.figure.patch.set_facecolor(style.THEMES[picture.page.theme].ground)
    open({path!r}, "wb").write(background.draw(picture._canvas, above=[a for _, a in pack.moving(live.figure)]))
"""
from pathlib import Path
HERE=str(Path(__file__).parent)

def test_try(lab):
    page = lab(SETUP.format(tests=HERE), density=2)
    page.run()
    page.wait("() => document.querySelector('.live-figure')?.dataset.painted >= 1")
    page.page.locator(".live-figure").screenshot(path="/tmp/c_light.png")
    page.run_code(REFERENCE.format(path="/tmp/r_light.png"))
    page.theme("dark")
    page.wait("() => document.querySelector('.live-figure').dataset.background >= 2")
    page.page.locator(".live-figure").screenshot(path="/tmp/c_dark.png")
    page.run_code(REFERENCE.format(path="/tmp/r_dark.png"))
    assert page.errors == []
    print(page.run_code("print(live._flow.number, live._picture._layout, live.problem)"))
