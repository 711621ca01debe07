"""One frame: the data of every moving artist in one small buffer, and the scene that explains it.

A frame is little-endian. Its header is three uint32: the number of the frame, the version of the
scene it belongs to, and the number of the last drag that was answered. Then comes one block for
each artist of the scene, in its order (see artists.py). A frame is whole: it needs no other one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import methodcaller
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.quiver import Barbs, Quiver
from matplotlib.text import Annotation, Text

from interactive_training.live import artists
from interactive_training.live.artists import Place, Style

HEADER = struct.Struct("<3I")


@dataclass(frozen=True)
class Kind:
    """How one class of artist travels, and the block that stands for an invisible one."""

    style: Callable[[Any], Style]
    block: Callable[[Any, Place], list[bytes]]
    nothing: bytes


# The first class that fits counts.
_KINDS: tuple[tuple[type[Artist], Kind], ...] = (
    (Line2D, Kind(artists.line_style, artists.line_block, bytes(8))),
    (PathCollection, Kind(artists.points_style, artists.points_block, bytes(16))),
    (LineCollection, Kind(artists.shapes_style, artists.shapes_block, bytes(12))),
    (PolyCollection, Kind(artists.shapes_style, artists.shapes_block, bytes(12))),
    (Rectangle, Kind(artists.bars_style, artists.bars_block, bytes(12))),
    (AxesImage, Kind(artists.image_style, artists.image_block, bytes(24))),
    (Text, Kind(artists.text_style, artists.text_block, bytes(12))),
)


def moving(figure: Figure) -> Iterator[tuple[int, Artist]]:
    """Yield the animated artists of `figure` with the index of their axes, lowest first."""
    for index, ax in sorted(enumerate(figure.axes), key=lambda pair: pair[1].get_zorder()):
        animated = [artist for artist in ax.get_children() if artist.get_animated()]
        for artist in sorted(animated, key=methodcaller("get_zorder")):
            yield index, artist


def check(figure: Figure) -> None:
    """Raise TypeError if an animated artist of `figure` cannot be painted in the browser."""
    for _, artist in moving(figure):
        kind_of(artist)


def kind_of(artist: Artist) -> Kind:
    """Return how `artist` travels. Raises TypeError for what cannot."""
    if isinstance(artist, Annotation) and artist.arrow_patch is not None:
        raise TypeError(
            "An animated annotation has an arrow, which is not painted: draw it as a line."
        )
    return _kind_of(type(artist))  # type: ignore[arg-type]  # a class can be hashed


@cache
def _kind_of(artist: type[Artist]) -> Kind:
    for known, kind in _KINDS:
        if issubclass(artist, known) and not issubclass(artist, Quiver | Barbs):
            return kind
    raise TypeError(
        f"A {artist.__name__} cannot move: make it without animated=True, or use a line, "
        "a scatter, rectangles, an image or a text."
    )


_UNTOLD = (Rectangle, Annotation)


class Item(NamedTuple):
    """What becomes one block: an artist, or neighbouring rectangles together."""

    axes: int
    artist: Any  # an artist, or a list of rectangles
    first: Artist
    kind: Kind

    @property
    def changed(self) -> bool:
        """Whether matplotlib would draw it anew.

        Of a list of rectangles others may be meant now, and an annotation's `xy` tells nobody.
        """
        return self.first.stale or isinstance(self.first, _UNTOLD)


def items(figure: Figure) -> list[Item]:
    """Return the moving artists of `figure` in the order they are painted."""
    found: list[Item] = []
    for index, artist in moving(figure):
        kind = kind_of(artist)
        if not isinstance(artist, Rectangle):
            found.append(Item(index, artist, artist, kind))
        elif artist.get_visible():
            if found and _neighbours(found[-1].first, artist):
                found[-1].artist.append(artist)
            else:
                found.append(Item(index, [artist], artist, kind))
    return found


def _clipped(artist: Artist) -> bool:
    """Whether `artist` ends at the edge of its axes: clipping is on and there is an edge."""
    edge = artist.get_clip_box() or artist.get_clip_path()
    return artist.get_clip_on() and edge is not None


def _neighbours(one: Artist, other: Rectangle) -> bool:
    """Whether two rectangles that follow each other can share a block."""
    return (
        isinstance(one, Rectangle)
        and one.axes is other.axes
        and one.get_data_transform() is other.get_data_transform()
        and one.get_clip_on() == other.get_clip_on()
    )


@dataclass
class Known:
    """What was packed before; a new one is due when size, limits or theme of the figure change."""

    places: dict[Axes, Place] = field(default_factory=dict)
    blocks: dict[Artist, tuple[Style, bytes]] = field(default_factory=dict)


def pack(figure: Figure, parts: Sequence[Item], known: Known) -> tuple[list[Style], list[bytes]]:
    """Return the style and the block of each of `parts`.

    Parameters: `known` is kept up to date.
    """
    places, blocks = known.places, known.blocks
    axes: list[Axes] = figure.axes
    packed: list[tuple[Style, bytes]] = []
    for part in parts:
        found = blocks.get(part.first)
        if found is None or part.changed:
            part.first.stale = False  # before it is read: a change from now on is seen next time
            ax = axes[part.axes]
            place = places.get(ax)
            if place is None:
                place = places[ax] = Place(ax)
            found = blocks[part.first] = _packed(part, place)
        packed.append(found)
    if len(blocks) > len(parts):  # artists were taken out of the figure
        for gone in blocks.keys() - {part.first for part in parts}:
            del blocks[gone]
    return [style for style, _ in packed], [block for _, block in packed]


def _packed(part: Item, place: Place) -> tuple[Style, bytes]:
    style = part.kind.style(part.artist)
    style["axes"] = part.axes
    style["clip"] = _clipped(part.first)
    if not (part.first.get_visible() and place.ax.get_visible()):
        return style, part.kind.nothing
    return style, b"".join(part.kind.block(part.artist, place))
