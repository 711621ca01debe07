"""A page without a browser: it keeps what the kernel sends and answers as figure.js does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import comm
import numpy as np
import pytest
from matplotlib.figure import Figure

from interactive_training.live import LiveFigure

ACK_DELAY = 0.036


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeComm:
    """Keeps messages instead of sending them."""

    kernel = "a kernel"

    def __init__(self, **opened: Any) -> None:
        self.comm_id = opened["comm_id"] if "comm_id" in opened else f"comm-{id(self)}"
        self.sent: list[dict[str, Any]] = []
        self.closed = False

    def send(self, data: dict[str, Any], buffers: list[Any] | None = None) -> None:
        state = dict(data.get("state", {}))
        if data["method"] == "custom":  # of a group
            frames = dict(zip(data["content"]["places"], buffers or [], strict=True))
            state = {"frame": frames[0]} if list(frames) == [0] else {"frames": frames}
        else:
            for path, buffer in zip(data.get("buffer_paths", []), buffers or [], strict=True):
                state[path[0]] = bytes(buffer)
        self.sent.append(state)

    def on_msg(self, callback: Any) -> None:
        self.callback = callback

    def close(self) -> None:
        self.closed = True

    def receive(self, content: dict[str, Any]) -> None:
        data = {"method": "custom", "content": content}
        self.callback({"content": {"data": data}, "buffers": []})


class Page:
    """A page that shows one figure; frames are decoded, and answered when a test says so."""

    def __init__(self, live: LiveFigure, name: str = "page") -> None:
        self.live = live
        self.name = name
        self.comm: FakeComm = live.comm
        self.group: FakeComm = live._group.comm
        self.group.sent = self.comm.sent  # as on a page, one after the other
        self.comm.sent.clear()

    def hello(self, **changed: Any) -> None:
        page = {"width": 516, "density": 1, "theme": "light", "visible": True}
        page |= {"scene": self.live.scene.get("version", 0), **changed}
        self.comm.receive({"kind": "view", "view": self.name, **page})

    def paint(self, number: int | None = None, visible: bool = True) -> None:
        number = self.live._group.flow.number if number is None else number
        views = [[0, self.name, visible]]
        self.group.receive({"number": number, "held": 0.0, "had": [number], "views": views})

    def tell(self, kind: str, **content: Any) -> None:
        self.comm.receive({"kind": kind, "view": self.name, **content})

    def frames(self) -> list[bytes]:
        """Take the frames that came since the last call."""
        frames = [state["frame"] for state in self.comm.sent if "frame" in state]
        self.comm.sent.clear()
        return frames


@pytest.fixture(autouse=True)
def fake_comm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", FakeComm)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_live(clock: Clock) -> Iterator[Callable[..., LiveFigure]]:
    made: list[LiveFigure] = []

    def make(figure: Figure | None = None, **options: Any) -> LiveFigure:
        if figure is None:
            figure = Figure()
            figure.add_subplot(xlim=(0, 100), ylim=(0, 1)).plot([0, 1], [0, 1], animated=True)
        made.append(LiveFigure(figure, clock=clock, **options))
        return made[-1]

    yield make
    for live in made:
        live.close()


@pytest.fixture
def make_page() -> type[Page]:
    return Page


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def whole(self) -> int:
        (value,) = struct.unpack_from("<I", self.data, self.at)
        self.at += 4
        return int(value)

    def floats(self, count: int) -> np.ndarray:
        found = np.frombuffer(self.data, "<f4", count, self.at)
        self.at += 4 * count
        return found

    def bytes(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        self.at += 4 * -(-count // 4)
        return found

    def list(self, size: int) -> np.ndarray:
        return self.floats(self.whole() * size).reshape(-1, size)

    def colours(self) -> np.ndarray:
        count = self.whole()
        return np.frombuffer(self.bytes(4 * count), np.uint8).reshape(-1, 4)


def _image(reader: Reader, style: dict[str, Any]) -> dict[str, Any]:
    rows, columns, corners = reader.whole(), reader.whole(), reader.floats(4)
    shape = (rows, columns) if style["palette"] else (rows, columns, 4)
    cells = np.frombuffer(reader.bytes(int(np.prod(shape))), np.uint8).reshape(shape)
    return {"corners": corners, "cells": cells}


READ: dict[str, Callable[[Reader, dict[str, Any]], dict[str, Any]]] = {
    "line": lambda r, _: {"points": r.list(2), "marked": r.list(2)},
    "points": lambda r, _: {
        "points": r.list(2),
        "sizes": r.list(1)[:, 0],
        "faces": r.colours(),
        "edges": r.colours(),
    },
    "shapes": lambda r, _: {"points": r.list(2), "faces": r.colours(), "edges": r.colours()},
    "bars": lambda r, _: {"bars": r.list(5), "faces": r.colours(), "edges": r.colours()},
    "image": _image,
    "text": lambda r, _: {"at": r.floats(2), "letters": r.bytes(r.whole()).decode()},
}


def decode_frame(frame: bytes, scene: dict[str, Any]) -> dict[str, Any]:
    """Read a frame in the order in which figure.js does."""
    reader = Reader(frame)
    number, version, answered = reader.whole(), reader.whole(), reader.whole()
    assert version == scene["version"]
    blocks = [READ[style["kind"]](reader, style) for style in scene["artists"]]
    assert reader.at == len(frame)
    return {"number": number, "answered": answered, "blocks": blocks}


@pytest.fixture
def decode() -> Callable[[bytes, dict[str, Any]], dict[str, Any]]:
    return decode_frame
