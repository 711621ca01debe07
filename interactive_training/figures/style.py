"""How every figure looks: two palettes, the lanes of runs, and axes drawn like an article's.

Colours are given to artists as *roles* ("you", "ghost", "grid", ...), never as values, so that one
call of `apply` can turn a figure from the light theme to the dark one. A role is kept as the
artist's gid (``"role:you"``), which is matplotlib's own place for such a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.colors import LinearSegmentedColormap, same_color, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import LayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text

A = TypeVar("A", bound=Artist)


@dataclass(frozen=True)
class Theme:
    """Named colours of one theme, as "#RRGGBB".

    Notice: a colour means a run, never a quantity. Blue is yours, grey is before, orange the twin.
    """

    name: str
    ground: str
    text: str
    muted: str
    grid: str
    ghost: str
    you: str
    twin: str
    third: str
    fourth: str
    failed: str
    passed: str
    changed: str
    fill_low: str
    fill_high: str


LIGHT = Theme(
    name="light",
    ground="#FFFFFF",
    text="#1F2328",
    muted="#5A6370",
    grid="#E6E8EB",
    ghost="#8A929C",
    you="#1769C2",
    twin="#C24A00",
    third="#128060",
    fourth="#5A1246",
    failed="#B3261E",
    passed="#1B7A3D",
    changed="#FFF3C4",
    fill_low="#F4F7FA",
    fill_high="#C3D2E2",
)
DARK = Theme(
    name="dark",
    ground="#111111",
    text="#E6E8EB",
    muted="#A7AFB8",
    grid="#2A2E33",
    ghost="#757D87",
    you="#4DA3F5",
    twin="#F08A3C",
    third="#58E0B5",
    fourth="#F7D9F0",
    failed="#FF8A80",
    passed="#66D08A",
    changed="#4A3F14",
    fill_low="#15191E",
    fill_high="#34485C",
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
ROLES = tuple(name for name in Theme.__dataclass_fields__ if name != "name")


@dataclass(frozen=True)
class Lane:
    """How the line of one run is drawn: width and dashes in pixels, and its marker."""

    width: float
    dash: tuple[float, ...]
    marker: str


LANES = {
    "you": Lane(2.2, (), "o"),
    "twin": Lane(2.0, (7, 3), "s"),
    "third": Lane(2.0, (1.5, 3), "^"),
    "fourth": Lane(2.0, (9, 3, 1.5, 3), "D"),
    "ghost": Lane(1.6, (4, 3), ""),
}
# One point is one CSS pixel in a live figure, so these are pixels on the screen.
LABEL_SIZE = 12
TITLE_PAD = 8  # pixels between an axes and what is written above it
TICK_SIZE = 11
_MARK_SPACING = 0.14  # of the axes' diagonal: about 60 px in a panel of 400 x 150
_PREFIX = "role:"
_THEME_PREFIX = "theme:"


def role(artist: A, name: str) -> A:
    """Give `artist` the colour that the theme has for `name`, now and after every change of theme.

    Parameters: `name` is one of `ROLES`, such as "you", "ghost", "twin", "muted", "text", "grid".
    Returns the artist, so that it can be wrapped around the call that makes it. Raises ValueError
    for an unknown name.
    """
    if name not in ROLES:
        raise ValueError(f"There is no colour role {name!r}; choose one of {', '.join(ROLES)}.")
    artist.set_gid(_PREFIX + name)
    _paint(artist, getattr(_theme_of(artist), name))
    return artist


def lane(line: Line2D, name: str) -> Line2D:
    """Draw `line` as the run `name`: its colour, width, dashes and markers.

    Parameters: `name` is one of `LANES`: "you", "twin", "third", "fourth" or "ghost". Returns the
    line. Raises ValueError for an unknown name. Notice: dashes and markers say the same as the
    colour, for those who cannot tell the colours apart.
    """
    if name not in LANES:
        raise ValueError(f"There is no lane {name!r}; choose one of {', '.join(LANES)}.")
    look = LANES[name]
    line.set_linewidth(look.width)
    # matplotlib multiplies dashes by the line's width; ours are pixels.
    line.set_linestyle((0, tuple(d / look.width for d in look.dash)) if look.dash else "-")
    line.set_dash_capstyle("butt")
    line.set_solid_capstyle("round")
    line.set_marker(look.marker)
    line.set_markersize(5)
    line.set_markevery(_MARK_SPACING)
    if name == "ghost":
        line.set_zorder(1.5)  # drawn first, under every run
    return role(line, name)


def article(ax: Axes, label: str = "") -> Axes:
    """Draw `ax` as in a printed article: quiet axes, a horizontal grid, no title.

    Parameters: `label` names the y axis with its unit, "(log)" included where it is one; it stands
    above the top left corner, where it is read without turning the head; `name_x` names the other
    axis. Returns the axes.
    """
    ax.spines[["top", "right", "left"]].set_visible(False)
    role(ax.spines["bottom"], "ghost").set_linewidth(1.0)
    ax.grid(True, axis="y", linewidth=0.8)
    ax.set_axisbelow(True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_gid(_PREFIX + "muted")
        axis.set_tick_params(which="both", length=0, labelsize=TICK_SIZE, pad=4)
        _paint_axis(axis, _theme_of(ax))
        # Axis labels and title have their places: to find them matplotlib would lay out all the
        # tick labels twice more.
        axis.set_label_coords(0, 0)
    role(ax.set_title(label, loc="left", fontsize=LABEL_SIZE, y=1.0, pad=TITLE_PAD), "text")
    return ax


def name_x(ax: Axes, words: str, offset: tuple[float, float] = (14, -4)) -> None:
    """Name the x axis at its right end: in the gutter, or `offset` pixels to the right and up."""
    name = ax.annotate(
        words,
        (1, 0),
        xycoords="axes fraction",
        xytext=offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        va="top",
        fontsize=LABEL_SIZE,
    )
    role(name, "muted")


class Margins(LayoutEngine):
    """Margins of a figure in pixels, the same at every width: ``Figure(layout=Margins())``.

    Parameters: pixels left for tick labels, right for line labels (their gutter), above and below.
    """

    _adjust_compatible = True
    _colorbar_gridspec = True

    def __init__(
        self, left: float = 44, right: float = 76, top: float = 28, bottom: float = 24
    ) -> None:
        super().__init__()
        self._params = {"left": left, "right": right, "top": top, "bottom": bottom}

    def set(self, **margins: float) -> None:
        """Change margins by name: left, right, top, bottom, in pixels."""
        self._params.update(margins)

    def scale(self, factor: float) -> None:
        """Make every margin wider by `factor`."""
        self._params = {name: float(edge) * factor for name, edge in self._params.items()}

    def execute(self, fig: Figure) -> None:
        """Place the axes of `fig`; matplotlib calls this before it draws."""
        width, height = fig.get_size_inches() * 72
        edge = self._params
        left, bottom = edge["left"] / width, edge["bottom"] / height
        fig.subplots_adjust(
            left=left,
            bottom=bottom,
            # A figure too small for its margins keeps a sliver of axes instead of failing.
            right=max(1 - edge["right"] / width, left + 0.01),
            top=max(1 - edge["top"] / height, bottom + 0.01),
        )


def enlarge(figure: Figure, factor: float) -> None:
    """Make texts, lines and markers of `figure` larger by `factor`, for the last row of a room.

    No text stays smaller than a label is then.
    """
    for artist in _artists(figure):
        if isinstance(artist, Text):
            artist.set_fontsize(max(float(artist.get_fontsize()), LABEL_SIZE) * factor)
            if isinstance(artist, Annotation):
                right, up = artist.xyann
                artist.xyann = (factor * right, factor * up)
        elif isinstance(artist, Line2D):
            artist.set_linewidth(artist.get_linewidth() * factor)
            artist.set_markersize(float(artist.get_markersize()) * factor)
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_tick_params(labelsize=LABEL_SIZE * factor)
    layout = figure.get_layout_engine()
    if isinstance(layout, Margins):
        layout.scale(factor)


def apply(figure: Figure, theme: Theme) -> None:
    """Colour every artist of `figure` that has a role with the colours of `theme`.

    Parameters: `theme` is `LIGHT` or `DARK`. What was drawn without a role in matplotlib's own
    black on white (text, spines, ticks, grounds) is given one first, so that any figure can be
    read on a dark page; every other colour is left as it is.
    """
    figure.set_gid(_THEME_PREFIX + theme.name)
    figure.patch.set_facecolor("none")
    for ax in figure.axes:
        _adopt_axes(ax)
        for axis in (ax.xaxis, ax.yaxis):
            _paint_axis(axis, theme)
    for artist in _artists(figure):
        if isinstance(artist, Text) and artist.get_gid() is None and _is(artist, "black"):
            artist.set_gid(_PREFIX + "text")
        name = role_of(artist)
        if name:
            _paint(artist, getattr(theme, name))


STILL = "A still picture: run its cell to steer."


def still(ax: Axes) -> None:
    """Say at the top right of axes in a picture that stands in for a lab how to get the lab."""
    role(ax.set_title(STILL, loc="right", fontsize=LABEL_SIZE, y=1.0, pad=TITLE_PAD), "muted")


def role_of(artist: Artist) -> str | None:
    """Return the role given to `artist`, or None."""
    gid = artist.get_gid()
    return gid[len(_PREFIX) :] if gid and gid.startswith(_PREFIX) else None


def _theme_of(artist: Artist) -> Theme:
    """The theme last applied to the figure that `artist` is in, at first the light one."""
    figure = artist.get_figure(root=True)
    name = (figure.get_gid() or "") if figure is not None else ""
    return THEMES.get(name.removeprefix(_THEME_PREFIX), LIGHT)


def _artists(figure: Figure) -> Iterable[Artist]:
    """Everything that is drawn, except ticks: matplotlib makes those anew as limits change."""
    stack: list[Artist] = list(figure.get_children())
    while stack:
        artist = stack.pop()
        yield artist
        if isinstance(artist, Axis):
            stack += [artist.label, artist.get_offset_text()]
        else:
            stack += artist.get_children()


def _adopt_axes(ax: Axes) -> None:
    """Give roles to the parts of `ax` that still have matplotlib's default colours."""
    if ax.patch.get_gid() is None and same_color(ax.patch.get_facecolor(), "white"):
        ax.patch.set_facecolor("none")
    for spine in ax.spines.values():
        if spine.get_gid() is None and same_color(spine.get_edgecolor(), "black"):
            spine.set_gid(_PREFIX + "text")
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_gid() is None and not {"color", "labelcolor"} & axis.get_tick_params().keys():
            axis.set_gid(_PREFIX + "text")


