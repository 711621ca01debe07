"""Surfaces and the paths over them: the same as torch.optim by hand, and as the closed form."""

from __future__ import annotations

import time
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch

from interactive_training import Recipe, RecipeError, Run, Task, TaskError
from interactive_training.engine.choices import OPTIMIZERS, Field
from interactive_training.engine.paths import ELEMENTWISE, cloud, path, plane
from interactive_training.engine.race import Ground, Race, Racer, moment, slope
from interactive_training.engine.recipe import optimizer_values
from interactive_training.engine.surfaces import SURFACES, bowl, bowl_of

START = (3.0, 2.0)


def by_hand(function, start, recipe, steps):
    """Points and heights of a loop with nothing but torch."""
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = OPTIMIZERS[recipe.optimizer].make([w], **optimizer_values(recipe))
    points, heights = [w.detach().clone()], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = function(w)
        loss.backward()
        heights.append(loss.detach())
        optimizer.step()
        points.append(w.detach().clone())
    heights.append(function(w).detach())
    return torch.stack(points).numpy(), torch.stack(heights).numpy()


def recipes():
    """Every optimizer as it is, and with each of its values at another place."""
    for name, row in OPTIMIZERS.items():
        yield Recipe(optimizer=name, lr=0.01)
        for field in row.fields:
            changed = another(field)
            if field.name in ("lr", "nesterov", "foreach", "fused") or changed is None:
                continue
            own = {field.name: changed}
            known = field.name in ("momentum", "betas", "weight_decay")
            try:
                yield Recipe(
                    optimizer=name, lr=0.01, **(own if known else {"optimizer_options": own})
                )
            except RecipeError:
                continue  # a value that only goes with others


def another(field: Field):
    """A legal value that is not the default, or None."""
    if field.kind is bool:
        return not field.default
    if field.kind is tuple:
        return (0.8, 0.95) if field.name == "betas" else None
    if field.kind is float and field.name != "maximize":
        return {"momentum": 0.7, "weight_decay": 0.1}.get(field.name)
    return None


@pytest.mark.parametrize(
    "recipe", list(recipes()), ids=lambda r: f"{r.optimizer}-{r.changed(Recipe())}"
)
def test_a_path_is_bitwise_that_of_torch(recipe: Recipe) -> None:
    for name in ("bowl", "rosenbrock", "saddle"):
        row = SURFACES[name]
        points, heights = by_hand(row.function, row.start, recipe, 25)
        found = path(row.function, row.start, recipe, 25)
        kept = len(found.points)
        assert np.array_equal(found.points, points[:kept])
        assert np.array_equal(found.heights, heights[:kept])
        assert kept == 26 or not np.isfinite(points[kept]).all()
    other = path(SURFACES["saddle"].function, (2.0, 0.002), recipe, 25)
    assert not np.array_equal(other.points, found.points)  # the comparison can tell


@pytest.mark.parametrize("condition", [1.0, 4.0, 100.0])
@pytest.mark.parametrize("angle", [0.0, 30.0])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_closed_form_of_a_bowl(condition: float, angle: float, momentum: float) -> None:
    lr, turn = 0.9 / condition, np.radians(angle)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = path(bowl_of(condition, angle), START, Recipe(lr=lr, momentum=momentum), 100)
    along = np.array(START) @ axes
    expected = []
    for at, sharp in zip(along, (2.0, 2 * condition), strict=True):
        step = np.array([[1 - lr * sharp, -lr * momentum], [sharp, momentum]])
        states = [np.array([at, 0.0])]
        for _ in range(100):
            states.append(step @ states[-1])
        expected.append([state[0] for state in states])
    difference = found.points @ axes - np.transpose(expected)
    assert np.abs(difference).max() < 1e-10
    if not momentum:
        powers = np.arange(101)
        flat = along[0] * (1 - 2 * lr) ** powers
        assert np.abs((found.points @ axes)[:, 0] - flat).max() < 1e-10


def test_the_facts_of_the_bowl() -> None:
    end = path(bowl, START, Recipe(lr=0.15), 30).end
    assert f"{end[0]:.4e} {end[1]:.3e}" == "6.7618e-05 2.147e-21"
    after = {lr: path(bowl, START, Recipe(lr=lr), 50).heights[-1] for lr in (0.1, 0.2, 0.24, 0.25)}
    assert after[0.25] == pytest.approx(16)  # it swings for ever
    assert after[0.2] < after[0.1] < after[0.24] < 0.01
    assert path(bowl, START, Recipe(lr=0.26), 50).heights[-1] > 1000


