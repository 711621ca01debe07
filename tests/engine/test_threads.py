"""A small network trains in one thread, and nobody else notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task
from interactive_training.engine import threads
from interactive_training.engine.session import Session


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_small_network_has_one_thread_while_it_trains() -> None:
    seen: list[int] = []
    session = Session(Run("moons", Recipe()), show=lambda: seen.append(torch.get_num_threads()))
    session.advance(1)
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2

    seen.clear()
    shown = threading.Event()
    session._show = lambda: (seen.append(torch.get_num_threads()), shown.set())
    session.start()
    session.put("play", 3)
    assert shown.wait(10)
    session.stop()
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2


def test_a_large_one_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SMALL", 10)
    task = Task.of(nn.Linear(4, 3), torch.rand(8, 4), torch.zeros(8, dtype=torch.long))
    assert threads.threads_for(Run(task, Recipe(batch_size=4))) == 2
