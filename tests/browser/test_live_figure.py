"""LiveFigure in a real JupyterLab: what is on the canvas, and what hands can do with it."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import _mark_every_path
from matplotlib.path import Path as MatplotlibPath
from matplotlib.transforms import IdentityTransform

from interactive_training import live

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook, OpenNotebook

SETUP = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from gallery import bowl_figure, every_artist, loss_figure
from interactive_training.figures import style
from interactive_training.live import LiveFigure, background, pack
"""
REFERENCE = """
import base64
with live.lock:
    theme = style.THEMES[live._picture.page.theme]
    live.figure.patch.set_facecolor(theme.ground)
    moving = [artist for _, artist in pack.moving(live.figure)] if {moving} else []
    png = background.draw(live._picture._canvas, above=moving)
print(base64.b64encode(png).decode())
"""
SAME = 15  # see `different`; measured 5 to 10, and 28 to 51 where one word is missing
PAINTED = """([painted, background]) => {
    const data = document.querySelector(".live-figure")?.dataset;
    return Number(data?.painted) >= painted && Number(data?.background) >= background;
}"""


def wait_painted(notebook: Notebook, painted: int = 1, background: int = 1) -> None:
    notebook.wait(PAINTED, [painted, background])


def canvas_pixels(notebook: Notebook, ground: str) -> np.ndarray:
    """The canvas on the theme's ground, as 0 to 255."""
    url = notebook.page.evaluate(
        """(ground) => {
            const canvas = document.querySelector(".live-figure canvas");
            const copy = new OffscreenCanvas(canvas.width, canvas.height);
            const ctx = copy.getContext("2d");
            ctx.fillStyle = ground;
            ctx.fillRect(0, 0, canvas.width, canvas.height);
            ctx.drawImage(canvas, 0, 0);
            return copy.convertToBlob({ type: "image/png" }).then((blob) => new Promise((done) => {
                const reader = new FileReader();
                reader.onload = () => done(reader.result);
                reader.readAsDataURL(blob);
            }));
        }""",
        ground,
    )
    return read_png(url.split(",")[1])


def read_png(base64: str) -> np.ndarray:
    return imread(io.BytesIO(b64decode(base64)))[:, :, :3] * 255


def different(one: np.ndarray, other: np.ndarray, density: int = 1) -> float:
    """How far apart, 0 to 255, the mean colours of a square of 12 CSS pixels are at most.

    Means, and the best of nine places a pixel apart: matplotlib rounds lines and letters to whole
    pixels and the browser does not. A missing word or line is seen all the same.
    """
    side = 12 * density
    rows, columns = one.shape[0] // side, one.shape[1] // side

    def means(pixels: np.ndarray) -> np.ndarray:
        squares = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
        return squares.mean(axis=(1, 3))

    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    moved = [means(np.roll(other, shift, axis=(0, 1))) for shift in shifts]
    gaps = [np.abs(means(one) - there).max(axis=2) for there in moved]
    return float(np.min(gaps, axis=0).max())


@pytest.mark.parametrize("density", [1, 2])
def test_the_canvas_shows_what_matplotlib_draws(lab: OpenNotebook, density: int) -> None:
    notebook = lab(SETUP, "live = LiveFigure(every_artist(), height=340)\nlive", density=density)
    notebook.run()
    wait_painted(notebook)
    for number, theme, ground in ((1, "light", "#FFFFFF"), (2, "dark", "#111111")):
        notebook.theme(theme)
        wait_painted(notebook, background=number)
        canvas = canvas_pixels(notebook, ground)
        whole = read_png(notebook.run_code(REFERENCE.format(moving=True)))
        still = read_png(notebook.run_code(REFERENCE.format(moving=False)))
        assert canvas.shape == whole.shape == (340 * density, 848 * density, 3)
        assert different(canvas, whole, density) < SAME
        assert different(canvas, still, density) > 100  # the comparison can tell
        assert notebook.run_code("print(live._picture._layout)").strip() == str(number)
    assert notebook.errors == []


