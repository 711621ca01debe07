"""What is on the screen of a BowlLab, and what each of its buttons makes of that."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from interactive_training.engine.errors import RecipeError
from interactive_training.engine.race import LANES, Ground, Race, Racer
from interactive_training.engine.recipe import Recipe
from interactive_training.exercises.goals import GOALS, Goal
from interactive_training.labs import controls
from interactive_training.labs.hand import Hand
from interactive_training.probes import curvature, reading
from interactive_training.probes.reading import Reading

HINT = "drag me"


@dataclass(frozen=True)
class Shown:
    """All that is on the screen of a BowlLab besides what it computes itself.

    `selected` is the racer whose controls are in view, `before` what the grey line shows,
    `moment` its step in slow motion, `guess` what the learner expected of this race. `reached`
    names the goals that were. `moving` says that the start is held: what takes long waits.
    """

    race: Race
    selected: int = 0
    before: Reading | None = None
    cloud: bool = False
    moment: int | None = None
    hand: Hand | None = None
    goal: Goal | None = None
    reached: tuple[str, ...] = ()
    given_up: bool = False
    hint: str = HINT
    guess: str = ""
    moving: bool = False

    @property
    def blind(self) -> bool:
        """Whether the surface is hidden, for the learner to go by hand."""
        return self.hand is not None and self.hand.blind

    def on(self, race: Race) -> "Shown":
        """Another race in its first state, with nothing else but the goals that were reached."""
        return Shown(race, hint="", reached=self.reached)

    def slow_motion(self, verb: str, found: Reading) -> "Shown":
        """Slow motion of the selected racer on or off ("moment"), or a step on ("next") or back."""
        at = self.moment
        if verb == "moment":
            return replace(self, moment=0 if at is None else None)
        if at is None:
            return self
        leaves = found.leaves[self.selected]
        last = found.paths[self.selected].taken if leaves is None else leaves
        return replace(self, moment=min(max(0, at + (1 if verb == "next" else -1)), last - 1))

    def with_goal(self, name: str) -> "Shown":
        """A goal on its own bowl; the one that is there already is taken off."""
        goal = next((one for one in GOALS if one.name == name), None)
        if goal is None or goal == self.goal:
            return replace(self, goal=None)
        return replace(self.on(goal.race()), goal=goal)

    def with_reached(self, names: Collection[str]) -> "Shown":
        """The same with more goals that were reached; itself if it has them already."""
        if set(names) <= set(self.reached):
            return self
        known = {*self.reached, *names}
        return replace(self, reached=tuple(g.name for g in GOALS if g.name in known))

    def with_given_up(self) -> "Shown":
        """The goal given up, which is right for one that cannot be reached."""
        right = [self.goal.name] if self.goal is not None and self.goal.why else []
        return replace(self, given_up=True).with_reached(right)

    def by_hand(self, verb: str) -> "Shown":
        """Be the optimizer ("hand"), then let it go from the same start ("go"), then no more."""
        if verb == "hand":
            begun = Hand.begin(self.race.ground, self.race.start)
            return replace(self, hand=begun, cloud=False, moment=None, before=None)
        if verb == "go" and self.hand is not None:
            race = replace(self.race, start=self.hand.points[0])
            return replace(self, hand=replace(self.hand, blind=False), race=race)
        return replace(self, hand=None)

    def with_rival(self, found: Reading) -> "Shown":
        """Another optimizer worth a look in the race: momentum if there is none, then Adam."""
        race = self.race
        racers = (*race.racers, rival(race, found))
        return replace(self, race=replace(race, racers=racers), selected=len(race.racers))

    def without(self) -> "Shown":
        """The race without the selected racer."""
        kept = tuple(r for i, r in enumerate(self.race.racers) if i != self.selected)
        return replace(self, race=replace(self.race, racers=kept), selected=0)


def rival(race: Race, found: Reading) -> Racer:
    """SGD with its best momentum beside one without; else Adam at the same rate.

    Beside one that diverges it takes the best rate for none, since its own would fill the picture.
    """
    mine = race.racers[0]
    rule, bowl = found.rules[0], found.bowl
    if len(race.racers) == 1 and rule is not None and not rule.momentum:
        lr, best = mine.recipe.lr, 0.9
        if bowl is not None:
            if lr >= curvature.edge(rule, bowl.values):
                lr = float(controls.number(curvature.best_lr(rule, bowl.values)))
            best = float(
                controls.number(curvature.best_momentum(replace(rule, lr=lr), bowl.values))
            )
        return replace(mine, recipe=replace(mine.recipe, lr=lr, momentum=best))
    return Racer(Recipe(optimizer="Adam", lr=mine.recipe.lr))


def lane_of(race: Race, name: str) -> int:
    """The number of a racer; raises RecipeError when the race has none of that name."""
    if name not in LANES[: len(race.racers)]:
        raise RecipeError(f"there is no racer {name!r}; choose {LANES[0]!r} or add one.")
    return LANES.index(name)


def set_up(race: Race, name: str, value: Any, found: Reading) -> Race:
    """The race with another surface, shape of it, noise, seed or number of steps."""
    if name in ("steps", "seed"):
        return replace(race, **{name: value})
    if name == "surface":
        return Race.on(Ground.named(value))
    changed = replace(race, ground=race.ground.shaped(**{name: value}))
    return changed if name == "noise" else reading.rescaled(changed, found)
