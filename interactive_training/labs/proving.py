"""A proof beside the lab: the script runs in a process of its own while the page stays awake."""

import threading
from collections.abc import Callable
from typing import Any

from interactive_training.engine.prove import Proof, prove
from interactive_training.engine.session import Session


class Proving:
    """Proves what a session has trained, one proof at a time; `done` is called at its end.

    `running` says whether one is on its way.
    """

    def __init__(self, session: Session, done: Callable[[], None]) -> None:
        self.session, self._done = session, done
        self.running = False
        self._proof: Proof | None = None
        self._of: Any = None  # what it proves

    @property
    def proof(self) -> Proof | None:
        """The last proof while the run stands where it was asked for, or None."""
        return self._proof if self._of == self._here() else None

    def start(self) -> None:
        """Pause the session and prove what it has done until now."""
        if self.running:
            return
        self.session.put("pause")
        self.running = True
        threading.Thread(target=self._work, name="interactive-training-proof", daemon=True).start()

    def _here(self) -> tuple[Any, ...]:
        run = self.session.run
        return run, run.index, list(run.timeline.changes)

    def _work(self) -> None:
        session = self.session
        try:
            with session.lock:
                self._of = self._here()
                losses, first = session.history.column("loss").tolist(), session.history.first
                twin = session.run.fork()
                twin.timeline = session.run.timeline.copy()
            self._proof = prove(twin, losses, first)
        except Exception as error:
            self._proof = Proof(0, 0, 0, str(error))
        self.running = False
        self._done()