def test_a_forgotten_zero_grad_swings_with_its_own_period() -> None:
    steps, sharp = 2000, 2.0
    found = path(bowl, (3.0, 0.0), Recipe(lr=0.1 / sharp, keep_grad=1.0), steps)
    with_momentum = path(bowl, (3.0, 0.0), Recipe(lr=0.1 / sharp, momentum=1.0), steps)
    assert np.array_equal(found.points, with_momentum.points)
    x = found.points[:, 0]
    at = np.flatnonzero((x[:-1] > 0) & (x[1:] <= 0))
    crossings = at + x[at] / (x[at] - x[at + 1])
    assert (crossings[-1] - crossings[0]) / (len(crossings) - 1) == pytest.approx(19.79, abs=0.01)
    limit = path(bowl, (3.0, 0.0), Recipe(lr=3.99 / sharp, keep_grad=1.0), steps)
    assert np.abs(limit.points).max() < 100
    beyond = path(bowl, (3.0, 0.0), Recipe(lr=4.01 / sharp, keep_grad=1.0), steps)
    assert not np.abs(beyond.points).max() < 100


def test_divergence_is_a_path_that_leaves() -> None:
    box = SURFACES["bowl"].box
    found = path(bowl, START, Recipe(lr=0.26), 30)
    step = found.leaves(box)
    assert step is not None
    assert abs(found.points[step - 1, 1]) <= 3 < abs(found.points[step, 1])
    wild = path(bowl, START, Recipe(lr=100), 300)
    assert wild.taken < 300 and np.isfinite(wild.points).all() and wild.leaves(box) == 1
    assert path(bowl, START, Recipe(lr=0.15), 30).leaves(box) is None


@pytest.mark.parametrize("name", sorted(ELEMENTWISE & set(OPTIMIZERS)))
def test_a_cloud_takes_every_start_as_a_run_of_its_own(name: str) -> None:
    recipe = Recipe(optimizer=name, lr=0.02, clip="value", clip_at=5)
    starts = np.random.default_rng(0).uniform(-2, 2, (40, 2))
    for function in (SURFACES["himmelblau"].function, lambda w: (w * w).sum() + w.prod()):
        found = cloud(function, starts, recipe, 20)
        alone = [path(function, tuple(at), recipe, 20).points[-1] for at in starts[:3]]
        assert np.allclose(found[:3], alone, rtol=1e-12, atol=1e-12)


def test_a_cloud_refuses_what_joins_its_starts() -> None:
    with pytest.raises(RecipeError, match="clipping by norm would join"):
        cloud(bowl, [START], Recipe(clip="norm"), 5)
    with pytest.raises(TaskError, match="at many points at once"):
        cloud(lambda w: w[0] ** 2 if w[0] > 0 else w[1] ** 2, [START], Recipe(), 5)


@pytest.mark.parametrize("name", SURFACES)
def test_every_surface_is_lowest_at_its_minima_and_comes_down_from_its_start(name: str) -> None:
    row = SURFACES[name]
    ground = Ground.named(name)
    for minimum in row.minima:
        height, gradient = slope(row.function, minimum)
        assert np.hypot(*gradient) < 0.01
        assert height == pytest.approx(row.lowest, abs=1e-3)
        ground.check(minimum)
    _, _, heights = plane(row.function, row.box)
    assert heights.min() >= row.lowest - 1e-4
    found = Race.on(ground).run()[0]
    assert found.leaves(row.box) is None
    assert found.heights[-1] < found.heights[0]
    assert row.notice and row.formula
    if ground.is_quadratic:
        steep = Race.on(Ground.named(name, condition=1000, angle=20)).run()[0]
        assert steep.leaves(row.box) is None and steep.heights[-1] < steep.heights[0]
    assert Run(name, Recipe(lr=row.lr)).task.is_named


def test_options_of_a_bowl() -> None:
    assert Task.named("bowl", condition=100, angle=30).options == {"condition": 100, "angle": 30}
    for name, options, words in (
        ("bowl", {"condition": 0.5}, "condition is 0.5; choose a number of 1 or more"),
        ("bowl", {"bend": 1}, "'bend' is no option of bowl"),
        ("saddle", {"angle": 1}, "'angle' is no option of saddle; it takes noise"),
    ):
        with pytest.raises(TaskError, match=words):
            Task.named(name, **options)