def _paint_axis(axis: Axis, theme: Theme) -> None:
    """Colour ticks, their labels and the grid through the axis, for ticks still to be made too."""
    name = role_of(axis)
    if name:
        colour = getattr(theme, name)
        axis.set_tick_params(which="both", color=colour, labelcolor=colour, grid_color=theme.grid)


def _paint(artist: Artist, colour: str) -> None:
    """Give `artist` one colour, in the way its class takes it."""
    if isinstance(artist, AxesImage):
        # Ink on the page's own ground: what is 0 in the image lets the page through.
        red, green, blue = to_rgb(colour)
        ink = [(red, green, blue, opacity) for opacity in (0.0, 1.0)]
        artist.set_cmap(LinearSegmentedColormap.from_list("ink", ink))
    elif isinstance(artist, Line2D):
        hollow = artist.get_markerfacecolor() == "none"
        artist.set_color(colour)
        artist.set_markeredgecolor(colour)
        artist.set_markerfacecolor("none" if hollow else colour)
    elif isinstance(artist, Text):
        artist.set_color(colour)
    elif isinstance(artist, Spine):
        artist.set_edgecolor(colour)
    elif isinstance(artist, Patch | Collection):
        # What is drawn hollow stays hollow.
        if artist.get_fill() if isinstance(artist, Patch) else len(artist.get_facecolor()):
            artist.set_facecolor(colour)
        artist.set_edgecolor(colour)


def _is(text: Text, colour: str) -> bool:
    return bool(same_color(text.get_color(), colour))


__all__ = [
    "DARK",
    "LABEL_SIZE",
    "LANES",
    "LIGHT",
    "ROLES",
    "THEMES",
    "TICK_SIZE",
    "Lane",
    "Margins",
    "Theme",
    "apply",
    "article",
    "enlarge",
    "lane",
    "name_x",
    "role",
    "role_of",
]
