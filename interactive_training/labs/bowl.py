"""BowlLab: a step down a surface of two variables, and all that decides how it goes."""

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets

from interactive_training.engine.errors import RecipeError, TaskError
from interactive_training.engine.paths import Floats, Path
from interactive_training.engine.race import Ground, Race, Racer
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.slices import Slice
from interactive_training.engine.source import source
from interactive_training.engine.surfaces import Point, Surface
from interactive_training.exercises.predictions import Question
from interactive_training.exercises.presets import BOWL, preset
from interactive_training.labs import bowlwords, cells, controls, racers
from interactive_training.labs.asking import NOTHING, Asking
from interactive_training.labs.bowlstate import Shown, lane_of, rival, set_up
from interactive_training.labs.bowlstring import BowlState
from interactive_training.labs.bowlview import Cloud, Views, static
from interactive_training.labs.latest import Latest
from interactive_training.labs.parts import Part
from interactive_training.labs.statestring import StateStringError
from interactive_training.probes import reading

QUESTION = "How big may a step be?"
HIDEABLE = ("setup",)
OWN_SLICE = """\
# A network of yours is too much for a script. In place of `network` below put your own slice:
# slice_through(run, first, second).function, from interactive_training.engine.slices.
"""
SAME_GESTURE = 1.0  # seconds in which changes of one thing count as one
PARTS_EVERY = 0.2  # seconds between two updates of controls and words while dragging


