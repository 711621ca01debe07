"""The question that a TrainingLab asks over the future of its loss picture."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from interactive_training.engine.recipe import Recipe
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

    What is said to it belongs to the way that begins there: a guess is drawn from that step on,
    while the run still goes that way. A rewind to before it takes it off, one to that very step
    only if it takes the question's change back; an undo brings it back. What is cleared afterwards
    is asked anew where there is room for it again.
    """

    def __init__(self, asked: Question | str, run: Run, steps: int) -> None:
        self.stage = asked if isinstance(asked, str) else None
        super().__init__(trainingwords.question(run, asked) if isinstance(asked, str) else asked)
        self.run, self.steps = run, steps
        self.at = 0
        self.recipe: Recipe | None = None  # of the way that begins there, once something is said

    def receive(self, message: Mapping[str, Any]) -> bool:
        """Take one message of the page, and note where the way begins that it is about."""
        asked = self.open and not self.over(self.run)
        answered = super().receive(message)
        if asked and (self.reply.hands or not self.open):
            self.at = self.run.index
            self.recipe = replace(self.run.recipe, **self.question.change)
            self.reply = replace(self.reply, truth=None)  # known of an earlier way at most
        return answered

    def follows(self, run: Run) -> bool:
        """Whether `run` goes the way that the question was about."""
        if run is not self.run or run.index < self.at:
            return False
        done = run.timeline.changes
        recipes = [c.value for c in done if c.kind == "recipe" and c.index <= self.at]
        first = run.timeline.first_recipe or run.recipe
        return (recipes[-1] if recipes else first) == self.recipe

    def over(self, run: Run) -> bool:
        """Whether `run` went that way as far as was asked."""
        return self.follows(run) and run.index >= self.at + self.steps

    def guess(self, run: Run) -> Guess | None:
        """What to draw beside `run`: the answer, if the run goes the way that it was about."""
        if not self.reply.given or not self.follows(run):
            return None
        points = np.array(self.reply.drawn, dtype=float).reshape(-1, 2)
        truth = self.reply.truth
        came = truth == self.reply.choice if self.over(run) and truth is not None else None
        return Guess(self.at, self.reply.words, Curve(points[:, 0], points[:, 1]), came)

    def judge(self, session: Session, verdict: Verdict) -> None:
        """Note which answer came true, where the run that it was about has stopped."""
        if session.playing or not self.over(session.run):
            return
        found = trainingwords.outcome(session, verdict) if self.stage else None
        if found is not None:
            self.turned_out(found)
        self.settle()

    def shown(self, session: Session, ax: Axes, live: LiveFigure) -> dict[str, Any]:
        """What the page shows now: the question once the run waits, the bars once it is over."""
        run = session.run
        if session.playing or run is not self.run:
            return NOTHING
        if self.over(run):
            told = "" if self.question.drawn and not self.clearable else "told"
            return self.state("bars" if self.reply.hands else told, quiet=True, below=live.height)
        if self.open:
            room = ax.get_xlim()[1] - run.index  # none where somebody ran on instead
            left_out = self.stage is not None and self.stage not in run.recipe.stages
            if run.index < self.steps or room < self.steps / 2 or left_out:
                return NOTHING
            words = trainingwords.wording(run, self.stage, self.steps) if self.stage else ""
            return self.state("ask", words, **self._place(session, ax, live))
        return self.state("")

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
