"""The pictures of TrainingLab: the loss, what the network answers, and its gradient."""

import time
from collections.abc import Sequence
from io import BytesIO
from math import inf, isfinite, log
from typing import Any, Protocol

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LinearLocator, MaxNLocator
from PIL import Image

from interactive_training.engine.history import History
from interactive_training.engine.run import Run
from interactive_training.engine.session import FRAME, Session
from interactive_training.figures import style
from interactive_training.figures.answers import Descent, DigitGrid, Fit, Regions
from interactive_training.figures.bars import LayerBars
from interactive_training.figures.curves import Curve, GradientNorm, Guess, LossCurve, ScaleStairs
from interactive_training.live import Group, LiveFigure
from interactive_training.live.limits import REST, grown
from interactive_training.probes.precision import flushed_share
from interactive_training.probes.shadow import Shadow

UNSEEN = 24  # digits shown
UPPER, LOWER, LARGE = 200, 132, 480  # pixels
EVERYTHING_EVERY = 0.15  # seconds while training
# Steps a second from which an axis that has to grow doubles: drawing axes anew costs as much as ten
# frames, which takes steps at full speed.
FAST = 200
Marks = Sequence[tuple[int, str]]


def curve(history: History, column: str, until: float = inf) -> Curve:
    """A column of a history as a line to draw, of its steps before `until`."""
    reduced = history.reduced(column, until)
    return Curve(reduced.x, reduced.mean, reduced.low, reduced.high)


def average(history: History | None) -> Curve | None:
    """The loss of a ghost as a line to draw, if there is one."""
    return None if history is None else curve(history, "average")


class Answers(Protocol):
    """The picture of what a network answers."""

    def show(self, run: Run, shadow: Shadow | None) -> None:
        """Ask the run's present network and draw its answers."""
        ...


class DigitAnswers:
    """24 of the digits that no step of the training has seen, and that the accuracy is taken of."""

    def __init__(self, ax: Axes, run: Run, animated: bool) -> None:
        data = run.task.data
        assert data is not None
        self.inputs = data.validation_inputs[:UNSEEN]
        pixels = self.inputs.reshape(-1, 8, 8).double().numpy()
        labels, number = data.validation_targets[:UNSEEN].numpy(), len(data.validation_inputs)
        self.grid = DigitGrid(ax, pixels, labels, number, animated=animated)

    def show(self, run: Run, shadow: Shadow | None) -> None:
        """Write the guesses of the present network."""
        assert shadow is not None
        self.grid.show(shadow.guesses(self.inputs).tolist())


class RegionAnswers:
    """The plane of a task with two inputs."""

    def __init__(self, ax: Axes, run: Run, animated: bool) -> None:
        data = run.task.data
        assert data is not None
        points, labels = data.inputs.double().numpy(), data.targets.numpy()
        self.regions = Regions(ax, points, labels, animated=animated)
        self.plane = torch.tensor(self.regions.plane(), dtype=data.inputs.dtype)

    def show(self, run: Run, shadow: Shadow | None) -> None:
        """Tint the plane by the present answers."""
        assert shadow is not None
        self.regions.show(shadow.guesses(self.plane).numpy())


class FitAnswers:
    """The curve of a network with one input and one output."""

    def __init__(self, ax: Axes, run: Run, animated: bool) -> None:
        data = run.task.data
        assert data is not None
        x, y = data.inputs[:, 0].double().numpy(), data.targets[:, 0].double().numpy()
        self.fit = Fit(ax, x, y, animated=animated)
        self.x = torch.tensor(self.fit.x[:, None], dtype=data.inputs.dtype)

    def show(self, run: Run, shadow: Shadow | None) -> None:
        """Draw the present curve."""
        assert shadow is not None
        self.fit.show(shadow.outputs(self.x)[:, 0].double().numpy())


class DescentAnswers:
    """The way that two weights have come, over their surface."""

    SPAN, CELLS = 4.0, 60

    def __init__(self, ax: Axes, run: Run, animated: bool) -> None:
        axis = np.linspace(-self.SPAN, self.SPAN, self.CELLS)
        function: Any = run.task.model.function
        with torch.no_grad():
            height = [
                [float(function(torch.tensor([a, b], dtype=torch.float64))) for a in axis]
                for b in axis
            ]
        self.descent = Descent(ax, axis, axis, np.array(height), animated=animated)
        self.points: dict[int, list[float]] = {}  # by step

    def show(self, run: Run, shadow: Shadow | None) -> None:
        """Add where the weights are now."""
        weights: Any = run.model.w
        self.points = {step: at for step, at in self.points.items() if step < run.index}
        self.points[run.index] = weights.tolist()
        self.descent.show(np.array(list(self.points.values())[-200:]))


