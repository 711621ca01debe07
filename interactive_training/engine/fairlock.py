"""A lock that nobody has to wait for longer than its present owner needs it."""

import threading


class FairLock:
    """A re-entrant lock that goes to whoever waits for it, and not to who has just let it go.

    An ordinary lock would starve a cell that waits for a worker between two of its steps.
    """

    def __init__(self) -> None:
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._owner: int | None = None
        self._depth = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for it."""
        return self._turn.locked()

    def __enter__(self) -> None:
        if self._owner != threading.get_ident():
            with self._turn:
                self._lock.acquire()
            self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._lock.release()