def test_evenly_spaced_markers_are_those_that_matplotlib_picks(lab: OpenNotebook) -> None:
    notebook = lab(SETUP, "live = LiveFigure(loss_figure())\nlive")
    random = np.random.default_rng(0)
    size = {"width": 400, "height": 150}
    ax = Figure(figsize=(4, 1.5), dpi=100).add_axes((0, 0, 1, 1))
    lines = [np.zeros((1, 2)), np.full((3, 2), np.nan), np.full((3, 2), 0.5)]
    for count in (2, 7, 60, 200, 384):
        for holes in (0, 5):
            line = np.column_stack((np.linspace(0, 1, count), random.uniform(0.1, 0.9, count)))
            line[random.integers(0, count, holes)] = np.nan
            lines.append(line)
    source = (Path(live.__file__).parent / "figure.js").read_text()
    for every in (1e-9, 0.02, 0.14, 0.9, 5.0):
        found = notebook.page.evaluate(
            """async ([source, lines, every, size]) => {
                const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
                const { spaced } = await import(url);
                const numbers = (line) => line.map((value) => value ?? NaN);
                return lines.map((line) => spaced(numbers(line), every, size));
            }""",
            [
                source,
                [[None if np.isnan(v) else v for v in line.ravel()] for line in lines],
                every,
                size,
            ],
        )
        for line, chosen in zip(lines, found, strict=True):
            known = line[~np.isnan(line).any(axis=1)]
            expected = known[:0]
            if len(known):
                pixels = known * (size["width"], size["height"])
                picked = _mark_every_path(every, MatplotlibPath(pixels), IdentityTransform(), ax)
                expected = picked.vertices / (size["width"], size["height"])
            np.testing.assert_allclose(np.reshape(chosen, (-1, 2)), expected, atol=1e-9)
    assert notebook.errors == []


def test_the_picture_follows_its_container(lab: OpenNotebook) -> None:
    notebook = lab(SETUP, "live = LiveFigure(loss_figure())\nlive")
    notebook.run()
    wait_painted(notebook)
    assert notebook.run_code("print(live.scene['width'])").strip() == "848"
    notebook.command("application:toggle-left-area")
    wait_painted(notebook, background=2)
    width = notebook.page.evaluate("() => document.querySelector('.live-figure').clientWidth")
    assert width > 1000
    assert notebook.run_code("print(live.scene['width'], live.scene['layout'])").split() == [
        str(width),
        "2",
    ]
    shape = notebook.page.evaluate(
        "() => { const c = document.querySelector('.live-figure canvas');"
        " return [c.width, c.height, c.clientWidth, c.clientHeight]; }"
    )
    assert shape == [width, 200, width, 200]


LOOP = """
import threading, time
live = LiveFigure(loss_figure())
(line,) = live.figure.axes[0].lines[:1]
def work():
    global took
    began = time.monotonic()
    for i in range(300):
        line.set_data([0, 300], [1, 1 + i / 299])
        live.update()
        time.sleep(0.005)
    took = time.monotonic() - began
live
"""


@pytest.mark.parametrize("where", ["worker", "cell"])
@pytest.mark.parametrize("kernel", ["7", "6"])
def test_a_loop_ends_on_its_last_state(
    lab: OpenNotebook, kernel: str, where: str, request: pytest.FixtureRequest
) -> None:
    name = "python3" if kernel == "7" else request.getfixturevalue("kernel6")
    notebook = lab(SETUP, LOOP, kernel=name)
    notebook.run()
    wait_painted(notebook)
    version = notebook.run_code("import ipykernel; print(ipykernel.version_info[0])").strip()
    assert version == kernel
    if where == "worker":
        notebook.run_code("thread = threading.Thread(target=work)\nthread.start()")
        wait_painted(notebook, painted=10)  # while it runs
        notebook.run_code("thread.join()")
    else:
        notebook.run_code("work()")  # answers may wait until the cell has ended
    pending = "True"
    while pending == "True":
        number, pending = notebook.run_code("print(live.sent, live.due)").split()
        wait_painted(notebook, painted=int(number))
    took = float(notebook.run_code("print(took)"))
    assert int(number) <= 30 * took + 15  # 30 a second, and a margin
    canvas = canvas_pixels(notebook, "#FFFFFF")
    whole = read_png(notebook.run_code(REFERENCE.format(moving=True)))
    assert different(canvas, whole) < SAME
    assert notebook.run_code("print(line.get_ydata()[-1], live.problem)").split() == ["2.0"]


SLOWLY = """
import time
answers = 0
def count(message):
    global answers
    answers += 1
live = LiveFigure(loss_figure())
live._group.on_msg(lambda _, message, buffers: count(message))
(line,) = live.figure.axes[0].lines[:1]
def work():
    for i in range(30):
        line.set_data([0, 300], [1, 1 + i / 29])
        live.update()
        time.sleep(0.08)
live
"""


