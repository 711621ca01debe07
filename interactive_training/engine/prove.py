"""The proof that the code shown is the code that runs: run it, and compare every loss."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from interactive_training.engine.difference import again
from interactive_training.engine.loop import advance
from interactive_training.engine.run import Run
from interactive_training.engine.source import YOURS, export, source
from interactive_training.engine.threads import threads_of


@dataclass(frozen=True)
class Proof:
    """How many of `total` losses a script printed exactly, the first of them that of `start`.

    `why` says in words why there is no proof, or is empty.
    """

    start: int
    equal: int
    total: int
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether every loss was equal, to the last bit."""
        return not self.why and self.equal == self.total


def prove(run: Run, losses: Sequence[float], first: int = 0) -> Proof:
    """Run the script of a run in a process of its own and compare the losses it prints.

    `losses` are the run's own from step `first` on. The script is that of a fresh run; after a
    change on the way it is the one that starts from the state saved at the change.
    """
    if not run.timeline.kept:
        return Proof(0, 0, 0, "the run has taken no step yet; run it first.")
    since = max((c.index for c in run.timeline.changes), default=run.timeline.kept[0].index)
    twin, start = None, None
    if since > 0:
        with threads_of(run):
            twin = again(run, since, changed=True)
            while not twin.feed.between_groups:  # a script begins with a whole group
                advance(twin, recorded=False)
        twin.threads = run.threads
        since, start = twin.index, twin.capture()
    wanted = [float(loss) for loss in losses[since - first :]]
    if not wanted:
        return Proof(since, 0, 0, "there is no step since the last change; run some first.")
    if YOURS in source(run, start=start):
        return Proof(since, 0, 0, "the script needs your model put in; export it and run it.")
    with tempfile.TemporaryDirectory() as folder:
        script = export(twin or run, folder, len(wanted), start=start)
        threads = str(run.threads or torch.get_num_threads())
        done = subprocess.run(  # noqa: S603  our own script, with this Python
            [sys.executable, script.name],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return Proof(since, 0, len(wanted), done.stderr.strip().split("\n")[-1])
    printed = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    equal = sum(a == b for a, b in zip(printed, wanted, strict=False))
    return Proof(since, equal, len(wanted))
