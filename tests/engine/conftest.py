"""What the engine's tests share: scripts are run outside, as a learner would run them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

SERVER = Path(__file__).with_name("script_server.py")


@pytest.fixture(scope="session")
def script_server() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SERVER), str(torch.get_num_threads())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()


@pytest.fixture
def printed(script_server: subprocess.Popen[str]) -> Callable[[Path], list[float]]:
    """The losses that a script prints, run in a fork of a fresh process."""

    def losses(script: Path) -> list[float]:
        assert script_server.stdin is not None and script_server.stdout is not None
        script_server.stdin.write(f"{script.resolve()}\n")
        script_server.stdin.flush()
        status = script_server.stdout.readline().strip()
        said = script.with_name("out.txt").read_text()
        assert status == "0", f"{said}\n{script.read_text()}"
        return last_words(said)

    return losses


def last_words(said: str) -> list[float]:
    """The last number of every line that starts with the number of a step."""
    return [float(line.split()[-1]) for line in said.splitlines() if line[:1].isdigit()]