class BowlLab:
    """Optimizers on a surface of two variables: drag the start, drag the learning rate.

    `surface` is a name in SURFACES, such as "bowl" (which takes `condition`, 1 or more, and
    `angle` in degrees), "rosenbrock", "himmelblau", "saddle" or "two minima"; "network slice", or
    a `slice_through` a run of yours; or a function of your own that takes a tensor w of shape
    (2,) and returns a scalar, shown over `box`, ((left, right), (bottom, top)). All take `noise`,
    that of minibatches, which begins at `seed`. `recipe` is the learner's optimizer, `start` and
    `steps` those of the surface if they are not given. `ask` is a Question with answers: until one
    is chosen it covers all that would tell, then its `change` of the recipe is made. `came` tells
    from the heights of the learner's path, at the start and after each step, which answer came
    true, by its words or its place from 0; without it `reveal` does. `hide=["setup"]` leaves out
    the set-up strip. Raises TaskError or RecipeError when they do not fit.

    Every path is a real run of torch.optim through the package's training loop. `paths` are those
    on the screen; `change`, `move` and `add` do what the controls do and raise in the cell.

    Notice: at lr 0.25 the bowl's path swings between two walls for ever; above it, it leaves.
    """

    def __init__(
        self,
        surface: str | Surface | Slice = "bowl",
        recipe: Recipe | None = None,
        *,
        start: Sequence[float] | None = None,
        steps: int | None = None,
        seed: int = 0,
        box: tuple[Point, Point] | None = None,
        question: str = QUESTION,
        ask: Question | None = None,
        came: Callable[[Floats], str | int] | None = None,
        hide: Sequence[str] = (),
        **options: float,
    ) -> None:
        unknown = [name for name in hide if name not in HIDEABLE]
        if unknown:
            raise TaskError(f"{unknown[0]!r} cannot be hidden; choose from {', '.join(HIDEABLE)}.")
        first = None if start is None else _point(start)
        if isinstance(surface, str):
            ground = Ground.named(surface, **options)
        elif isinstance(surface, Slice):
            ground = Ground.of_slice(surface, **options)
        else:
            ground = Ground.own(surface, first or (1.0, 1.0), box, **options)
        made = Race.on(ground, recipe)
        made = replace(made, start=first or made.start, steps=steps or made.steps, seed=seed)
        if ask is not None:
            if ask.drawn:
                raise TaskError("a BowlLab asks with answers; a curve is drawn in a TrainingLab.")
            made.changed(0, **ask.change)
        self.question, self.hide = question, tuple(hide)
        self.asking = None if ask is None else Asking(ask)
        self._came = came
        self._held = False  # the pin of the map
        self._asked_about: Race | None = None  # the race that an answer began
        self.shown = self._first = Shown(made)
        self.reading = reading.read(made)
        self.refusal = ""
        self._cloud: Cloud | None = None
        self._closed = False
        self._gesture: tuple[str, float] = ("", 0.0)
        self._told = 0.0
        self._state, self._drawing = threading.RLock(), threading.RLock()
        self._latest: Latest[Shown] = Latest(self._draw, self._fail)
        self.head = Part("heading", self._receive, self._fail)
        self.controls = Part("racers", self._receive, self._fail)
        self.words = Part("words", self._receive, self._fail)
        self.goals = Part("words", self._receive, self._fail)
        self.goals.add_class("it-goals")
        self.asked = Part("question", self._receive, self._fail)
        self._side, self._pictures = _box([], "it-side"), _box([], "it-views")
        self.views = self._new_views(large=False)
        self._parts = (self.head, self.controls, self.words, self.goals)
        grid = _box([self.head, self._pictures, *self._parts[1:]], "it-bowl")
        self.root = _box([grid], "it-lab")
        self._boxes = (self._side, self._pictures, grid, self.root)
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
        self._ask(self.race.changed(lane_of(self.race, lane), **values), f"{lane}{sorted(values)}")

    def move(self, start: Sequence[float]) -> None:
        """Put the start somewhere else; raises TaskError off the picture."""
        self._ask(replace(self.race, start=_point(start)), "start")

    def add(self, recipe: Recipe | None = None, scale: float = 1.0) -> None:
        """Let another optimizer run from the same start; raises RecipeError for a fourth."""
        racer = rival(self.race, self.reading) if recipe is None else Racer(recipe, scale)
        self._ask(replace(self.race, racers=(*self.race.racers, racer)), "racer")

    def reveal(self, answer: str | int) -> None:
        """Show which answer to the lab's question came true, by its words or its place from 0.

        Nothing shows before the question is answered or skipped, unless hands were counted before.
        Raises PredictionError for what is no answer, TaskError for a lab that asks nothing.
        """
        if self.asking is None:
            raise TaskError("this lab asks nothing; make it with ask=Question(...).")
        self.asking.turned_out(self.asking.question.number(answer))
        self._put()

    def source(self, lane: str = "you") -> str:
        """The plain PyTorch script of a racer."""
        number = lane_of(self.race, lane)
        run = Run(self.race.task(number), self.race.racers[number].recipe, seed=self.race.seed)
        script = source(run, self.race.steps)
        return OWN_SLICE + script if self.race.ground.name == "slice" else script

    def to_string(self) -> str:
        """The lab as a short string, from which `from_string` makes one in the same state.

        Raises StateStringError for a function or slice of your own, which a string cannot hold.
        """
        asking = self.asking
        ask = asking.question if asking is not None and asking.open else None
        return BowlState(self.shown, self.question, self.hide, ask).to_string()

    @classmethod
    def from_string(cls, text: str) -> "BowlLab":
        """The lab that a state string describes.

        Raises StateStringError when the string is cut off, altered or of a newer version.
        """
        state = BowlState.from_string(text)
        race = state.shown.race
        options: dict[str, Any] = dict(race.ground.options)
        try:
            if state.shown.cloud:
                race.cloud(state.shown.selected)
            lab = cls(
                race.ground.name,
                race.racers[0].recipe,
                start=race.start,
                steps=race.steps,
                seed=race.seed,
                question=state.question,
                ask=state.ask,
                hide=state.hide,
                **options,
            )
        except (RecipeError, TaskError) as error:
            raise StateStringError(f"the state string cannot be used: {error}") from None
        lab._show(state.shown)
        if lab.refusal:
            refusal = lab.refusal
            lab.close()
            raise StateStringError(f"the state string cannot be used: {refusal}")
        lab._first = lab.shown
        return lab

    @classmethod
    def preset(cls, name: str, **more: Any) -> "BowlLab":
        """The lab in a named state for a class, such as "edge of stability".

        `interactive-training list` names them all; `more` are further arguments of the lab.
        Raises RecipeError for an unknown name, with the nearest right one.
        """
        row = preset(BOWL, name)
        lab = cls(row.start, Recipe(**row.recipe), **{**row.options, **row.sets, **more})
        for values in row.rivals:
            fields = dict(values)
            lab.add(scale=fields.pop("scale", 1.0), recipe=Recipe(**fields))
        lab._first = lab.shown
        return lab

    def close(self) -> None:
        """End the worker and take the lab off every page."""
        self._closed = True
        self._latest.stop()
        self.views.close()
        for part in (*self._parts, self.asked):
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
        shown = self.shown
        try:
            match message["verb"]:
                case "set":
                    name, lane = str(message["name"]), shown.selected
                    values = racers.change(self.race.racers[lane], name, value)
                    self._ask(self.race.changed(lane, **values), f"{lane}{name}")
                case "setup":
                    self._set_up(str(message["name"]), value)
                case "select":
                    self._put(selected=int(value))
                case "add":
                    self._show(shown.with_rival(self.reading))
                case "remove":
                    self._show(shown.without())
                case "cloud":
                    self._put(cloud=not shown.cloud)
                case "moment" | "next" | "back" as verb:
                    self._show(shown.slow_motion(verb, self.reading))
                case "goal":
                    self._show(shown.with_goal(str(value)))
                case "impossible":
                    self._show(shown.with_given_up())
                case "hand" | "go" | "over" as verb:
                    self._show(shown.by_hand(verb))
                case "reset":
                    self._show(replace(self._first, reached=shown.reached))
                case "answer" | "hands" | "forget" | "recall":
                    self._answered(message)
                case "present":
                    self._present(bool(value))
        except (RecipeError, TaskError) as error:
            self._refuse(racers.refusal(error))

    def _answered(self, message: Mapping[str, Any]) -> None:
        """Take an answer to the question, and make the change that it was about."""
        asking = self.asking
        if asking is None:
            return
        if asking.receive(message) and asking.goes_on:
            if self._came is not None:  # it is told anew, perhaps of another start
                asking.reply = replace(asking.reply, truth=None)
            self._asked_about = self.race.changed(0, **asking.question.change)
            self._ask(self._asked_about, "question")
            self._put(guess=asking.reply.words)
        else:
            self._put()

    def _set_up(self, name: str, value: Any) -> None:
        value = controls.read(value) if isinstance(value, str) else value
        race = set_up(self.race, name, value, self.reading)
        if name == "surface":
            self._show(self.shown.on(race))
        else:
            self._ask(race, name)

    def _start_dragged(self, x: float, y: float, done: bool) -> bool:
        """Ask for the path from there; the frame that answers the hand is the one with it."""
        hand = self.shown.hand
        try:
            race = replace(self.race, start=(x, y))
            if hand is not None and hand.blind:
                moved = done and (x, y) != hand.points[-1]
                self._put(hand=hand.moved(race.ground, (x, y)) if moved else hand, race=race)
            else:
                self._ask(race, "start", moving=not done)
        except (RecipeError, TaskError) as error:
            self._put()  # the ring goes back to where it can be
            self._refuse(racers.refusal(error))
        return True

    def _pin_dragged(self, lr: float, momentum: float, done: bool) -> bool:
        lane = self.shown.selected
        mine = self.race.racers[lane]
        self._held = not done
        try:
            values: dict[str, Any] = {"momentum": momentum}
            if mine.recipe.optimizer != "SGD":
                values = racers.change(mine, "beta1", min(momentum, 0.999))
            self._ask(self.race.changed(lane, lr=lr, **values), f"{lane}pin")
        except RecipeError as error:
            self._put()
            self._refuse(racers.refusal(error))
        return True

    def _clicked(self, _axes: int, x: float, y: float) -> None:
        if self.shown.hand is None:
            self._start_dragged(x, y, True)

    def _present(self, large: bool) -> None:
        """Show the surface alone, in large type, or all three pictures again."""
        with self._drawing:
            old = self.views
            self.views = self._new_views(large=large)
            old.close()
        self._put()

    def _new_views(self, *, large: bool) -> Views:
        views = Views(self._start_dragged, self._pin_dragged, self._clicked, large=large)
        for live in views.figures:
            live.on_view(self._seen)
        self._side.children = (views.heights, views.fates)
        side = () if large else (self._side,)
        asked = () if self.asking is None else (self.asked,)
        self._pictures.children = (views.surface, *side, *asked)
        return views

    # Asking for a picture -------------------------------------------------------------------------

    def _ask(self, race: Race, gesture: str, *, moving: bool = False) -> None:
        """Show another race; what was there when this gesture began stays as a grey line."""
        with self._state:
            now = time.monotonic()
            name, at = self._gesture
            self._gesture = gesture, now
            before = self.shown.before
            if gesture != name or now - at > SAME_GESTURE:
                before = self.reading
            if mine(race) == mine(self.shown.race):  # it is another racer that came or changed
                before = self.shown.before
            same = race.ground == self.shown.race.ground
            self._put(race=race, before=before if same else None, moving=moving)

    def _put(self, **changed: Any) -> None:
        with self._state:
            self._show(replace(self.shown, **changed))

    def _show(self, shown: Shown) -> None:
        """Ask for another state of the screen."""
        with self._state:
            if shown.race != self.shown.race:
                shown = replace(shown, hint="", guess="")
            self.shown = shown.with_reached(self.shown.reached)  # one may have come meanwhile
            self.refusal = ""
            self._latest.put(self.shown)

    def _seen(self, visible: bool) -> None:
        """A page shows the lab: from now on the worker draws, for the size the page gave it."""
        if visible and not self._closed:
            self._latest.start()
            self._latest.put(self.shown)

    def _refuse(self, words: str) -> None:
        self.refusal = words
        with self._drawing:
            self._show_parts(again=True)

    def _fail(self, error: Exception) -> None:
        """Keep the last good picture and say what went wrong."""
        expected = isinstance(error, (RecipeError, TaskError))
        words = racers.refusal(error) if expected else f"{type(error).__name__}: {error}"
        with self._state:
            if self.shown.race != self.reading.race:
                self.shown = replace(self.shown, race=self.reading.race, cloud=False)
        self._refuse(words)
        for live in self.views.figures:
            live.update()

    # What the lab shows ---------------------------------------------------------------------------

    def _draw(self, shown: Shown) -> None:
        """Run the race and bring the screen up to date; the newest request counts."""
        if self._closed:
            return
        found = self.reading
        if shown.race != found.race:
            found = reading.read(shown.race)
        cloud = shown.race.cloud(shown.selected) if shown.cloud else None
        self._latest.pace()
        with self._drawing:
            self.reading, self._cloud = found, cloud
            self.views.show(shown, found, cloud)
            now = time.monotonic()
            newest = not (self._latest.waiting or shown.moving)
            self._judge(found)
            held = self._held or shown.moving  # what is passed on the way is not reached
            if shown.goal is not None and not held and shown.goal.check(found):
                with self._state:
                    self.shown = self.shown.with_reached([shown.goal.name])
            if newest or now - self._told > PARTS_EVERY:
                self._told = now
                self._show_parts()

    def _judge(self, found: reading.Reading) -> None:
        """Note which answer came true, once the path that the question was about is there."""
        asking = self.asking
        if self._came is None or asking is None or not asking.goes_on:
            return
        if asking.reply.truth is None and found.race == self._asked_about:
            answer = self._came(found.heights[0])
            asking.turned_out(asking.question.number(answer))

    def _show_parts(self, again: bool = False) -> None:
        shown = self.shown
        large = self.views.large
        heading = bowlwords.heading(shown, self.reading, self.question, self.hide, presenting=large)
        self.head.show(heading, again=again)
        asked = self._question()
        steering = bowlwords.steering(shown, self.reading, alone=large, telling=not asked["open"])
        self.controls.show(steering, again=again)
        self.asked.show(asked, again=again)
        self.words.show(
            {
                "text": self.refusal or self._sentence(),
                "failed": bool(self.refusal),
                "buttons": bowlwords.buttons(shown, self.reading),
                "why": [],
            }
        )
        self.goals.show(bowlwords.goals(shown, self.reading))

    def _question(self) -> dict[str, Any]:
        """The question over what would tell; once it is answered, the hands that were counted."""
        asking = self.asking
        if asking is None:
            return NOTHING
        if asking.open:
            return asking.state("ask", place=not self.views.large)  # lab.css says where
        known = asking.reply.truth is not None
        return asking.state("bars" if known or asking.reply.hands else "")

    def _sentence(self) -> str:
        return bowlwords.sentence(self.shown, self.reading, self._cloud)


def mine(race: Race) -> Race:
    """The race as if the learner were alone."""
    return replace(race, racers=race.racers[:1])


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