class LayerAnswers:
    """The gradient of every layer, for models whose answers have no picture."""

    def __init__(self, ax: Axes, run: Run, animated: bool) -> None:
        names = [name.rpartition(".")[0] or name for name, _ in run.trainable]
        self.bars = LayerBars(ax, list(dict.fromkeys(names)), animated=animated)

    def show(self, run: Run, shadow: Shadow | None) -> None:
        """Draw the newest lengths."""
        if run.last is not None:
            self.bars.show(run.last.layer_norms)


def answers(ax: Axes, run: Run, animated: bool) -> Answers:
    """The picture that suits the task."""
    task = run.task
    if task.is_surface:
        return DescentAnswers(ax, run, animated)
    assert task.data is not None
    inputs, targets = task.data.inputs, task.data.targets
    if task.name == "digits":
        return DigitAnswers(ax, run, animated)
    if task.classes and inputs.ndim == 2 and inputs.shape[1] == 2 and int(targets.max()) < 5:
        return RegionAnswers(ax, run, animated)
    if not task.classes and inputs.ndim == 2 and inputs.shape[1] == targets.shape[-1] == 1:
        return FitAnswers(ax, run, animated)
    return LayerAnswers(ax, run, animated)


class Pictures:
    """The three drawings on given axes, without a widget: live ones and the static one share it."""

    def __init__(self, run: Run, loss: Axes, seen: Axes, gradient: Axes, *, animated: bool) -> None:
        classes = run.task.outputs if run.task.classes else 0
        guessing = log(classes) if classes > 1 and not run.in_force.loss else None
        self.loss = LossCurve(loss, guessing=guessing, animated=animated)
        self.answers = answers(seen, run, animated)
        self.half = run.in_force.amp == "float16"
        self.gradient: GradientNorm | ScaleStairs = (
            ScaleStairs(gradient, animated=animated)
            if self.half
            else GradientNorm(gradient, animated=animated)
        )
        for ax, parts in ((loss, 5), (gradient, 4)):  # half as wide
            ax.xaxis.set_major_locator(MaxNLocator(parts, integer=True, steps=[1, 2, 5, 10]))

    def show_loss(
        self,
        session: Session,
        marks: Marks,
        pins: Sequence[History] = (),
        guess: Guess | None = None,
    ) -> None:
        """Draw the loss of the run, its ghost, the run before, what is pinned, and the guess."""
        ghost, before = session.ghost_history, session.before
        right = self.loss.ax.get_xlim()[1] + 1  # what ended later is drawn as far as it is seen
        raw = curve(session.history, "per_sample")
        you = curve(session.history, "average")
        self.loss.show(
            Curve(you.x, you.y, raw.low, raw.high),
            ghost=average(ghost),
            ghost_name=ghost_name(session.run),
            before=curve(before, "average", right) if before and ghost is None else None,
            pins=[curve(pin, "average", right) for pin in pins],
            marks=marks,
            guess=guess,
        )

    def follow_loss(self, session: Session) -> None:
        """Draw how far the loss of the run and of its ghost have come; the cheap part of it."""
        self.loss.follow(curve(session.history, "average"), average(session.ghost_history))

    def show_gradient(self, session: Session, marks: Marks) -> None:
        """Draw the gradient's length, or float16's loss scale."""
        if isinstance(self.gradient, ScaleStairs):
            scale = curve(session.history, "amp_scale")
            # Before 16 bits were on there was no scale: a gap, not a stair.
            scale = Curve(scale.x, np.where(scale.y > 1, scale.y, np.nan))
            skipped = session.history.skipped
            self.gradient.show(scale, skipped, flushed_share(session.run))
            return
        clips = session.run.in_force.clip != "none" and "clip" in session.run.in_force.stages
        ghost = session.ghost_history
        self.gradient.show(
            curve(session.history, "grad_norm"),
            clipped=curve(session.history, "clipped_norm") if clips else None,
            ghost=curve(ghost, "grad_norm") if ghost is not None else None,
            ghost_name=ghost_name(session.run),
            marks=marks,
        )


def ghost_name(run: Run) -> str:
    """What the grey line is called: the run without its one change, or without the last one."""
    changed = {change.index for change in run.timeline.changes if change.index}
    return "without it" if len(changed) > 1 else "unchanged"