def test_two_frames_share_an_answer_where_they_come_slowly_too(lab: OpenNotebook) -> None:
    notebook = lab(SETUP, SLOWLY)
    notebook.run()
    wait_painted(notebook)
    notebook.run_code("import threading\nfirst = live.sent, answers")
    notebook.run_code("thread = threading.Thread(target=work)\nthread.start()")
    wait_painted(notebook, painted=int(notebook.run_code("print(first[0] + 30)")))
    frames, answered = map(
        int,
        notebook.run_code("print(live.sent - first[0], answers - first[1])").split(),
    )
    assert frames == 30
    assert answered <= 22  # one for each frame would be 30; some gaps are longer than others
    assert notebook.errors == []


BOWL = """
import time
live = LiveFigure(bowl_figure(), height=340, label="the bowl")
drags, times = [], []
def dragged(*drag):
    drags.append(drag)
    times.append(time.monotonic())
live.draggable(live.figure.axes[0].lines[-1], dragged, label="start")
live
"""


def handle_at(notebook: Notebook) -> tuple[float, float]:
    box = notebook.page.locator(".live-figure-handle").bounding_box()
    assert box is not None
    assert box["width"] >= 28
    assert box["height"] >= 28
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_point_follows_mouse_and_arrow_keys(lab: OpenNotebook) -> None:
    notebook = lab(SETUP, BOWL)
    notebook.run()
    wait_painted(notebook)
    notebook.page.locator(".live-figure").scroll_into_view_if_needed()
    x, y = handle_at(notebook)
    mouse = notebook.page.mouse
    mouse.move(x, y)
    mouse.down()
    for i in range(1, 41):
        mouse.move(x - 2 * i, y + i)
    moved = handle_at(notebook)  # at once, whatever the kernel does
    mouse.up()
    assert moved == pytest.approx((x - 80, y + 40), abs=4)
    notebook.wait("() => document.activeElement.classList.contains('live-figure-handle')")
    result = notebook.run_code(
        "end = time.monotonic() + 10\n"
        "while not (drags and drags[-1][2]) and time.monotonic() < end: time.sleep(0.01)\n"
        "line = live.figure.axes[0].lines[-1]\n"
        "print(*drags[-1], len(drags), times[-1] - times[0], *line.get_xydata()[0])"
    ).split()
    dragged = [float(result[0]), float(result[1])]
    axes = notebook.run_code("print(*live.figure.axes[0].bbox.size)").split()
    assert dragged[0] == pytest.approx(3 - 80 * 8 / float(axes[0]), abs=0.1)
    assert dragged[1] == pytest.approx(2 - 40 * 8 / float(axes[1]), abs=0.1)
    assert result[2] == "True"
    sent, seconds = int(result[3]), float(result[4])
    assert 2 < sent <= 3 + seconds / 0.036  # no more than there can be pictures
    assert [float(value) for value in result[5:]] == dragged

    notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("Shift+ArrowUp")
    notebook.wait(
        """([x, y]) => {
            const words = document.querySelector(".live-figure-handle").ariaValueText;
            const [nowX, nowY] = words.split(", ").map(Number);
            return Math.abs(nowX - x) < 0.02 && Math.abs(nowY - y) < 0.02;
        }""",
        [dragged[0] + 0.08, dragged[1] + 0.8],
    )
    values = notebook.run_code(
        "end = time.monotonic() + 10\n"
        f"while drags[-1][1] < {dragged[1]} + 0.7 and time.monotonic() < end: time.sleep(0.01)\n"
        "print(*drags[-1])"
    ).split()
    assert float(values[0]) == pytest.approx(dragged[0] + 0.08, abs=0.001)
    assert float(values[1]) == pytest.approx(dragged[1] + 0.8, abs=0.001)
    assert notebook.errors == []


def test_a_click_says_where(lab: OpenNotebook) -> None:
    notebook = lab(
        SETUP,
        BOWL.replace("\nlive\n", "\nclicks = []\nlive.on_click(lambda *c: clicks.append(c))\nlive"),
    )
    notebook.run()
    wait_painted(notebook)
    x, y = handle_at(notebook)
    notebook.page.mouse.click(x - 100, y)
    result = notebook.run_code(
        "import time\n"
        "end = time.monotonic() + 10\n"
        "while not clicks and time.monotonic() < end: time.sleep(0.01)\n"
        "print(*clicks[0], live.figure.axes[0].bbox.width)"
    ).split()
    assert result[0] == "0"
    assert float(result[1]) == pytest.approx(3 - 100 * 8 / float(result[3]), abs=0.1)
    assert float(result[2]) == pytest.approx(2, abs=0.1)