def test_a_function_that_fails_or_dawdles_on_the_way() -> None:
    def fails(w):
        if w[0] < 1:
            raise ValueError("below 1")
        return (w**2).sum()

    found = path(fails, START, Recipe(lr=0.1), 30)
    assert found.stopped == "step 5 raised ValueError: below 1"
    assert len(found.points) == len(found.heights) == 5

    asked = []

    def once(w):
        asked.append(w)
        return (w**2).sum() if len(asked) == 1 else w[2]

    found = path(once, START, Recipe(lr=0.1), 30)
    assert found.stopped.startswith("step 0 raised IndexError") and found.taken == 0
    assert np.isnan(found.heights).all()

    def dawdles(w):
        time.sleep(0.01)
        return (w**2).sum()

    began = time.monotonic()
    plane(lambda w: time.sleep(0.1) or float(w[0]), SURFACES["bowl"].box)
    assert time.monotonic() - began < 3

    slow = path(dawdles, START, Recipe(lr=0.1), 1000, seconds=0.1)
    assert "stopped after" in slow.stopped and 1 <= slow.taken < 12


def test_noise_is_drawn_by_the_run_and_leads_off_the_saddle() -> None:
    still, noisy = (Race.on(Ground.named("saddle", **o)) for o in ({}, {"noise": 0.3}))
    torch.manual_seed(5)
    outside = torch.get_rng_state()
    assert still.run()[0].end[1] == 0  # the pass is never left
    first = noisy.run()[0]
    assert abs(first.end[1]) > 1
    torch.rand(3)  # drawing outside changes nothing
    again = noisy.run()[0]
    assert np.array_equal(first.points, again.points)
    assert not np.array_equal(first.points, replace(noisy, seed=1).run()[0].points)
    torch.manual_seed(5)
    moment(noisy, 3), noisy.cloud(), plane(noisy.ground.walked, noisy.ground.row.box)
    assert torch.equal(torch.get_rng_state(), outside)
    heights = [slope(still.ground.function, tuple(at))[0] for at in first.points]
    assert np.allclose(first.heights, heights)  # those of the surface without noise


def test_noise_has_the_size_it_says_and_every_racer_sees_the_same() -> None:
    ground = Ground.named("bowl", noise=0.5)
    race = Race(ground, START, 2000, (Racer(Recipe(lr=1e-9)), Racer(Recipe(lr=1e-9))))
    one, other = race.run()
    assert np.array_equal(one.points, other.points)
    gradients = np.diff(one.points, axis=0) / -1e-9
    assert gradients.mean(0) == pytest.approx([6, 16], abs=0.05)
    assert gradients.std(0) == pytest.approx([0.5, 0.5], abs=0.03)
    ends = cloud(ground.walked, [START, (1.0, 1.0)], Recipe(lr=0.1), 20)
    alone = path(ground.walked, START, Recipe(lr=0.1), 20)
    assert np.allclose(ends[0], alone.end, rtol=1e-12)
    with pytest.raises(TaskError, match="noise is -1"):
        ground.shaped(noise=-1)


@pytest.mark.parametrize(
    ("clip", "expected"), [("norm", np.array([6, 16]) / np.hypot(6, 16) * 4), ("value", [4, 4])]
)
def test_a_moment_shows_the_gradient_before_and_after_clipping(clip, expected) -> None:
    race = Race.on(Ground.named("bowl"), Recipe(lr=0.1, clip=clip, clip_at=4.0))
    found = moment(race, 0)
    assert found.gradient == (6.0, 16.0)
    assert found.clipped == pytest.approx(expected, rel=1e-4)
    assert found.step == pytest.approx(-0.1 * np.array(expected), rel=1e-4)
    assert moment(race.changed(0, clip="none"), 0).clipped is None


def test_a_moment_of_adam() -> None:
    race = Race.on(Ground.named("bowl"), Recipe(optimizer="Adam", lr=0.15))
    found = moment(race, 0)
    assert found.at == START and found.gradient == (6.0, 16.0)
    assert found.step == pytest.approx((-0.15, -0.15))
    assert found.momentum == pytest.approx((0.6, 1.6))
    assert found.squares is not None and sqrt(found.squares[0]) == pytest.approx(6 * sqrt(0.001))
    assert moment(Race.on(Ground.named("bowl")), 3).momentum is None


def test_a_race_refuses_in_words() -> None:
    race = Race.on(Ground.named("bowl"))
    with pytest.raises(TaskError, match="lies off the picture"):
        Race(race.ground, (9.0, 9.0), 30, race.racers)
    with pytest.raises(TaskError, match="choose two finite numbers"):
        Race(race.ground, (float("nan"), 1.0), 30, race.racers)
    with pytest.raises(RecipeError, match="scale is 0"):
        race.changed(0, scale=0)
    with pytest.raises(RecipeError, match="1 to 3 racers"):
        Race(race.ground, START, 30, race.racers * 4)
    with pytest.raises(TaskError, match="did you mean 'bowl'"):
        Ground.named("bowel")
