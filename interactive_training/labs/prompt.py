"""The question that a TrainingLab asks over the future of its loss picture."""

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from interactive_training.engine.run import Run
from interactive_training.engine.session import Session
from interactive_training.exercises.predictions import Question
from interactive_training.figures.curves import Curve, Guess
from interactive_training.labs import trainingwords
from interactive_training.labs.asking import NOTHING, Asking
from interactive_training.labs.trainingwords import Verdict
from interactive_training.live import LiveFigure


class Prompt(Asking):
    """A question about a run, asked where the run has stopped, at most once.

    The guess belongs to the way that the answer began: it is drawn from that step on, while the
    run still goes that way. A rewind to before it takes it off, and an undo brings it back.
    """

    def __init__(self, asked: Question | str, run: Run, steps: int) -> None:
        self.stage = asked if isinstance(asked, str) else None
        super().__init__(trainingwords.question(run, asked) if isinstance(asked, str) else asked)
        self.run, self.steps = run, steps
        self.at = 0
        self.recipe = run.recipe

    def answered(self) -> dict[str, Any]:
        """Note where and how the run goes on; the change that belongs to the question, if any."""
        self.at = self.run.index
        self.recipe = replace(self.run.recipe, **self.question.change)
        return dict(self.question.change)

    def guess(self, run: Run) -> Guess | None:
        """What to draw beside `run`: the answer, if the run goes the way that it was about."""
        if not self.reply.given or run is not self.run or run.index < self.at:
            return None
        done = run.timeline.changes
        recipes = [c.value for c in done if c.kind == "recipe" and c.index <= self.at]
        if (recipes[-1] if recipes else run.timeline.first_recipe or run.recipe) != self.recipe:
            return None
        points = np.array(self.reply.drawn, dtype=float).reshape(-1, 2)
        truth, over = self.reply.truth, run.index >= self.at + self.steps
        came = truth == self.reply.choice if over and truth is not None else None
        return Guess(self.at, self.reply.words, Curve(points[:, 0], points[:, 1]), came)

    def judge(self, session: Session, verdict: Verdict) -> None:
        """Note which answer came true, where the run that it was about has stopped."""
        run = session.run
        over = not session.playing and run is self.run and run.index >= self.at + self.steps
        if not over or not self.stage or self.open:
            return
        if self.guess(run) is not None or self.reply.skipped:
            found = trainingwords.outcome(session, verdict)
            if found is not None:
                self.turned_out(found)

    def shown(self, session: Session, ax: Axes, live: LiveFigure) -> dict[str, Any]:
        """What the page shows now: the question once the run waits, the bars once it is over."""
        run = session.run
        if session.playing or run is not self.run:
            return NOTHING
        if self.open:
            room = ax.get_xlim()[1] - run.index  # none where somebody ran on instead
            if run.index < self.steps or room < self.steps / 2:
                return NOTHING
            words = trainingwords.wording(run, self.stage, self.steps) if self.stage else ""
            return self.state("ask", words, **self._place(session, ax, live))
        if self.guess(run) is None and not self.reply.skipped:
            return {**self.state(""), "problem": ""}
        over = run.index >= self.at + self.steps
        return self.state("bars" if over and self.reply.hands else "", quiet=True)

    def _place(self, session: Session, ax: Axes, live: LiveFigure) -> dict[str, Any]:
        """Where the future of the picture lies, in pixels, and what its axes mean."""
        layout = live.figure.get_layout_engine()
        left, right = ax.get_xlim()
        log = ax.get_yscale() == "log"
        low, high = ax.get_ylim()
        now = session.history.last("average")
        share = np.log(now / low) / np.log(high / low) if log else (now - low) / (high - low)
        index = session.run.index
        return {
            "place": {
                **(layout.get() if layout is not None else {}),
                "height": live.height,
                "share": (index - left) / (right - left),
            },
            "axes": {
                "x": [index, right],
                "y": [low, high],
                "log": log,
                "start": float(np.clip(np.nan_to_num(share), 0, 1)),
            },
        }
