"""A small network trains in one thread, and nobody else notices."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task, source
from interactive_training.engine import threads
from interactive_training.engine.prove import prove
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
    run = Run(task, Recipe(batch_size=4))
    assert threads.threads_for(run) is None
    with threads.threads_of(run):
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("change", [{}, {"lr": 0.02}])
def test_the_script_of_a_session_rounds_as_the_session_did(
    tmp_path: Path, change: dict[str, float]
) -> None:
    session = Session(Run("digits", Recipe(lr=0.05), seed=1))
    session.advance(200)
    if change:
        session.put("change", change)
        session.advance(40)
    proof = prove(session.run, session.history.column("loss").tolist())
    assert proof.holds
    assert proof.total == (40 if change else 200)
    if not change:  # and so for a learner who runs it where torch takes two threads
        script = tmp_path / "train.py"
        script.write_text(source(session.run))
        env = os.environ | {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
        printed = subprocess.check_output([sys.executable, script], env=env, text=True)
        losses = [float(line.split()[-1]) for line in printed.splitlines()]
        assert losses == session.history.column("loss").tolist()
