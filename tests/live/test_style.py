"""Palettes, roles and lanes."""

from __future__ import annotations

import pytest
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure

from interactive_training.figures import style

LOOK_LIGHT = """ground #FFFFFF text #1F2328 muted #5A6370 grid #E6E8EB ghost #8A929C you #1769C2
twin #C24A00 third #128060 fourth #5A1246 failed #B3261E passed #1B7A3D changed #FFF3C4"""
LOOK_DARK = """ground #111111 text #E6E8EB muted #A7AFB8 grid #2A2E33 ghost #757D87 you #4DA3F5
twin #F08A3C third #58E0B5 fourth #F7D9F0 failed #FF8A80 passed #66D08A changed #4A3F14"""


@pytest.mark.parametrize(("theme", "table"), [(style.LIGHT, LOOK_LIGHT), (style.DARK, LOOK_DARK)])
def test_the_style_guide_colours(theme: style.Theme, table: str) -> None:
    words = table.split()
    for name, colour in zip(words[::2], words[1::2], strict=True):
        assert getattr(theme, name) == colour


def luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("theme", "least"), [(style.LIGHT, 4.9), (style.DARK, 7.05)])
def test_lanes_can_be_read(theme: style.Theme, least: float) -> None:
    for name in ("you", "twin", "third", "fourth"):
        assert contrast(getattr(theme, name), theme.ground) >= least
    assert contrast(theme.ghost, theme.ground) >= 3.1


def test_roles_survive_both_themes() -> None:
    figure = Figure()
    ax = style.article(figure.add_subplot(), "loss")
    line = style.lane(ax.plot([0, 1], [0, 1])[0], "twin")
    own = ax.plot([0, 1], [1, 0], color="magenta")[0]
    for theme in (style.DARK, style.LIGHT, style.DARK):
        style.apply(figure, theme)
        assert same_color(line.get_color(), theme.twin)
        assert same_color(line.get_markerfacecolor(), theme.twin)
        assert same_color(ax.yaxis.get_gridlines()[0].get_color(), theme.grid)
        assert same_color(ax.xaxis.get_ticklabels()[0].get_color(), theme.muted)
        assert same_color(own.get_color(), "magenta")


def test_a_role_given_on_a_dark_page_is_dark_at_once() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    style.apply(figure, style.DARK)
    assert same_color(style.role(ax.plot([0], [0])[0], "you").get_color(), style.DARK.you)


def test_hollow_stays_hollow() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    line = style.role(ax.plot([0], [0], "o", markerfacecolor="none")[0], "ghost")
    scatter = style.role(ax.scatter([0], [0], facecolors="none", edgecolors="red"), "ghost")
    style.apply(figure, style.DARK)
    assert line.get_markerfacecolor() == "none"
    assert len(scatter.get_facecolor()) == 0
    assert same_color(scatter.get_edgecolor()[0], style.DARK.ghost)


def test_dashes_are_pixels() -> None:
    line = style.lane(Figure().add_subplot().plot([0], [0])[0], "twin")
    assert line._dash_pattern[1] == pytest.approx([7, 3])


def test_unknown_names_are_refused() -> None:
    line = Figure().add_subplot().plot([0], [0])[0]
    with pytest.raises(ValueError, match="choose one of ground, text"):
        style.role(line, "blue")
    with pytest.raises(ValueError, match="choose one of you, twin"):
        style.lane(line, "fifth")


def test_margins_are_the_same_pixels_at_every_width() -> None:
    figure = Figure(layout=style.Margins(left=40, right=60, top=20, bottom=30), dpi=144)
    ax = figure.add_subplot()
    for width in (400, 1000):
        figure.set_size_inches(width / 72, 200 / 72)
        figure.draw_without_rendering()
        box = ax.get_position()
        assert box.x0 * width == pytest.approx(40)
        assert (1 - box.x1) * width == pytest.approx(60)
        assert box.y0 * 200 == pytest.approx(30)
    figure.set_size_inches(0.5, 0.2)
    figure.draw_without_rendering()  # too small for its margins, and no error
