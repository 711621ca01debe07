"""The pictures of BowlLab: the surface with its paths, the heights, and the fate map."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from interactive_training.engine import race as races
from interactive_training.engine.errors import TaskError
from interactive_training.engine.paths import Floats, plane
from interactive_training.engine.race import LANES, Ground, Moment, Race
from interactive_training.engine.recipe import optimizer_values
from interactive_training.engine.surfaces import Point
from interactive_training.figures import style
from interactive_training.figures.rates import FateChart, HeightChart
from interactive_training.figures.surface import SurfaceMap, Track
from interactive_training.labs.bowlstate import Shown
from interactive_training.live import Group, LiveFigure
from interactive_training.probes import adaptive
from interactive_training.probes import curvature as curves
from interactive_training.probes.curvature import FateMap
from interactive_training.probes.reading import Reading, called

MAP, SIDE, LARGE = 320, 160, 450  # pixels
LONGEST = 0.22  # of the picture's width, for an arrow
CLIPPED = 0.1  # of the picture's width, for what clipping leaves
ToDrag = Callable[[float, float, bool], bool | None]
Cloud = tuple[Floats, Floats]  # starts and ends
ALL_KEPT = "No map: with all of the gradient kept,\nmomentum 0 swings for ever, more flies out."
SLOWER = "fate of the slower direction"  # a fast one may swing where that one does not
# What a map is for, how it is made with the names of its regions, and why there is none.
Made = tuple[Any, Callable[[], tuple[FateMap, tuple[str, ...]]] | None, str]


class Drawings:
    """The three drawings on given axes, without a widget: live ones and the static one share it."""

    def __init__(self, surface: Axes, heights: Axes, fates: Axes, *, animated: bool) -> None:
        self.surface = SurfaceMap(surface, animated=animated)
        self.heights = HeightChart(heights, animated=animated)
        self.fates = FateChart(fates, animated=animated)
        self._ground: Ground | None = None
        self._map: object = None  # what the map on the screen is for

    def show_ground(self, ground: Ground) -> bool:
        """Draw the contours of a surface, if it is another one; return whether it was."""
        if ground == self._ground:
            return False
        x, y, height = plane(ground.function, ground.row.box)
        lowest = ground.row.lowest if ground.row.minima else float(np.nanmin(height))
        self.surface.show_surface(x, y, height, lowest)
        self._ground = ground
        return True

    def show_paths(
        self,
        reading: Reading,
        *,
        before: Reading | None = None,
        cloud: Cloud | None = None,
        trail: Floats | None = None,
        hint: str = "",
        named: bool = True,
    ) -> None:
        """Draw where the racers went, by name, and where the learner's went before."""
        tracks = {
            lane: Track(path.points, leaves, name * named)
            for lane, path, leaves, name in zip(
                LANES,
                reading.paths,
                reading.leaves,
                names(reading.race, trail is not None),
                strict=False,
            )
        }
        ghost = Track(np.empty((0, 2)))
        if before is not None:
            ghost = Track(before.paths[0].points, before.leaves[0])
        self.surface.show(
            reading.race.start, tracks, ghost=ghost, cloud=cloud, trail=trail, hint=hint
        )

    def show_moment(self, race: Race, moment: Moment | None, lane: int = 0) -> None:
        """Draw what a racer holds at one step as arrows; lengths as shares of the picture.

        Gradients and momentum have one scale: that at which the longest still fits or, with
        clipping, that of what it lets pass.
        """
        if moment is None:
            self.surface.show_arrows(None, {})
            return
        (left, right), _ = race.ground.row.box
        longest = LONGEST * (right - left)
        vectors = (moment.gradient, moment.clipped, moment.momentum)
        size = max(float(np.hypot(*vector)) for vector in vectors if vector is not None)
        scale, limit = min(1.0, longest / size) if np.isfinite(size) and size else 1.0, None
        if moment.clipped is not None:
            recipe = race.racers[lane].recipe
            limit = recipe.clip, CLIPPED * (right - left)
            scale = limit[1] / recipe.clip_at
        arrows = {
            name: shortened(scale * np.array(vector), longest)
            for name, vector in (
                ("gradient", moment.gradient),
                ("clipped", moment.clipped),
                ("momentum", moment.momentum),
            )
            if vector is not None
        }
        arrows["step"] = np.array(moment.step)
        squares = None
        if moment.squares is not None:
            squares = shortened(np.sqrt(moment.squares), longest / 2)
        self.surface.show_arrows(moment.at, arrows, squares, limit, LANES[lane])

    def show_heights(
        self,
        reading: Reading,
        *,
        before: Reading | None = None,
        trail: Floats | None = None,
        goal: float | None = None,
        guess: str = "",
    ) -> bool:
        """Draw how high each racer was at each step; return whether the limits changed."""
        self.heights.guess.set_text(f"your guess: {guess}" if guess else "")
        ghost = {} if before is None else {"ghost": ("before", before.heights[0])}
        shares = reading.shares() if len(reading.paths) == 1 and trail is None else None
        steps = reading.race.steps
        if shares is not None:
            named = self.heights.name("height by direction (log)")
            lines = {"you": ("steep", shares[:, 1]), "flat": ("flat", shares[:, 0])}
            return self.heights.show(lines | ghost, steps, goal) or named
        named = self.heights.name("height above the lowest point (log)")
        labels = list(LANES)
        if trail is not None:  # "you" would be read as the hand
            labels[0] = reading.race.racers[0].recipe.optimizer
        lines = dict(zip(LANES, zip(labels, reading.heights, strict=False), strict=False))
        if trail is not None:
            lines["fourth"] = ("hand", trail)
            steps = max(steps, len(trail) - 1)
        return self.heights.show(lines | ghost, steps, goal) or named

    def show_fates(self, reading: Reading, lane: int = 0) -> bool:
        """Draw the fate map of a racer, and pins; return whether what stands still is new."""
        if reading.rules[lane] is not None:
            key, make, note = self._of_sgd(reading, lane)
        else:
            key, make, note = self._of_adam(reading.race, lane)
        steered = self.fates.steer(LANES[lane])
        changed = bool(key != self._map)
        if changed and make is None:
            self.fates.hide(True)
        elif changed and make is not None:
            try:
                found, names = make()
                what = SLOWER if names == curves.FATES else ""
                self.fates.show_map(
                    found.lr, found.momentum, found.rates, found.fates, names, found.best
                )
                self.fates.say(what)
            except TaskError as error:
                key, note = None, f"No map: {error}"
                self.fates.hide(True)
        self._map = key
        self.fates.show({} if note else pins_of(reading.race, lane), note)
        return changed or steered

    def _of_sgd(self, reading: Reading, lane: int) -> Made:
        rule, bowl = reading.rules[lane], reading.bowl
        if rule is None or bowl is None:
            return None, None, "No bowl at the end of this path."
        if rule.kept == 1:
            return None, None, ALL_KEPT
        what, values = replace(rule, lr=0.0, momentum=0.0), bowl.values
        return (what, values), lambda: (curves.fate_map(what, values), curves.FATES), ""

    def _of_adam(self, race: Race, lane: int) -> Made:
        note = adaptive.refusal(race, lane)
        if note:
            return None, None, note
        mine = race.racers[lane]
        values = {**optimizer_values(mine.recipe), "lr": 0.0}
        values["betas"] = values["betas"][1:]  # type: ignore[index]
        place = race.ground, race.steps, mine.scale
        key = (mine.recipe.optimizer, race.start, place, values)
        return key, lambda: (adaptive.outcome_map(race, lane), adaptive.OUTCOMES), ""


