"""What a race shows, in numbers: who goes where, how fast, and how near to the edge."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from interactive_training.engine.paths import Floats, Path
from interactive_training.engine.race import LANES, Race, Racer
from interactive_training.engine.surfaces import Point
from interactive_training.probes import curvature as curves
from interactive_training.probes.curvature import Curvature, Rule


@dataclass(frozen=True)
class Reading:
    """A race that was run: its paths, where each leaves the picture, and the bowl at its bottom.

    `bowl` is the curvature at the minimum that the learner's path comes nearest to, or None where
    the surface does not bend upward there. `rules` holds for every racer the rule of its SGD, or
    None for another optimizer. `heights` are taken from the lowest point.
    """

    race: Race
    paths: list[Path]
    leaves: list[int | None]
    heights: list[Floats]
    bowl: Curvature | None
    rules: list[Rule | None]

    @property
    def factors(self) -> tuple[complex, complex] | None:
        """The learner's factors a step along flat and steep, if it is SGD on a bowl.

        None where steps differ: with a schedule, with clipping, and with noise.
        """
        recipe = self.race.racers[0].recipe
        alike = recipe.schedule is None and recipe.clip == "none" and not self.race.ground.noise
        if self.bowl is None or self.rules[0] is None or not alike:
            return None
        flat, steep = curves.rates(self.rules[0], self.bowl.values)
        return flat, steep

    def edge(self, lane: int) -> float | None:
        """The learning rate above which this racer's SGD diverges near the minimum."""
        rule = self.rules[lane]
        return None if self.bowl is None or rule is None else curves.edge(rule, self.bowl.values)

    def shares(self) -> Floats | None:
        """The heights of the learner's path due to flat and steep, on a bowl only."""
        if self.bowl is None or not self.race.ground.is_quadratic:
            return None
        return self.bowl.shares(self.paths[0])


def read(race: Race) -> Reading:
    """Run a race and take its numbers."""
    paths = race.run()
    row = race.ground.row
    bowl = bottom(race, paths[0])
    lowest = row.lowest
    if race.ground.name == "own":
        lowest = min(float(np.nanmin(path.heights)) for path in paths)
    return Reading(
        race,
        paths,
        [path.leaves(row.box) for path in paths],
        [np.abs(path.heights - lowest) for path in paths],
        bowl,
        [rule_of(racer) for racer in race.racers],
    )


def rule_of(racer: Racer) -> Rule | None:
    """The rule by which a racer goes downhill, if it is SGD."""
    recipe = racer.recipe
    downhill = recipe.optimizer == "SGD" and not recipe.option("optimizer", "maximize")
    return Rule.of(recipe, racer.scale) if downhill else None


def bottom(race: Race, path: Path) -> Curvature | None:
    """The bowl at the minimum nearest to a path's end, or at its end on an own function."""
    minima = race.ground.row.minima
    look = at_minimum if minima else curves.curvature
    found = look(race.ground.function, curves.nearest(path.end, minima))
    return found if found is not None and found.is_bowl else None


# A dragged start changes none of this, so none of it is computed again.
at_minimum = lru_cache(maxsize=16)(curves.curvature)


def marks(reading: Reading, lane: int) -> dict[str, list[tuple[float, str]]]:
    """Where learning rate and momentum of a racer are best, and where it diverges."""
    rule, bowl = reading.rules[lane], reading.bowl
    if rule is None or bowl is None:
        return {"lr": [], "momentum": []}
    best, edge, mass, useful, arrives = places(rule, bowl.values)
    return {
        "lr": [*[(best, f"best {short(best)}")] * arrives, (edge, f"edge {short(edge)}")],
        "momentum": [(0.0, "0"), *[(mass, f"best {short(mass)}")] * useful, (1.0, "1")],
    }


@lru_cache(maxsize=64)
def places(rule: Rule, values: tuple[float, float]) -> tuple[float, float, float, bool, bool]:
    """The best and the largest learning rate, the best momentum, and whether it helps.

    Last, whether the best learning rate arrives at all: with all of the gradient kept none does.
    """
    best, mass = curves.best_lr(rule, values), curves.best_momentum(rule, values)
    still = curves.worst(replace(rule, momentum=0.0), values)
    with_it = curves.worst(replace(rule, momentum=mass), values)
    gained = with_it < min(still - 1e-3, curves.SHRINKS)
    useful = gained and mass > 0.08  # nearer to 0 the two marks would be one
    arrives = curves.worst(replace(rule, lr=best), values) < curves.SHRINKS
    return best, curves.edge(rule, values), mass, useful, arrives


def pressed(race: Race, at: Point, lane: int = 0) -> tuple[float, float] | None:
    """A racer's lr x sharpness at a point, and the value from which on SGD would climb there.

    None for other optimizers and where the surface does not bend upward. The value is 2 for
    plain SGD and 2 (1 + momentum) with momentum.
    """
    racer = race.racers[lane]
    bowl = curves.curvature(race.ground.function, at)
    rule = rule_of(racer)
    if rule is None or bowl is None or bowl.values[1] <= 0:
        return None
    sharpness = bowl.values[1] * racer.scale
    return rule.lr * sharpness, curves.edge(rule, bowl.values) * sharpness


