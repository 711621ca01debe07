"""The pictures of BowlLab: the surface with its paths, the heights, and the fate map."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interactive_training.engine.paths import Floats, plane
from interactive_training.engine.race import LANES, Ground, Moment
from interactive_training.figures import style
from interactive_training.figures.rates import FateChart, HeightChart
from interactive_training.figures.surface import SurfaceMap, Track
from interactive_training.live import LiveFigure
from interactive_training.probes import curvature as curves
from interactive_training.probes.reading import Reading

MAP, SIDE = 370, 185  # pixels
LONGEST = 0.22  # of the picture's width, for an arrow
ToDrag = Callable[[float, float, bool], None]


class Drawings:
    """The three drawings on given axes, without a widget: live ones and the static one share it."""

    def __init__(self, surface: Axes, heights: Axes, fates: Axes, *, animated: bool) -> None:
        self.surface = SurfaceMap(surface, animated=animated)
        self.heights = HeightChart(heights, animated=animated)
        self.fates = FateChart(fates, animated=animated)
        self._ground: Ground | None = None
        self._rule: object = None

    def show_ground(self, ground: Ground) -> bool:
        """Draw the contours of a surface, if it is another one; return whether it was."""
        if ground == self._ground:
            return False
        x, y, height = plane(ground.function, ground.row.box)
        lowest = ground.row.lowest if ground.name != "own" else float(np.nanmin(height))
        self.surface.show_surface(x, y, height, lowest)
        self._ground = ground
        return True

    def show_paths(
        self,
        reading: Reading,
        *,
        before: Reading | None = None,
        cloud: Floats | None = None,
        trail: Floats | None = None,
        hint: str = "",
    ) -> None:
        """Draw where the racers went, and where the learner's went before."""
        tracks = {
            lane: Track(path.points, leaves)
            for lane, path, leaves in zip(LANES, reading.paths, reading.leaves, strict=False)
        }
        ghost = Track(np.empty((0, 2)))
        if before is not None:
            ghost = Track(before.paths[0].points, before.leaves[0])
        self.surface.show(
            reading.race.start, tracks, ghost=ghost, cloud=cloud, trail=trail, hint=hint
        )

    def show_moment(self, ground: Ground, moment: Moment | None) -> None:
        """Draw what an optimizer holds at one step as arrows; lengths as shares of the picture."""
        if moment is None:
            self.surface.show_arrows(None, {})
            return
        (left, right), _ = ground.row.box
        longest = LONGEST * (right - left)
        arrows = {"gradient": shortened(moment.gradient, longest), "step": np.array(moment.step)}
        if moment.momentum is not None:
            arrows["momentum"] = shortened(moment.momentum, longest)
        squares = None
        if moment.squares is not None:
            squares = shortened(np.sqrt(moment.squares), longest / 2)
        self.surface.show_arrows(moment.at, arrows, squares)

    def show_heights(
        self, reading: Reading, trail: Floats | None = None, goal: float | None = None
    ) -> bool:
        """Draw how high each racer was at each step; return whether the limits changed."""
        shares = reading.shares() if len(reading.paths) == 1 and trail is None else None
        steps = reading.race.steps
        if shares is not None:
            named = self.heights.name("height by direction (log)")
            lines = {"you": ("steep", shares[:, 1]), "flat": ("flat", shares[:, 0])}
            return self.heights.show(lines, steps, goal) or named
        named = self.heights.name("height above the lowest point (log)")
        lines = dict(zip(LANES, zip(LANES, reading.heights, strict=False), strict=False))
        if trail is not None:
            lines["fourth"] = ("hand", trail)
            steps = max(steps, len(trail) - 1)
        return self.heights.show(lines, steps, goal) or named

    def show_fates(self, reading: Reading) -> bool:
        """Draw the fate map and its pins; return whether the map is another one."""
        rule, bowl = reading.rules[0], reading.bowl
        pins = {
            lane: (racer.recipe.lr, racer.recipe.momentum or 0.0)
            for lane, racer, other in zip(LANES, reading.race.racers, reading.rules, strict=False)
            if other is not None
        }
        if rule is None or bowl is None:
            name = reading.race.racers[0].recipe.optimizer
            note = (
                f"This map is for SGD.\n{name} scales its steps\nby the gradients it has seen."
                if rule is None
                else "No bowl at the end of this path."
            )
            changed = self._rule is not None
            self._rule = None
            self.fates.hide(True)
            self.fates.show(None, {}, note)
            return changed
        what = curves.Rule(
            0.0, 0.0, rule.dampening, rule.nesterov, rule.decay, rule.kept, rule.scale
        )
        wanted = (what, bowl.values)
        changed = wanted != self._rule
        if changed:
            found = curves.fate_map(what, bowl.values)
            self.fates.show_map(
                found.lr, found.momentum, found.rates, found.fates, curves.FATES, found.best
            )
            self._rule = wanted
        self.fates.show(pins.pop("you"), pins)
        return changed


def shortened(vector: object, longest: float) -> Floats:
    """A vector with its direction, cut to the longest that an arrow may be."""
    made = np.asarray(vector, float)
    size = float(np.hypot(*made))
    return made if size <= longest else made * (longest / size)


class Views:
    """The live figures of a BowlLab."""

    def __init__(self, on_start: ToDrag, on_pin: ToDrag, on_click: Callable[..., None]) -> None:
        figures = [
            Figure(layout=style.Margins(left=26, right=10, top=26, bottom=20)),
            Figure(layout=style.Margins(left=40, right=46, top=26, bottom=20)),
            Figure(layout=style.Margins(left=40, right=46, top=26, bottom=20)),
        ]
        axes = [figure.add_subplot() for figure in figures]
        self.drawings = Drawings(*axes, animated=True)
        self.surface = LiveFigure(figures[0], height=MAP, label="paths over the surface")
        self.heights = LiveFigure(figures[1], height=SIDE, label="height by step")
        self.fates = LiveFigure(figures[2], height=SIDE, label="fate by learning rate and momentum")
        self.surface.draggable(self.drawings.surface.start, on_start, label="start of the path")
        self.fates.draggable(
            self.drawings.fates.pin,
            on_pin,
            bounds=((1e-9, 1e9), (0.0, 1.0)),
            label="learning rate and momentum",
        )
        self.surface.on_click(on_click)

    @property
    def figures(self) -> tuple[LiveFigure, LiveFigure, LiveFigure]:
        """All three."""
        return self.surface, self.heights, self.fates

    def close(self) -> None:
        """Take the figures off every page."""
        for live in self.figures:
            live.close()


def static(reading: Reading) -> bytes:
    """All three pictures as one PNG: light, on white, 1696 pixels wide."""
    figure = Figure(figsize=(848 / 72, 370 / 72), dpi=144)
    surface = figure.add_axes((0.03, 0.06, 0.55, 0.87))
    heights = figure.add_axes((0.65, 0.58, 0.29, 0.35))
    fates = figure.add_axes((0.65, 0.06, 0.29, 0.35))
    drawings = Drawings(surface, heights, fates, animated=False)
    drawings.show_ground(reading.race.ground)
    drawings.show_paths(reading)
    drawings.show_heights(reading)
    drawings.show_fates(reading)
    style.apply(figure, style.LIGHT)
    figure.patch.set_facecolor("white")
    made = BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()