def names(race: Race, by_hand: bool) -> list[str]:
    """The racers' names on the map; none for one that is alone, with no path `by_hand` beside."""
    return called(race) if by_hand or len(race.racers) > 1 else [""]


def pins_of(race: Race, lane: int) -> dict[str, Point]:
    """Learning rate and momentum of the racers that the map of one of them is for, by lane."""
    racers = race.racers
    mine = racers[lane].recipe.optimizer
    found = {}
    for name, racer in zip(LANES, racers, strict=False):
        recipe = racer.recipe
        if recipe.optimizer == mine:
            betas = optimizer_values(recipe).get("betas")
            first = betas[0] if isinstance(betas, tuple) else recipe.momentum or 0.0
            found[name] = (recipe.lr, first)
    return found


def shortened(vector: object, longest: float) -> Floats:
    """A vector with its direction, cut to the longest that an arrow may be."""
    made = np.asarray(vector, float)
    size = float(np.hypot(*made))
    return made if size <= longest else made * (longest / size)


class Views:
    """The live figures of a BowlLab; `large` makes the surface fit for the last row of a room."""

    def __init__(
        self, on_start: ToDrag, on_pin: ToDrag, on_click: Callable[..., None], *, large: bool
    ) -> None:
        figures = [
            Figure(layout=style.Margins(left=26, right=10, top=26, bottom=20)),
            Figure(layout=style.Margins(left=40, right=46, top=26, bottom=20)),
            Figure(layout=style.Margins(left=40, right=46, top=26, bottom=20)),
        ]
        axes = [figure.add_subplot() for figure in figures]
        self.large = large
        self.drawings = Drawings(*axes, animated=True)
        if large:
            style.enlarge(figures[0], 2)
        labels = "paths over the surface", "height by step", "fate by learning rate and momentum"
        heights = LARGE if large else MAP, SIDE, SIDE
        self.group = Group()
        self.surface, self.heights, self.fates = (
            LiveFigure(figure, height=height, label=label, group=self.group)
            for figure, height, label in zip(figures, heights, labels, strict=True)
        )
        self.surface.draggable(self.drawings.surface.start, on_start, label="start of the path")
        self.fates.draggable(
            self.drawings.fates.pin,
            on_pin,
            bounds=((1e-9, 1e9), (0.0, 1.0)),
            label="learning rate and momentum",
        )
        self.surface.on_click(on_click)

        def clicked(_axes: int, lr: float, momentum: float) -> None:
            if self.drawings.fates.mapped:
                on_pin(lr, momentum, True)

        self.fates.on_click(clicked)

    def show(self, shown: Shown, found: Reading, cloud: Cloud | None) -> None:
        """Bring all three up to date."""
        if shown.blind:
            found = replace(found, paths=[], leaves=[], heights=[])
        self._show_surface(shown, found, cloud)
        if not shown.moving:  # one change: the paths go ahead; while dragging all go together
            self.group.update([self.surface], urgent=True)
        with self.heights.lock:
            changed = self.drawings.show_heights(
                found,
                before=shown.before if shown.hand is None else None,
                trail=None if shown.hand is None else shown.hand.climb,
                goal=None if shown.goal is None else shown.goal.height,
                guess=shown.guess,
            )
        self._refresh(self.heights, changed)
        if not shown.moving:  # the map may depend on the start, and waits until that is let go
            with self.fates.lock:
                changed = not shown.blind and self.drawings.show_fates(found, shown.selected)
            self._refresh(self.fates, changed)
        self.group.update(self.figures)

    def _show_surface(self, shown: Shown, found: Reading, cloud: Cloud | None) -> None:
        drawings, hand = self.drawings, shown.hand
        with self.surface.lock:
            new = drawings.show_ground(shown.race.ground)
            hidden = drawings.surface.hidden
            drawings.surface.hide_surface(shown.blind)
            drawings.show_paths(
                found,
                before=shown.before if hand is None else None,
                cloud=cloud,
                trail=None if hand is None else hand.trail,
                hint=shown.hint if hand is None else "",
                named=shown.moment is None,  # arrows have names of their own
            )
            drawings.show_moment(shown.race, moment_of(shown, found), shown.selected)
        self._refresh(self.surface, new or hidden != shown.blind)

    def _refresh(self, live: LiveFigure, changed: bool) -> None:
        """Draw the background again if it changed; what moves goes out with the others."""
        if changed:
            live.redraw()

    @property
    def figures(self) -> tuple[LiveFigure, LiveFigure, LiveFigure]:
        """All three."""
        return self.surface, self.heights, self.fates

    def close(self) -> None:
        """Take the figures off every page."""
        for live in self.figures:
            live.close()
        self.group.close()


