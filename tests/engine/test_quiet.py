"""A quiet thread's prints are counted, every other thread's are shown."""

from __future__ import annotations

import sys
import threading

import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task
from interactive_training.engine.quiet import Unheard, quiet
from interactive_training.engine.session import Session


def test_only_the_thread_that_asks_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    stream, unheard, inner = sys.stdout, Unheard(), Unheard()
    with quiet(unheard):
        print("not shown\nnor this")
        other = threading.Thread(target=print, args=("shown",))
        other.start()
        other.join()
        with quiet(inner):
            print("nor here")
        print("nor here")
    print("shown again")
    assert capsys.readouterr().out == "shown\nshown again\n"
    assert (unheard.lines, inner.lines) == (3, 1)
    assert sys.stdout is stream


def test_an_error_ends_the_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="out"), quiet(Unheard()):
        raise ValueError("out")
    print("shown")
    assert capsys.readouterr().out == "shown\n"


class Chatty(nn.Linear):
    """Prints two lines at every call."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("one\ntwo")
        return super().forward(x)


def test_a_worker_is_quiet_and_a_cell_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = torch.zeros(8, 4)
    task = Task.of(Chatty(4, 2), inputs, torch.zeros(8, dtype=torch.long), batch_size=4)
    session = Session(Run(task, Recipe(lr=0.1)))
    capsys.readouterr()
    session.advance(3)
    assert capsys.readouterr().out == "one\ntwo\n" * 3
    done = threading.Event()
    session._show = lambda: done.set() if session.run.index >= 8 else None
    session.start()
    session.put("pace", "full")
    session.put("play", 8)
    assert done.wait(10)
    session.stop()
    assert capsys.readouterr().out == ""
    assert session.unheard.lines == 2 * 5
