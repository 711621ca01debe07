"""Labs without a browser: comms that keep what is sent, and a count of all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import comm
import ipywidgets
import pytest

from interactive_training.labs import BowlLab, TrainingLab

Lab = TypeVar("Lab", TrainingLab, BowlLab)


class KeptComm:
    """Keeps messages instead of sending them."""

    kernel = "a kernel"
    sent: list[dict[str, Any]]  # of all comms together

    def __init__(self, **opened: Any) -> None:
        self.comm_id = opened.get("comm_id") or f"comm-{id(self)}"

    def send(self, data: dict[str, Any], buffers: Any = None) -> None:
        self.sent.append({**data, "to": self.comm_id, "size": sum(map(len, buffers or []))})

    def on_msg(self, callback: Any) -> None:
        self.callback = callback

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every message that any widget sends."""
    kept: list[dict[str, Any]] = []
    monkeypatch.setattr(KeptComm, "sent", kept, raising=False)
    monkeypatch.setattr(comm, "create_comm", KeptComm)
    return kept


Labs = Callable[..., TrainingLab]
Bowls = Callable[..., BowlLab]


@pytest.fixture
def make(sent: list[dict[str, Any]]) -> Iterator[Labs]:
    """Return a function that makes a TrainingLab, which is closed after the test."""
    yield from closing(TrainingLab)


@pytest.fixture
def make_bowl(sent: list[dict[str, Any]]) -> Iterator[Bowls]:
    """Return a function that makes a BowlLab, which is closed after the test."""
    yield from closing(BowlLab)


def closing(kind: Callable[..., Lab]) -> Iterator[Callable[..., Lab]]:
    """Yield a function that makes labs; afterwards they are closed and have left no thread."""
    threads = set(threading.enumerate())
    labs: list[Lab] = []

    def new(*args: Any, **kwargs: Any) -> Lab:
        labs.append(kind(*args, **kwargs))
        return labs[-1]

    yield new
    for lab in labs:
        lab.close()
    assert set(threading.enumerate()) <= threads


def widgets() -> int:
    """How many widgets are alive."""
    return len(ipywidgets.widgets.widget._instances)


def hear(lab: TrainingLab, verb: str, **message: Any) -> None:
    """What the browser would send."""
    lab.actions.receive({"verb": verb, **message})


def looked_at(lab: TrainingLab, visible: bool = True) -> None:
    """A page shows the lab's pictures, and answers no frame yet."""
    for live in lab.view.panels.figures:
        page = {"width": 516, "density": 1, "theme": "light", "visible": visible}
        live._receive(live, {"kind": "view", "view": "page", **page}, None)