def test_arrow_keys_and_enter_click(lab: OpenNotebook) -> None:
    notebook = lab(
        SETUP,
        "live = LiveFigure(loss_figure())\nclicks = []\n"
        "live.on_click(lambda *c: clicks.append(c))\nlive",
    )
    notebook.run()
    wait_painted(notebook)
    cursor = notebook.page.locator(".live-figure-cursor")
    assert cursor.get_attribute("role") == "button"
    cursor.focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "ArrowUp", "Enter"):
        notebook.page.keyboard.press(key)
    wait = (
        "import time\nend = time.monotonic() + 10\n"
        "while not clicks and time.monotonic() < end: time.sleep(0.01)\n"
    )
    axes, x, y = notebook.run_code(
        f"{wait}ax = live.figure.axes[0]\n"
        "at = ax.transAxes.inverted().transform(ax.transData.transform(clicks[0][1:]))\n"
        "print(clicks[0][0], *at)"
    ).split()
    assert axes == "0"
    assert (float(x), float(y)) == pytest.approx((0.61, 0.51), abs=0.002)


def test_a_first_picture_that_was_lost_comes_by_itself(lab: OpenNotebook) -> None:
    notebook = lab(
        SETUP,
        "live = LiveFigure(loss_figure())\n"
        "real, lost = live.send_state, []\n"
        "def lossy(key=None):\n"
        "    if len(lost) < 1 and key and 'scene' in key: lost.append(key)\n"
        "    else: real(key)\n"
        "live.send_state = lossy\n"
        "live",
    )
    notebook.run()
    wait_painted(notebook)
    assert notebook.run_code("print(len(lost), live._picture._layout)").split() == ["1", "1"]


def test_after_a_reload_the_page_shows_the_state_again(lab: OpenNotebook) -> None:
    notebook = lab(SETUP, "live = LiveFigure(loss_figure())\nlive")
    notebook.run()
    wait_painted(notebook)
    notebook.run_code("live.figure.axes[0].lines[0].set_data([0, 300], [5, 5]); live.update()")
    number = int(notebook.run_code("live.flush(); print(live.sent)"))
    wait_painted(notebook, painted=number)
    before = canvas_pixels(notebook, "#FFFFFF")
    notebook.reload()
    wait_painted(notebook, painted=number)
    assert different(canvas_pixels(notebook, "#FFFFFF"), before) == 0
    assert notebook.run_code("print(live.watching, live._picture._layout)").split() == ["True", "1"]


def test_words_are_words(lab: OpenNotebook) -> None:
    bad = "<img src=x onerror=window.hacked=1>"
    notebook = lab(
        SETUP,
        f"live = LiveFigure(loss_figure(), label={bad!r})\nlive.say({bad!r})\n"
        f"live.figure.axes[0].texts[0].set_text({bad!r})\nlive",
    )
    notebook.run()
    wait_painted(notebook)
    figure = notebook.page.locator(".live-figure [role=img]")
    assert figure.get_attribute("aria-label") == bad
    assert notebook.page.locator(".live-figure [aria-live=polite]").text_content() == bad
    assert notebook.page.evaluate("() => window.hacked === undefined")
    assert notebook.page.locator(".live-figure img").count() == 0


def test_python_knows_whether_it_is_seen(lab: OpenNotebook) -> None:
    notebook = lab(
        SETUP,
        "live = LiveFigure(loss_figure())\nseen = []\nlive.on_view(seen.append)\nlive",
        "for i in range(60): print(i)",
    )
    notebook.run()
    wait_painted(notebook)
    wait = (
        "import time\nend = time.monotonic() + 10\n"
        "while len(seen) < {} and time.monotonic() < end: time.sleep(0.01)\nprint(seen)"
    )
    notebook.page.locator(".live-figure").scroll_into_view_if_needed()
    assert notebook.run_code(wait.format(1)).strip() == "[True]"
    notebook.page.evaluate(
        "() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 1e6)"
    )
    assert notebook.run_code(wait.format(2)).strip() == "[True, False]"