def limits(run: Run, loss: Axes, gradient: Axes, steps: float) -> None:
    """The first limits of the curves, wide enough for the first sixty seconds."""
    loss.set_xlim(0, steps)
    gradient.set_xlim(0, steps)
    if run.task.is_surface:
        loss.set_yscale("log")
        loss.set_ylim(1e-6, 1e2)
    else:
        classes = run.task.outputs if run.task.classes else 2
        loss.set_ylim(0, 1.75 * log(max(classes, 2)))
    if run.in_force.amp == "float16":
        gradient.set_yscale("log", base=2)
        gradient.set_ylim(2.0**8, 2.0**18)
    else:
        gradient.set_yscale("log")
        gradient.set_ylim(1e-2, 1e2)


class Panels:
    """The live figures of one run, and what they need to be kept up to date.

    `large` makes the loss as large as a full screen allows, for a room.
    """

    def __init__(self, run: Run, steps: int, *, large: bool = False) -> None:
        figures = [Figure(layout=style.Margins()) for _ in range(3)]
        axes = [figure.add_subplot() for figure in figures]
        style.Margins.set(figures[1].get_layout_engine(), left=4, right=4, bottom=4)  # type: ignore[arg-type]
        if run.task.name != "digits" and not (run.task.classes and run.task.name != "own"):
            style.Margins.set(figures[1].get_layout_engine(), left=36, bottom=22)  # type: ignore[arg-type]
        limits(run, axes[0], axes[2], steps)
        self.pictures = Pictures(run, *axes, animated=True)
        height = LARGE if large else UPPER
        # A page will say its size; until then names keep their distance on one like it.
        for figure, size in zip(figures, ((516, height), (240, LOWER), (260, LOWER)), strict=True):
            figure.set_size_inches(size[0] / 72, size[1] / 72)
        if large:
            style.enlarge(figures[0], 2)
            axes[0].xaxis.set_major_locator(LinearLocator(2))  # the first and the last
        self.group = group = Group()
        self.loss = LiveFigure(
            figures[0], height=height, label="loss per sample by step", group=group
        )
        self.seen = LiveFigure(
            figures[1], height=LOWER, label="what the network answers", group=group
        )
        self.gradient = LiveFigure(
            figures[2], height=LOWER, label="gradient norm by step", group=group
        )
        self.task = run.task
        self.shadow = None if run.task.is_surface else Shadow(run)
        self.ghost_shadow = None if run.task.is_surface else Shadow(run)
        self._everything_due = 0.0
        self._then = (0.0, 0)  # when the curves were drawn last, and up to which step
        self._drawn: list[LiveFigure] = []

    def fit(self, run: Run) -> bool:
        """Whether these are the pictures for `run`: of its task, and of its precision."""
        half = run.in_force.amp == "float16"
        return self.task is run.task and self.pictures.half == half

    @property
    def figures(self) -> tuple[LiveFigure, LiveFigure, LiveFigure]:
        """All three."""
        return self.loss, self.seen, self.gradient

    def show_curves(
        self,
        session: Session,
        marks: Marks,
        pins: Sequence[History],
        guess: Guess | None,
        steps: int,
        *,
        everything: bool = False,
    ) -> None:
        """Draw the two curves; while training, some of them less often. `update` sends them.

        `steps` is how many they should have room for. Unless `everything` is asked for, the
        gradient comes with every fifth picture or so. At full speed, where every picture costs
        steps, so does all of the loss but how far its lines have come.
        """
        history = session.history
        now = time.monotonic()
        seconds, taken = self._since_last_time(now, history)
        rate = max(0, taken) / max(seconds, FRAME) if session.playing else 0.0
        everything = everything or not session.playing or now >= self._everything_due
        with self.loss.lock:
            if taken < 0:
                self._start_over(session, steps)
            grown = self._grow(self.loss, self.pictures.loss.ax, reach(history, "average"), rate)
            everything = everything or grown or taken < 0
            if everything or rate <= FAST:
                self.pictures.show_loss(session, marks, pins, guess)
            else:
                self.pictures.follow_loss(session)
        self._drawn.append(self.loss)
        if not everything:
            return
        self._everything_due = now + EVERYTHING_EVERY
        with self.gradient.lock:
            column = "amp_scale" if self.pictures.half else "grad_norm"
            _, value = reach(history, column)
            # As long as the loss, so that the same step is at the same place in both.
            span = self.pictures.loss.ax.get_xlim()
            if self.pictures.gradient.ax.get_xlim() != span:
                self.pictures.gradient.ax.set_xlim(span)
            self._grow(self.gradient, self.pictures.gradient.ax, (0.0, value), rate)
            self.pictures.show_gradient(session, marks)
        self._drawn.append(self.gradient)

    def _grow(
        self, live: LiveFigure, ax: Axes, newest: tuple[float, float | None], rate: float
    ) -> bool:
        """Bring the newest step and value into the picture, with room for `rate` steps a second.

        At rest, with 0, it happens at once: nothing follows that would do so later.
        """
        step, value = newest
        _, low, right, high = ax.viewLim.extents
        if step <= right and (value is None or low <= value <= high):
            return False
        # The end of the curve stays in view until the limits may grow again.
        ahead = max(step + REST * rate, 2 * right if rate > FAST else 0)
        return live.grow(ax, ahead if step > right else None, value, at_once=rate == 0)

    def _since_last_time(self, now: float, history: History) -> tuple[float, int]:
        """How many seconds ago the curves were drawn, and how many steps have come since."""
        then, before = self._then
        self._then = now, history.first + len(history)
        return now - then, self._then[1] - before

    def _start_over(self, session: Session, steps: int) -> None:
        """Take fresh limits after a rewind or a reset, which leaves a short curve in wide axes."""
        loss, gradient = self.pictures.loss.ax, self.pictures.gradient.ax
        right = loss.get_xlim()[1]
        limits(session.run, loss, gradient, right if right <= 2 * steps else steps)
        column = "amp_scale" if self.pictures.half else "grad_norm"
        for ax, name in ((loss, "average"), (gradient, column)):
            values = session.history.column(name)
            log = ax.get_yscale() == "log"
            ax.set_ylim(grown(ax.get_ylim(), values[values > 0], log=log))

    def show_answers(self, session: Session) -> None:
        """Ask the network and draw what it says; `update` sends it."""
        if self.shadow is not None:
            self.shadow.follow(session.run)
        with self.seen.lock:
            self.pictures.answers.show(session.run, self.shadow)
        self._drawn.append(self.seen)

    def update(self, *, urgent: bool = False) -> None:
        """Send what was drawn, in one message; an urgent one shows what the learner changed."""
        self.group.update(self._drawn, urgent=urgent)
        self._drawn = []

    def close(self) -> None:
        """Take the figures off every page."""
        for live in self.figures:
            live.close()
        self.group.close()


