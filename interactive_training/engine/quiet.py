"""Threads whose prints go nowhere: a model that prints at every step would flood the page.

A front end limits what a kernel may send, and drops the pictures along with the words. Only the
threads that ask for it are quiet; what others print meanwhile is shown as ever.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Unheard:
    """How many lines were printed and not shown."""

    lines: int = 0


_quiet: dict[int, Unheard] = {}  # by thread
_changing = threading.Lock()


class Filter:
    """Stands in for `sys.stdout` while some thread is quiet."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Count what a quiet thread writes; pass on what any other does."""
        unheard = _quiet.get(threading.get_ident())
        if unheard is None:
            written: int = self.stream.write(text)
            return written
        unheard.lines += text.count("\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def quiet(unheard: Unheard) -> Iterator[None]:
    """Count in `unheard` what this thread prints, instead of showing it."""
    me = threading.get_ident()
    before = _quiet.get(me)
    with _changing:
        if not isinstance(sys.stdout, Filter):
            sys.stdout = Filter(sys.stdout)
        _quiet[me] = unheard
    try:
        yield
    finally:
        with _changing:
            if before is None:
                del _quiet[me]
            else:
                _quiet[me] = before
            if not _quiet and isinstance(sys.stdout, Filter):
                sys.stdout = sys.stdout.stream
