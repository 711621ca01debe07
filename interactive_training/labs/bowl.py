"""BowlLab: a step down a surface of two variables, and all that decides how it goes."""

import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets

from interactive_training.engine import race as races
from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.paths import Floats, Path
from interactive_training.engine.race import LANES, Ground, Race, Racer
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.source import source
from interactive_training.engine.surfaces import Point, Surface
from interactive_training.exercises.goals import GOALS
from interactive_training.labs import bowlwords, cells, controls, racers
from interactive_training.labs.bowlview import Views, static
from interactive_training.labs.bowlwords import Shown
from interactive_training.labs.hand import Hand
from interactive_training.labs.latest import Latest
from interactive_training.labs.parts import Part
from interactive_training.probes import curvature, reading
from interactive_training.probes.reading import Reading

QUESTION = "How big may a step be?"
SAME_GESTURE = 1.0  # seconds in which changes of one thing count as one
PARTS_EVERY = 0.06  # seconds between two updates of controls and words while dragging


class BowlLab:
    """Optimizers on a surface of two variables: drag the start, drag the learning rate.

    `surface` is a name in SURFACES, such as "bowl" (which takes `condition`, 1 or more, and
    `angle` in degrees), "rosenbrock", "himmelblau", "saddle" or "two minima"; or a function of
    your own that takes a tensor w of shape (2,) and returns a scalar, shown over `box`,
    ((left, right), (bottom, top)). `recipe` is the learner's optimizer, `start` and `steps` those
    of the surface if they are not given. Raises TaskError or RecipeError when they do not fit.

    Every path is a real run of torch.optim through the package's training loop. `paths` are those
    on the screen; `change`, `move` and `add` do what the controls do and raise in the cell.

    Notice: at lr 0.25 the bowl's path swings between two walls for ever; above it, it leaves.
    """

    def __init__(
        self,
        surface: str | Surface = "bowl",
        recipe: Recipe | None = None,
        *,
        start: Sequence[float] | None = None,
        steps: int | None = None,
        box: tuple[Point, Point] | None = None,
        question: str = QUESTION,
        hide: Sequence[str] = (),
        **options: float,
    ) -> None:
        first = None if start is None else _point(start)
        if isinstance(surface, str):
            ground = Ground.named(surface, **options)
        else:
            ground = Ground.own(surface, first or (1.0, 1.0), box)
        made = Race.on(ground, recipe)
        made = replace(made, start=first or made.start, steps=steps or made.steps)
        self.question, self.hide = question, tuple(hide)
        self.selected = 0
        self.shown = Shown(made)
        self.reading = reading.read(made)
        self.refusal = ""
        self._cloud: Floats | None = None
        self._closed = False
        self._gesture: tuple[str, float] = ("", 0.0)
        self._told = 0.0
        self._state, self._drawing = threading.RLock(), threading.RLock()
        self._latest: Latest[Shown] = Latest(self._draw, self._fail)
        self.head = Part("heading", self._receive, self._fail)
        self.controls = Part("racers", self._receive, self._fail)
        self.words = Part("words", self._receive, self._fail)
        self.views = Views(self._start_dragged, self._pin_dragged, self._clicked)
        self.views.surface.on_view(self._seen)
        side = _box([self.views.heights, self.views.fates], "it-side")
        pictures = _box([self.views.surface, side], "it-views")
        grid = _box([self.head, pictures, self.controls, self.words], "it-bowl")
        self.root = _box([grid], "it-lab")
        self._boxes = (side, pictures, grid, self.root)
        cells.take_over(self)
        self._latest.put(self.shown)

    # What a notebook calls ------------------------------------------------------------------------

    @property
    def race(self) -> Race:
        """Surface, start, steps and recipes as they are now."""
        return self.shown.race

    @property
    def paths(self) -> list[Path]:
        """The paths on the screen, the learner's first."""
        return self.reading.paths

    def change(self, lane: str = "you", **values: Any) -> None:
        """Change fields of a racer's recipe, or the `scale` of its gradients.

        `lane` is "you", "twin" or "third". Raises RecipeError for a value that cannot be used.
        """
        self._ask(self.race.changed(self._lane(lane), **values), f"{lane}{sorted(values)}")

    def move(self, start: Sequence[float]) -> None:
        """Put the start somewhere else; raises TaskError off the picture."""
        self._ask(replace(self.race, start=_point(start)), "start")

    def add(self, recipe: Recipe | None = None, scale: float = 1.0) -> None:
        """Let another optimizer run from the same start; raises RecipeError for a fourth."""
        racer = Racer(recipe, scale) if recipe is not None else self._rival()
        self._ask(replace(self.race, racers=(*self.race.racers, racer)), "racer")

    def source(self, lane: str = "you") -> str:
        """The plain PyTorch script of a racer."""
        number = self._lane(lane)
        run = Run(self.race.task(number), self.race.racers[number].recipe)
        return source(run, self.race.steps)

    def close(self) -> None:
        """End the worker and take the lab off every page."""
        self._closed = True
        self._latest.stop()
        self.views.close()
        for part in (self.head, self.controls, self.words):
            part.close()
        for box in self._boxes:
            layout = box.layout
            box.close()
            layout.close()

    def __repr__(self) -> str:
        return f"BowlLab({self.race.ground.name!r}): {self._sentence()}"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self.root._repr_mimebundle_(**kwargs)
        data, metadata = found if isinstance(found, tuple) else (found, {})
        data["image/png"] = b64encode(static(self.reading)).decode()
        data["text/plain"] = repr(self)
        return data, {**metadata, "image/png": {"width": 848, "alt": self._sentence()}}

    # What the learner does ------------------------------------------------------------------------

    def _receive(self, message: Mapping[str, Any]) -> None:
        """One message of the browser, on whatever thread it comes."""
        value: Any = message.get("value")
        try:
            match message["verb"]:
                case "set":
                    name = str(message["name"])
                    racer = self.race.racers[self.selected]
                    values = racers.change(racer, name, value)
                    self._ask(self.race.changed(self.selected, **values), f"{self.selected}{name}")
                case "setup":
                    self._set_up(str(message["name"]), value)
                case "select":
                    self.selected = int(value)
                    self._put()
                case "add":
                    self.add()
                    self.selected = len(self.race.racers) - 1
                    self._put()
                case "remove":
                    kept = [r for i, r in enumerate(self.race.racers) if i != self.selected]
                    self.selected = 0
                    self._ask(replace(self.race, racers=tuple(kept)), "racer")
                case "cloud":
                    self._put(cloud=not self.shown.cloud)
                case "moment" | "next" | "back" as verb:
                    self._slow_motion(verb)
                case "goal":
                    self._next_goal()
                case "impossible":
                    self._put(given_up=True)
                case "hand" | "go" | "over" as verb:
                    self._by_hand(verb)
        except (RecipeError, TaskError) as error:
            self._refuse(str(error))

    def _set_up(self, name: str, value: Any) -> None:
        value = controls.read(value) if isinstance(value, str) else value
        race = self.race
        if name == "steps":
            self._ask(replace(race, steps=value), name)
            return
        if name == "surface":
            new = Race.on(Ground.named(value))
            self.selected = 0
            self._put(race=new, before=None, cloud=False, moment=None, hand=None, goal=None)
            return
        options = {**race.ground.options, name: value}
        new = replace(race, ground=Ground.named(race.ground.name, **options))
        self._ask(reading.rescaled(new, self.reading), name)

    def _start_dragged(self, x: float, y: float, done: bool) -> None:
        hand = self.shown.hand
        try:
            race = replace(self.race, start=(x, y))
            if hand is not None and hand.blind:
                moved = done and (x, y) != hand.points[-1]
                self._put(hand=hand.moved(race.ground, (x, y)) if moved else hand, race=race)
            else:
                self._ask(race, "start")
        except (RecipeError, TaskError) as error:
            self._put()  # the ring goes back to where it can be
            self._refuse(str(error))

    def _pin_dragged(self, lr: float, momentum: float, done: bool) -> None:
        try:
            self._ask(self.race.changed(0, lr=lr, momentum=momentum), "pin")
        except RecipeError as error:
            self._put()
            self._refuse(str(error))

    def _clicked(self, _axes: int, x: float, y: float) -> None:
        if self.shown.hand is None:
            self._start_dragged(x, y, True)

    def _slow_motion(self, verb: str) -> None:
        at = self.shown.moment
        last = self.reading.paths[0].taken - 1
        if verb == "moment":
            self._put(moment=0 if at is None else None)
        elif at is not None:
            self._put(moment=min(max(0, at + (1 if verb == "next" else -1)), max(0, last)))

    def _next_goal(self) -> None:
        goals = [None, *GOALS]
        goal = goals[(goals.index(self.shown.goal) + 1) % len(goals)]
        if goal is None:
            self._put(goal=None)
            return
        ground = Ground.named("bowl", condition=goal.condition)
        recipe = self.race.racers[0].recipe
        if ground.options != self.race.ground.options or self.race.ground.name != "bowl":
            bowl = curvature.curvature(ground.function, (0.0, 0.0))
            assert bowl is not None
            recipe = replace(recipe, lr=1.2 / bowl.values[1])
        race = Race(ground, ground.row.start, goal.steps, (Racer(recipe),))
        self.selected = 0
        self._put(race=race, goal=goal, given_up=False, before=None, cloud=False, moment=None)

    def _by_hand(self, verb: str) -> None:
        hand = self.shown.hand
        if verb == "hand":
            begun = Hand.begin(self.race.ground, self.race.start)
            self._put(hand=begun, cloud=False, moment=None, before=None)
        elif verb == "go" and hand is not None:
            race = replace(self.race, start=hand.points[0])
            self._put(hand=replace(hand, blind=False), race=race)
        else:
            self._put(hand=None)

    def _rival(self) -> Racer:
        """A second optimizer worth a look: momentum if there is none, then Adam."""
        mine = self.race.racers[0]
        if len(self.race.racers) == 1 and mine.recipe.optimizer == "SGD":
            rule, bowl = self.reading.rules[0], self.reading.bowl
            found = 0.9
            if rule is not None and bowl is not None:
                found = float(controls.number(curvature.best_momentum(rule, bowl.values)))
            return replace(mine, recipe=replace(mine.recipe, momentum=found))
        return Racer(Recipe(optimizer="Adam", lr=mine.recipe.lr))

    def _lane(self, name: str) -> int:
        if name not in LANES[: len(self.race.racers)]:
            raise RecipeError(f"there is no racer {name!r}; choose {LANES[0]!r} or add one.")
        return LANES.index(name)

    # Asking for a picture -------------------------------------------------------------------------

    def _ask(self, race: Race, gesture: str) -> None:
        """Show another race; what was there when this gesture began stays as a grey line."""
        with self._state:
            now = time.monotonic()
            name, at = self._gesture
            self._gesture = gesture, now
            before = self.shown.before
            if gesture != name or now - at > SAME_GESTURE:
                before = self.reading
            same = race.ground == self.shown.race.ground
            self._put(race=race, before=before if same else None)

    def _put(self, **changed: Any) -> None:
        with self._state:
            if "race" in changed and changed["race"] != self.shown.race:
                changed["hint"] = ""
            self.shown = replace(self.shown, **changed)
            self.refusal = ""
            self._latest.put(self.shown)

    def _seen(self, visible: bool) -> None:
        """A page shows the lab: from now on the worker draws."""
        if visible and not self._closed:
            self._latest.start()

    def _refuse(self, words: str) -> None:
        self.refusal = words
        with self._drawing:
            self._show_parts(again=True)

    def _fail(self, error: Exception) -> None:
        """Keep the last good picture and say what went wrong."""
        expected = isinstance(error, (RecipeError, TaskError))
        words = str(error) if expected else f"{type(error).__name__}: {error}"
        with self._state:
            if self.shown.race != self.reading.race:
                self.shown = replace(self.shown, race=self.reading.race, cloud=False)
        self._refuse(words)
        self.views.surface.update()

    # What the lab shows ---------------------------------------------------------------------------

    def _draw(self, shown: Shown) -> None:
        """Run the race and bring the screen up to date; the newest request counts."""
        if self._closed:
            return
        found = self.reading
        if shown.race != found.race:
            found = reading.read(shown.race)
        cloud = shown.race.cloud() if shown.cloud else None
        with self._drawing:
            self.reading, self._cloud = found, cloud
            self._draw_map(shown, found, cloud)
            self._draw_side(shown, found)
            now = time.monotonic()
            if shown is self.shown or now - self._told > PARTS_EVERY:
                self._told = now
                self._show_parts()

    def _draw_map(self, shown: Shown, found: Reading, cloud: Floats | None) -> None:
        live, drawings = self.views.surface, self.views.drawings
        hand = shown.hand
        blind = hand is not None and hand.blind
        with live.lock:
            new = drawings.show_ground(shown.race.ground)
            hidden = drawings.surface.hidden
            drawings.surface.hide_surface(blind)
            trail = None if hand is None else hand.trail
            drawings.show_paths(
                found if not blind else replace(found, paths=[], leaves=[], heights=[]),
                before=shown.before if hand is None else None,
                cloud=cloud,
                trail=trail,
                hint=shown.hint if hand is None else "",
            )
            moment = None
            if blind and hand is not None:
                moment, _ = hand.sight(shown.race.ground, shown.race.start)
            elif shown.moment is not None and shown.moment < found.paths[0].taken:
                moment = races.moment(shown.race, shown.moment)
            drawings.show_moment(shown.race.ground, moment)
        if new or hidden != blind:
            live.redraw()
        live.update()

    def _draw_side(self, shown: Shown, found: Reading) -> None:
        views, hand = self.views, shown.hand
        goal = None if shown.goal is None else shown.goal.height
        with views.heights.lock:
            if hand is not None and hand.blind:
                found = replace(found, paths=[], leaves=[], heights=[])
            trail = None if hand is None else hand.climb
            changed = views.drawings.show_heights(found, trail, goal)
        if changed:
            views.heights.redraw()
        views.heights.update()
        if hand is not None and hand.blind:
            return
        with views.fates.lock:
            changed = views.drawings.show_fates(found)
        if changed:
            views.fates.redraw()
        views.fates.update()

    def _show_parts(self, again: bool = False) -> None:
        shown, race = self.shown, self.race
        self.selected = min(self.selected, len(race.racers) - 1)
        fits = self.reading if self.reading.race == race else None
        heading = bowlwords.heading(shown, self.question, self.hide)
        self.head.show(heading, again=again)
        self.controls.show(
            {
                "tabs": racers.tabs(race),
                "selected": self.selected,
                "full": len(race.racers) == len(LANES),
                "controls": racers.in_view(race, self.selected, fits),
                "more": racers.unfolded(race, self.selected),
            },
            again=again,
        )
        text = self.refusal or self._sentence()
        self.words.show(
            {
                "text": text,
                "failed": bool(self.refusal),
                "buttons": bowlwords.buttons(shown),
                "why": bowlwords.goal(shown, self.reading),
            }
        )
        self.views.surface.say(text)

    def _sentence(self) -> str:
        return bowlwords.sentence(self.shown, self.reading, self._cloud)


def _point(values: Sequence[float]) -> Point:
    """Two numbers as a point; raises TaskError for anything else."""
    try:
        x, y = (float(value) for value in values)
    except (TypeError, ValueError):
        raise TaskError(f"start is {values!r}; write two numbers, like (3, 2).") from None
    return x, y


def _box(children: Sequence[Any], name: str) -> ipywidgets.Box:
    box = ipywidgets.Box(list(children))
    box.add_class(name)
    return box