def reach(history: History, column: str) -> tuple[float, float | None]:
    """The newest step and value, which the limits must hold; None for one that has no place."""
    value = history.last(column)
    return float(history.first + len(history)), value if isfinite(value) and value > 0 else None


def static(session: Session, steps: int, marks: Marks, *, of_lab: bool = True) -> bytes:
    """All three pictures as one PNG: light, on white, 1696 pixels wide; one `of_lab` says so."""
    figure = Figure(figsize=(848 / 72, 380 / 72), dpi=144)
    loss = figure.add_axes((0.05, 0.56, 0.84, 0.37))
    seen = figure.add_axes((0.05, 0.06, 0.36, 0.34))
    gradient = figure.add_axes((0.5, 0.06, 0.39, 0.34))
    run = session.run
    limits(run, loss, gradient, steps)
    pictures = Pictures(run, loss, seen, gradient, animated=False)
    shadow = None if run.task.is_surface else Shadow(run)
    for ax, column in ((loss, "average"), (gradient, "grad_norm")):
        step, value = reach(session.history, column)
        ax.set_xlim(0, max(steps, step, 1))
        if value is not None:
            low, high = ax.get_ylim()
            ax.set_ylim(min(low, value), max(high, value))
    pictures.show_loss(session, marks)
    pictures.show_gradient(session, marks)
    pictures.answers.show(run, shadow)
    if of_lab:
        style.still(loss)
    style.apply(figure, style.LIGHT)
    figure.patch.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # A palette is enough for lines on white, and keeps notebooks a third of the size.
    made = BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(96).save(made, "PNG")
    return made.getvalue()


def picture(run: Run, history: History) -> Any:
    """A still picture of a run and its history, as the lab draws it, for the end of a cell.

    Loss and gradient norm by step, and what the network answers now.
    """
    from IPython.display import Image as Shown

    session = Session(run)
    session.history = history
    return Shown(static(session, len(history), (), of_lab=False), width=848)  # type: ignore[no-untyped-call]
