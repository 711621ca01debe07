"""The rules of steps on a bowl, against the runs themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interactive_training import Recipe
from interactive_training.engine.paths import path
from interactive_training.engine.race import Ground, Race, Racer
from interactive_training.engine.surfaces import SURFACES, bowl, bowl_of
from interactive_training.exercises.goals import GOALS
from interactive_training.probes import curvature as curves
from interactive_training.probes.curvature import FATES, Rule
from interactive_training.probes.reading import marks, read, sentence

VALUES = (2.0, 8.0)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(lr=0.15),
        Recipe(lr=0.2, momentum=0.5),
        Recipe(lr=0.1, momentum=0.5, nesterov=True),
        Recipe(lr=0.2, momentum=0.5, nesterov=True),
        Recipe(lr=0.1, keep_grad=0.3),
        Recipe(lr=0.1, keep_grad=0.3, momentum=0.4),
        Recipe(lr=0.1, weight_decay=0.3),
        Recipe(lr=0.1, momentum=0.5, optimizer_options={"dampening": 0.5}),
        Recipe(lr=0.26),
    ],
    ids=str,
)
def test_the_factor_a_step_is_that_of_the_run(recipe: Recipe) -> None:
    size = np.hypot(*path(bowl, (3.0, 2.0), recipe, 400).points.T)
    steps = np.arange(100, 400)
    slope = np.polyfit(steps, np.log(np.maximum(size[100:400], 1e-300)), 1)[0]
    assert np.exp(slope) == pytest.approx(curves.worst(Rule.of(recipe), VALUES), abs=4e-3)


def test_best_and_edge_of_the_bowl() -> None:
    found = curves.curvature(bowl, (0.0, 0.0))
    assert found is not None and found.values == VALUES and found.condition == 4
    plain = Rule(0.15)
    assert curves.best_lr(plain, VALUES) == pytest.approx(0.2)
    assert curves.edge(plain, VALUES) == pytest.approx(0.25)
    assert curves.edge(replace(plain, momentum=0.9), VALUES) == pytest.approx(0.475)
    assert curves.edge(replace(plain, kept=1.0), VALUES) == pytest.approx(0.5)  # lr x sharpness 4
    assert curves.fastest(VALUES) == pytest.approx((2 / 9, 1 / 9))
    turned = curves.curvature(bowl_of(100, 30), (1.0, 1.0))
    assert turned is not None and turned.values == pytest.approx((2, 200))


@pytest.mark.parametrize(
    ("lr", "momentum", "expected"),
    [
        (0.15, 0.0, "monotone"),
        (0.24, 0.0, "oscillation"),
        (0.25, 0.0, "oscillation"),
        (0.26, 0.0, "diverges"),
        (0.2, 0.5, "ripples"),
        (0.6, 0.5, "diverges"),
    ],
)
def test_the_fate_map_names_what_happens(lr: float, momentum: float, expected: str) -> None:
    factors = [curves.factors(Rule(lr), value, lr, momentum) for value in VALUES]
    assert FATES[int(curves.fate(curves.slowest(np.concatenate(factors))))] == expected
    found = curves.fate_map(Rule(lr), VALUES)
    best = found.rates.min()
    assert best == pytest.approx(1 / 3, abs=0.02)
    assert found.best == pytest.approx((2 / 9, 1 / 9), abs=0.02)


def test_heights_by_direction_add_up() -> None:
    found = read(Race.on(Ground.named("bowl", condition=30, angle=20)).changed(0, lr=0.02))
    shares = found.shares()
    assert shares is not None
    assert np.allclose(shares.sum(1), found.paths[0].heights, atol=1e-12)


def test_sentences_have_numbers_and_fit() -> None:
    race = Race.on(Ground.named("bowl"))
    assert sentence(read(race)) == (
        "30 steps: (6.8e-05, 2.1e-21). Each step: flat x 0.70, steep x -0.20."
    )
    gone = sentence(read(race.changed(0, lr=0.26)))
    assert gone == "Leaves the picture at step 6: each step steep x -1.08. Edge: lr 0.25."
    for name in SURFACES:
        for recipe in (Recipe(lr=10.0), Recipe(optimizer="Adam", lr=0.3), Recipe(lr=1e-3)):
            words = sentence(read(replace(Race.on(Ground.named(name)), racers=(Racer(recipe),))))
            assert len(words) <= 90 and any(letter.isdigit() for letter in words), words


def test_marks_are_where_the_run_turns() -> None:
    found = marks(read(Race.on(Ground.named("bowl"))), 0)
    assert found["lr"] == [(pytest.approx(0.2), "best .20"), (pytest.approx(0.25), "edge .25")]
    adam = Race.on(Ground.named("bowl"), Recipe(optimizer="Adam", lr=0.1))
    assert marks(read(adam), 0) == {"lr": [], "momentum": []}


def test_goals_are_reached_by_some_and_not_by_the_start() -> None:
    swing, long_bowl, plain, adam = GOALS
    for goal in GOALS:
        assert not goal.check(read(goal.race()))
    first = Race.on(Ground.named("bowl"))
    assert not swing.check(read(first))
    assert swing.check(read(first.changed(0, lr=0.23)))
    assert not swing.check(read(first.changed(0, lr=0.245)))
    steep = Ground.named("bowl", condition=100)
    lr, momentum = curves.fastest((2.0, 200.0))
    fast = Race(steep, (3.0, 2.0), 100, (Racer(Recipe(lr=lr, momentum=momentum)),))
    assert long_bowl.check(read(fast)) and not plain.check(read(fast))
    for rate in np.linspace(1e-4, 0.01, 40):  # none will do
        assert not plain.check(read(fast.changed(0, lr=float(rate), momentum=None)))
    assert plain.why and not long_bowl.why
    tame = adam.race()
    for rate in (0.1, 0.3, 1.0, 3.0, 5.0, 10.0):  # momentum .9 forgives each of them
        assert not adam.check(read(tame.changed(0, lr=rate)))
    assert not adam.check(read(tame.changed(0, lr=0.001)))  # slow is not broken
    assert adam.check(read(tame.changed(0, lr=5.0, betas=(0.0, 0.999))))
    assert adam.check(read(tame.changed(0, lr=10.0, betas=(0.99, 0.999))))
    assert not adam.check(read(tame.changed(0, optimizer="SGD", lr=0.25, betas=None)))
    assert not adam.check(read(replace(tame, steps=5)))  # there was no time to arrive
    assert all(len(words) <= 81 for goal in GOALS for words in (goal.words, goal.why))


def test_of_rates_that_are_as_good_the_best_is_in_the_middle() -> None:
    # With this momentum every rate between two borders shrinks by its root.
    rule, values = Rule(lr=0.1, momentum=0.47), (2.0, 8.0)
    rates = np.linspace(1e-3, curves.edge(rule, values), 2001)
    good = rates[np.isclose(curves.sizes(rule, values, rates, rule.momentum), 0.47**0.5, atol=1e-9)]
    best = curves.best_lr(rule, values)
    assert good[0] < best < good[-1]
    assert best == pytest.approx((good[0] + good[-1]) / 2, rel=0.05)
    assert curves.best_lr(Rule(lr=0.1), values) == 0.2  # where it is one, it is that one
    assert curves.best_momentum(Rule(lr=0.247), values) == pytest.approx(0.1647, abs=0.01)