def pressed_words(race: Race, at: Point, lane: int = 0) -> str:
    """The same in words, or nothing."""
    found = pressed(race, at, lane)
    if found is None:
        return ""
    return f" There lr x sharpness {found[0]:.2g}, edge {found[1]:.2g}."


def span(race: Race) -> tuple[float, float, bool]:
    """The learning rates worth a slider on this ground: lowest, highest, whether logarithmic."""
    found = [at_minimum(race.ground.function, at) for at in race.ground.row.minima]
    sharp = [bowl.values[1] for bowl in found if bowl is not None and bowl.is_bowl]
    if not sharp:
        return 1e-4, 10.0, True
    if race.ground.is_quadratic:
        return 0.01 / sharp[0], 4.8 / sharp[0], False
    return 0.01 / max(sharp), 8 / min(sharp), True


def rescaled(race: Race, before: Reading) -> Race:
    """The race with every SGD as near to its edge on this bowl as it was on the one before."""
    bowl = bottom(race, before.paths[0])
    if bowl is None or before.bowl is None:
        return race
    ratio = before.bowl.values[1] / bowl.values[1]
    for lane, racer in enumerate(race.racers):
        if racer.recipe.optimizer == "SGD":
            race = race.changed(lane, lr=racer.recipe.lr * ratio)
    return race


def short(value: float) -> str:
    """A number as the marks have it: ".25", "0.0099" as ".0099"."""
    text = f"{value:.2g}" if value < 0.095 or value >= 1 else f"{value:.2f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def sentence(reading: Reading) -> str:
    """What the picture shows, with a number and what it is compared with."""
    path, leaves, factors = reading.paths[0], reading.leaves[0], reading.factors
    if path.stopped:
        return f"Your function: {path.stopped}."[:160]
    edge, racer = reading.edge(0), reading.race.racers[0]
    if leaves is not None:
        low, high = np.transpose(reading.race.ground.row.box)
        inside = ((path.points[:leaves] >= low) & (path.points[:leaves] <= high)).all()
        words = f"Leaves the picture{'' if inside else ' for good'} at step {leaves}"
        if factors is None or edge is None:
            return f"{words}, at height {_height(reading):.3g} after step {path.taken}."
        if reading.race.ground.is_quadratic:
            return f"{words}: each step steep {times(factors[1])}. Edge: lr {edge:.3g}."
        return f"{words}. At the minimum lr {racer.recipe.lr:.3g} stands against edge {edge:.3g}."
    where = f"{path.taken} steps: ({path.end[0]:.2g}, {path.end[1]:.2g})"
    if len(reading.paths) > 1:
        ends = [
            f"{lane} {'left' if gone is not None else f'{heights[-1]:.2g}'} ({name})"
            for lane, name, gone, heights in zip(
                LANES, called(reading.race), reading.leaves, reading.heights, strict=False
            )
        ]
        return f"Heights at step {reading.race.steps}: {', '.join(ends)}."
    if factors is not None and reading.race.ground.is_quadratic:
        return f"{where}. Each step: flat {times(factors[0])}, steep {times(factors[1])}."
    words = pressed_words(reading.race, path.end)
    if words:
        return f"{where}, height {_height(reading):.2g}.{words}"
    if path.taken:
        first = path.points[1] - path.points[0]
        return (
            f"{where}, height {_height(reading):.2g}. First step: ({first[0]:.2g}, {first[1]:.2g})."
        )
    return f"{where}."


def called(race: Race) -> list[str]:
    """What each racer is called: its optimizer, with what tells it from another of that name."""
    recipes = [racer.recipe for racer in race.racers]
    words = [
        f"{r.optimizer}, momentum {r.momentum:.2g}" if r.momentum else r.optimizer for r in recipes
    ]
    return [
        f"{name}, lr {recipe.lr:.2g}" if words.count(name) > 1 else name
        for name, recipe in zip(words, recipes, strict=True)
    ]


def cloud_sentence(race: Race, ends: Floats, lane: int) -> str:
    """Where a racer's cloud went: how many to which minimum, elsewhere, off the picture."""
    low, high = np.transpose(race.ground.row.box)
    with np.errstate(invalid="ignore"):
        inside = ((ends >= low) & (ends <= high)).all(1)
    # Noise keeps them from coming to rest.
    reach = (0.1 if race.ground.noise else 0.03) * float(high[0] - low[0])
    counts = []
    arrived = np.zeros(len(ends), bool)
    for minimum in race.ground.row.minima:
        near = inside & (np.hypot(*(np.where(np.isfinite(ends), ends, 1e9) - minimum).T) < reach)
        arrived |= near
        counts.append(f"{near.sum()} at ({minimum[0]:.2g}, {minimum[1]:.2g})")
    others = {"elsewhere": inside & ~arrived, "off the picture": ~inside}
    counts += [f"{those.sum()} {where}" for where, those in others.items() if those.any()]
    whose = f" of {called(race)[lane]}" if len(race.racers) > 1 else ""
    return f"{len(ends):,} starts{whose}: {', '.join(counts)}."


def _height(reading: Reading) -> float:
    return float(reading.heights[0][-1])


def times(factor: complex) -> str:
    """A factor a step in words: "x -0.20", or "x 0.71 in ripples"."""
    swings = abs(factor.imag) > 1e-7
    size = abs(factor) if swings else factor.real
    words = f"x {size:.2f}" if abs(size) < 100 else f"x {size:.3g}"
    return f"{words} in ripples" if swings else words
