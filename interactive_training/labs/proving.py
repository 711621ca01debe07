"""A proof beside the lab: the script runs in a process of its own while the page stays awake."""

import threading
from collections.abc import Callable

from interactive_training.engine.prove import Proof, prove
from interactive_training.engine.session import Session


class Proving:
    """Proves what a session has trained, one proof at a time; `done` is called at its end.

    `proof` is the last one, or None; `running` says whether another is on its way.
    """

    def __init__(self, session: Session, done: Callable[[], None]) -> None:
        self.session, self._done = session, done
        self.proof: Proof | None = None
        self.running = False

    def start(self) -> None:
        """Pause the session and prove what it has done until now."""
        if self.running:
            return
        self.session.put("pause")
        self.running, self.proof = True, None
        threading.Thread(target=self._work, name="interactive-training-proof", daemon=True).start()

    def forget(self) -> None:
        """Take the proof back, since the run has changed."""
        self.proof = None

    def _work(self) -> None:
        session = self.session
        try:
            with session.lock:
                losses, first = session.history.column("loss").tolist(), session.history.first
                twin = session.run.fork()
                twin.timeline = session.run.timeline.copy()
            self.proof = prove(twin, losses, first)
        except Exception as error:
            self.proof = Proof(0, 0, 0, str(error))
        self.running = False
        self._done()
