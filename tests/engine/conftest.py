"""What the engine's tests share: scripts are run outside, as a learner would run them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

SERVER = Path(__file__).with_name("script_server.py")


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """The same numbers on every machine, and no waiting for threads on a busy one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def script_server() -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    command = [sys.executable, str(SERVER)]
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
    """The number at the end of every line that starts with the number of a step."""
    return [float(line.split()[-1]) for line in said.splitlines() if line[:1].isdigit()]
