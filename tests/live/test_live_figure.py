"""LiveFigure and the messages it exchanges, counted one by one."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from interactive_training.figures import style
from interactive_training.live import Group, LiveFigure


def make_figure() -> Figure:
    figure = Figure()
    figure.add_subplot(xlim=(0, 100), ylim=(0, 1)).plot([0, 1], [0, 1], animated=True)
    return figure


def test_no_page_no_message(make_live: Any, make_page: Any) -> None:
    live = make_live()
    page = make_page(live)
    for _ in range(100):
        live.update()
    live.flush()
    live.redraw()
    assert page.comm.sent == []
    assert not live.watching
    assert not live.visible


def test_the_first_page_gets_everything(make_live: Any, make_page: Any) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    assert [sorted(state) for state in page.comm.sent] == [["background", "scene"], ["frame"]]
    assert page.comm.sent[0]["background"].startswith(b"\x89PNG")
    json.dumps(page.comm.sent[0]["scene"])  # plain values
    assert live.watching
    assert live.visible


def test_then_a_frame_is_one_small_message(
    make_live: Any, make_page: Any, clock: Any, decode: Any
) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    page.paint()
    page.frames()
    (line,) = live.figure.axes[0].lines
    clock.now += 1
    line.set_data([0, 100], [0, 0.5])
    live.update()
    (state,) = page.comm.sent
    assert list(state) == ["frame"]
    frame = decode(state["frame"], live.scene)
    np.testing.assert_allclose(frame["blocks"][0]["points"], [[0, 0], [1, 0.5]], atol=1e-6)


def test_a_new_style_travels_with_its_frame(make_live: Any, make_page: Any, clock: Any) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    page.paint()
    page.comm.sent.clear()
    clock.now += 1
    live.figure.axes[0].lines[0].set_color("red")
    live.update()
    assert [sorted(state) for state in page.comm.sent] == [["scene"], ["frame"]]
    assert live.scene["artists"][0]["colour"] == "rgba(255,0,0,1)"


def test_five_hundred_updates_in_two_seconds(make_live: Any, make_page: Any, clock: Any) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    sent = 0
    due: list[tuple[float, int]] = [(clock.now + 0.036, 1)]
    page.frames()
    for _ in range(500):
        clock.now += 0.004
        while due and due[0][0] <= clock.now:
            page.paint(due.pop(0)[1])
        live.figure.axes[0].lines[0].set_data([0, 100], [0, clock.now % 1])
        live.update()
        for _ in page.frames():
            sent += 1
            due.append((clock.now + 0.036, live._group.flow.number))
    assert 45 <= sent <= 62


def test_the_last_state_goes_out_with_the_answer(
    make_live: Any, make_page: Any, clock: Any, decode: Any
) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    page.frames()
    (line,) = live.figure.axes[0].lines
    for i in range(10):
        clock.now += 0.001
        line.set_data([0, 100], [0, i / 10])
        live.update()
    assert len(page.frames()) == 1  # one may be ahead of its time
    clock.now += 0.036
    page.paint()
    (frame,) = page.frames()
    points = decode(frame, live.scene)["blocks"][0]["points"]
    assert points[1, 1] == pytest.approx(0.9)
    clock.now += 0.036
    page.paint()
    assert page.frames() == []  # a quiet figure sends nothing


def test_draw_is_called_once_for_each_frame(make_live: Any, make_page: Any, clock: Any) -> None:
    calls = []
    live = make_live(make_figure(), draw=lambda: calls.append(clock.now))
    page = make_page(live)
    for _ in range(100):
        live.update()
    assert calls == []
    page.hello()
    assert len(calls) == 1


def test_a_silent_page_stops_frames_and_after_a_minute_nobody_watches(
    make_live: Any, make_page: Any, clock: Any
) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    for _ in range(59):
        clock.now += 1
        live.update()
    assert len(page.frames()) <= 6
    assert live.watching
    clock.now += 2
    assert not live.watching
    assert not live.visible
    page.hello()  # the page is back
    assert live.watching
    assert len(page.frames()) == 1


def test_the_background_is_drawn_again_only_for_a_reason(
    make_live: Any, make_page: Any, clock: Any
) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()

    def drawn(number: int) -> bool:
        clock.now += 0.1
        page.paint()
        live.update()
        return bool(live.scene["layout"] == number)

    assert drawn(1)
    page.hello()  # the same page again
    assert drawn(1)
    page.hello(width=400)
    assert drawn(2)
    page.hello(width=400, density=2)
    assert drawn(3)
    page.hello(width=400, density=2, theme="dark")
    assert drawn(4)
    live.figure.axes[0].set_ylim(0, 3)
    assert drawn(5)
    live.redraw()
    assert drawn(6)
    assert drawn(6)


def test_the_theme_colours_roles_and_default_black(make_live: Any, make_page: Any) -> None:
    figure = make_figure()
    ax = figure.axes[0]
    style.role(ax.lines[0], "you")
    ax.set_xlabel("step")
    live = make_live(figure)
    page = make_page(live)
    page.hello(theme="dark")
    assert live.scene["artists"][0]["colour"] == "rgba(77,163,245,1)"
    assert ax.xaxis.label.get_color() == style.DARK.text
    assert ax.spines["left"].get_edgecolor() == matplotlib.colors.to_rgba(style.DARK.text)
    page.hello(theme="light")
    assert live.scene["artists"][0]["colour"] == "rgba(23,105,194,1)"
    assert ax.xaxis.label.get_color() == style.LIGHT.text


def test_two_views_and_one_that_dies(make_live: Any, make_page: Any, clock: Any) -> None:
    live = make_live()
    one = make_page(live, "one")
    two = make_page(live, "two")
    one.hello(visible=True)
    two.hello(visible=False)
    told: list[bool] = []
    live.on_view(told.append)
    for _ in range(100):  # "one" is never heard of again
        clock.now += 0.1
        live.figure.axes[0].lines[0].set_data([0, 100], [0, clock.now % 1])
        live.update()
        two.paint(visible=False)
    assert live._group.flow.number == 102
    assert not live.visible
    assert told == [False]


def test_taken_off_the_page(make_live: Any, make_page: Any, clock: Any) -> None:
    live = make_live()
    page = make_page(live)
    told: list[bool] = []
    live.on_view(told.append)
    page.hello()
    page.tell("gone")
    page.frames()
    clock.now += 1
    live.update()
    assert page.frames() == []
    assert told == [True, False]
    clock.now += 58
    assert live.watching  # the page may only be loading again
    clock.now += 2
    assert not live.watching


def test_a_page_at_rest_brings_back_a_lost_frame(
    make_live: Any, make_page: Any, clock: Any
) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    page.paint()
    clock.now += 0.1
    live.figure.axes[0].lines[0].set_data([0, 100], [0, 0.5])
    live.update()  # this frame is lost
    page.frames()
    clock.now += 1.5
    page.paint(1)
    assert len(page.frames()) == 1
    assert live._group.flow.number == 3
    page.paint()
    clock.now += 1.5
    page.paint(3)
    assert page.frames() == []  # nothing was lost: a picture at rest is silent


def test_a_lost_scene_is_sent_again_when_the_page_asks(make_live: Any, make_page: Any) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    page.comm.sent.clear()
    page.hello(scene=0)  # it never came
    assert [sorted(state) for state in page.comm.sent] == [["frame"], ["background", "scene"]]
    page.comm.sent.clear()
    page.hello()
    assert [sorted(state) for state in page.comm.sent] == [["frame"]]


def test_an_error_while_a_held_back_frame_is_drawn_is_shown(
    make_live: Any, make_page: Any, clock: Any
) -> None:
    broken: list[str] = []

    def draw() -> None:
        if broken:
            raise RuntimeError(broken[0])

    live = make_live(make_figure(), draw=draw)
    page = make_page(live)
    page.hello()
    clock.now += 1
    broken.append("no data")
    live.due = True
    page.paint()
    assert live.problem == "RuntimeError: no data"
    broken.clear()
    page.paint()
    assert live.problem == ""


def test_a_figure_that_looks_the_same_is_not_sent(
    make_live: Any, make_page: Any, clock: Any
) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    page.paint()
    page.frames()
    clock.now += 1
    live.update()
    assert page.frames() == []
    assert not live.due


def test_figures_of_a_group_share_messages(make_live: Any, clock: Any) -> None:
    group = Group(clock)
    lives = [make_live(make_figure(), group=group) for _ in range(3)]
    sent = group.comm.sent
    for live in lives:
        hello = {"width": 300, "density": 1, "theme": "light", "visible": True, "scene": 0}
        live.comm.receive({"kind": "view", "view": f"{live.place}", **hello})
    views = [[live.place, f"{live.place}", True] for live in lives]

    def paint(*had: int) -> None:
        group.comm.receive({"number": max(had), "held": 0.0, "had": had, "views": views})

    def change(*places: int) -> None:
        clock.now += 0.1
        for place in places:
            lives[place].figure.axes[0].lines[0].set_data([0, 100], [0, clock.now % 1])
        group.update(lives[place] for place in places)

    assert group.flow.number == 3
    paint(1, 2, 3)
    sent.clear()
    change(0, 1, 2)
    assert [list(state["frames"]) for state in sent] == [[0, 1, 2]]
    paint(4, 4, 4)
    sent.clear()
    change(0, 2)  # number 5, which is lost
    change(0)  # number 6, which comes
    sent.clear()
    clock.now += 0.1
    paint(6, 4, 4)  # the page has had nothing of 5
    assert [list(state["frames"]) for state in sent] == [[2]]
    sent.clear()
    paint(6, 4, 7)
    clock.now += 2
    paint(6, 4, 7)
    assert sent == []
    group.close()


def test_dragging(make_live: Any, make_page: Any, clock: Any, decode: Any) -> None:
    figure = Figure()
    ax = figure.add_subplot(xlim=(-4, 4), ylim=(-4, 4))
    (point,) = ax.plot([3], [2], "o", animated=True)
    live = make_live(figure)
    dragged: list[tuple[float, float, bool]] = []
    live.draggable(
        point, lambda *drag: dragged.append(drag), bounds=((-1, 3.5), (-1, 1)), label="start"
    )
    page = make_page(live)
    page.hello()
    assert live.scene["handles"] == [
        {"id": 0, "artist": 0, "label": "start", "bounds": ((-1, 3.5), (-1, 1))}
    ]
    clock.now += 0.1
    page.paint()
    page.frames()
    page.tell("drag", handle=0, x=2.0, y=7.0, done=False, id=77)
    assert dragged == [(2.0, 1.0, False)]
    (frame,) = page.frames()
    assert decode(frame, live.scene)["answered"] == 77
    np.testing.assert_allclose(
        decode(frame, live.scene)["blocks"][0]["points"], [[0.75, 0.625]], atol=1e-6
    )


def test_what_cannot_be_dragged(make_live: Any) -> None:
    figure = Figure()
    ax = figure.add_subplot(xscale="symlog")
    still, moving = ax.plot([1], [1], "o")[0], ax.plot([1], [1], "o", animated=True)[0]
    live = make_live(figure)
    with pytest.raises(TypeError, match="animated=True"):
        live.draggable(still, print)
    with pytest.raises(ValueError, match="linear and log axes"):
        live.draggable(moving, print)


def test_clicks(make_live: Any, make_page: Any) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    assert live.scene["clicks"] is False
    clicked: list[tuple[int, float, float]] = []
    live.on_click(lambda *click: clicked.append(click))
    page.hello()
    assert live.scene["clicks"] is True
    page.tell("click", axes=0, x=1.5, y=0.5)
    assert clicked == [(0, 1.5, 0.5)]


def test_an_error_in_a_callback_is_shown_until_it_works_again(
    make_live: Any, make_page: Any
) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()

    def callback(axes: int, x: float, y: float) -> None:
        if x < 0:
            raise RuntimeError("<b>x</b> is negative")

    live.on_click(callback)
    page.tell("click", axes=0, x=-1, y=0)
    assert live.problem == "RuntimeError: <b>x</b> is negative"
    assert isinstance(live.error, RuntimeError)
    page.paint()
    assert live.problem != ""
    page.tell("click", axes=0, x=1, y=0)
    assert live.problem == ""


def test_beside_the_view_stand_a_picture_and_words(make_live: Any) -> None:
    live = make_live(label="loss <b>")
    live.say("Step 240: 70 % right.")
    data, metadata = live._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert data["text/plain"] == "loss <b>: Step 240: 70 % right."
    assert metadata["image/png"]["width"] == 848


def test_the_static_picture_is_light_on_white_and_1696_wide(make_live: Any, make_page: Any) -> None:
    figure = make_figure()
    style.role(figure.axes[0].lines[0], "you").set_data([0, 100], [0.5, 0.5])
    live = make_live(figure, height=150)
    page = make_page(live)
    page.hello(theme="dark")
    before = live.frame[12:], live.scene
    pixels = _read_png(live.png())
    assert pixels.shape == (300, 1696, 4)
    np.testing.assert_array_equal(pixels[0, 0], [255, 255, 255, 255])
    assert (pixels == [23, 105, 194, 255]).all(axis=2).any()
    live.flush()  # nothing of it is seen on the page
    assert (live.frame[12:], live.scene) == before


def _read_png(png: bytes) -> np.ndarray:
    import io

    from matplotlib.image import imread

    return np.round(imread(io.BytesIO(png)) * 255).astype(int)


def test_the_background_has_no_moving_part_and_no_ground(make_live: Any, make_page: Any) -> None:
    figure = Figure()
    ax = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()
    ax.plot([0, 1], [0, 1], animated=True)
    ax.imshow([[0.0, 1.0]], animated=True, extent=(0, 1, 0, 1), aspect="auto")
    live = make_live(figure)
    make_page(live).hello()
    assert _read_png(live.background)[:, :, 3].max() == 0
    assert ax.images[0].get_visible()


def test_repr_is_stable(make_live: Any) -> None:
    assert repr(make_live()) == "LiveFigure('loss per sample', height=200)"


def test_rc_params_stay_as_they_are(make_live: Any, make_page: Any) -> None:
    before = dict(matplotlib.rcParams)
    live = make_live()
    make_page(live).hello(theme="dark")
    live.png()
    assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_imported() -> None:
    import subprocess
    import sys

    code = "import sys, interactive_training.live; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_close_leaves_nothing_behind(make_page: Any) -> None:
    figure = make_figure()
    live = LiveFigure(figure)
    page = make_page(live)
    page.hello()
    live.on_click(page.hello)  # a callback that holds the figure
    comm, layout = live.comm, live.layout
    threads = set(threading.enumerate())
    live.close()
    live.close()
    live.update()
    assert comm.closed
    assert layout.comm is None
    assert set(threading.enumerate()) <= threads
    left = [weakref.ref(live), weakref.ref(figure)]
    del live, page, figure, comm, layout
    gc.collect()
    assert [ref() for ref in left] == [None, None]


def test_many_threads(make_live: Any, make_page: Any, clock: Any, decode: Any) -> None:
    live = make_live()
    page = make_page(live)
    page.hello()
    (line,) = live.figure.axes[0].lines
    failures: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            for i in range(300):
                line.set_data(np.arange(i % 7), np.arange(i % 7))  # without the lock: torn at worst
                live.update()
                clock.now += 0.01
        except BaseException as error:
            failures.append(error)

    def browse() -> None:
        themes = ["light", "dark"]
        while not stop.is_set():
            page.paint()
            page.hello(
                theme=themes[live._group.flow.number % 2], width=300 + live._group.flow.number % 9
            )

    worker, browser = threading.Thread(target=work), threading.Thread(target=browse)
    worker.start()
    browser.start()
    worker.join()
    stop.set()
    browser.join()
    assert failures == []
    assert live.problem == ""
    states: dict[str, Any] = {}
    for state in page.comm.sent:
        states.update(state)
        if "frame" in state:
            decode(state["frame"], states["scene"])  # every frame fits the scene it came with
    live.flush()
    assert len(decode(live.frame, live.scene)["blocks"][0]["points"]) == 299 % 7


def test_an_answer_that_speaks_of_a_figure_before_its_first_view(
    clock: Any, make_live: Any, make_page: Any
) -> None:
    """The page answers for all its views, and one of them may not have said its size yet."""
    group = Group(clock)
    first, second = make_live(group=group), make_live(group=group)
    page = make_page(first)
    page.hello()
    second.update()
    views = [[0, page.name, True], [1, "other", True]]
    page.group.receive({"number": group.flow.number, "held": 0.0, "had": [1, 0], "views": views})
    assert first.problem == second.problem == ""
    assert second.frame == b""
    make_page(second, "other").hello()
    assert second.frame != b""