def moment_of(shown: Shown, found: Reading) -> Moment | None:
    """The step whose arrows are drawn: that of slow motion, or the first where it is clipped."""
    race, hand, lane = shown.race, shown.hand, shown.selected
    if hand is not None:
        return hand.sight(race.ground, race.start)[0] if hand.blind else None
    at = shown.moment
    if at is None and race.racers[lane].recipe.clip != "none":
        at = 0
    return None if at is None or at >= found.paths[lane].taken else races.moment(race, at, lane)


def static(reading: Reading) -> bytes:
    """All three pictures as one PNG: light, on white, 1696 pixels wide."""
    figure = Figure(figsize=(848 / 72, 370 / 72), dpi=144)
    surface = figure.add_axes((0.045, 0.06, 0.535, 0.87))
    heights = figure.add_axes((0.65, 0.58, 0.29, 0.35))
    fates = figure.add_axes((0.65, 0.06, 0.29, 0.35))
    drawings = Drawings(surface, heights, fates, animated=False)
    drawings.show_ground(reading.race.ground)
    drawings.show_paths(reading)
    drawings.show_heights(reading)
    drawings.show_fates(reading)
    style.still(surface)
    style.apply(figure, style.LIGHT)
    figure.patch.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # A palette is enough here too, and keeps notebooks a third of the size.
    made = BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(128).save(made, "PNG")
    return made.getvalue()
