"""Work whose newest request is the only one that counts, done by a thread of its own."""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
# Seconds between two pictures, a little more than between two frames: one that comes earlier would
# have to wait until the browser has answered the one before.
REST = 1 / 30 + 0.002


class Latest(Generic[T]):
    """Does `work(request)` for the newest request; those that it had no time for are dropped.

    Until `start` is called, and after `stop`, `put` does the work in the calling thread. `failed`
    gets what the work raises. Notice: 500 requests in a second leave nothing to be done later.
    """

    def __init__(self, work: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        self._work, self._failed = work, failed
        self._slot: list[T] = []
        self._wake = threading.Condition()
        self._worker: threading.Thread | None = None
        self._ending = False
        self._free_at = 0.0
        self._working = False
        self.done = 0  # requests that were worked on

    @property
    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._worker is not None and self._worker.is_alive()

    @property
    def idle(self) -> bool:
        """Whether every request has been worked on or dropped."""
        with self._wake:
            return not self._slot and not self._working

    @property
    def waiting(self) -> bool:
        """Whether there is a newer request than the one that is worked on."""
        return bool(self._slot)

    def put(self, request: T) -> None:
        """Ask for this, in place of whatever still waits."""
        with self._wake:
            self._slot[:] = [request]
            self._wake.notify()
        if not self.alive:
            self._take()

    def start(self) -> None:
        """Start the thread, if it is not running."""
        with self._wake:
            if self.alive:
                return
            self._ending = False
            self._worker = threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._run,),
                name="interactive-training-latest",
                daemon=True,
            )
            self._worker.start()

    def stop(self) -> None:
        """End the thread after what it is doing."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(timeout=5)
        self._worker = None

    def pace(self) -> None:
        """Wait in the thread until the work may show what it has made: once in `REST` seconds."""
        if threading.current_thread() is self._worker:
            with self._wake:
                rest = self._free_at - time.monotonic()
                self._wake.wait_for(lambda: self._ending, max(0.0, rest))
            self._free_at = time.monotonic() + REST

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._slot or self._ending)
                if self._ending:
                    return
            self._take()

    def _take(self) -> None:
        with self._wake:
            if not self._slot:
                return
            request = self._slot.pop()
            self._working = True
        try:
            self._work(request)
        except Exception as error:
            self._failed(error)
        self.done += 1
        self._working = False
