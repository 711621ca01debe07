"""The made sets: form, balance, repeatability and what they refuse."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interactive_training import data as sets

CLASSED = ["moons", "circles", "spirals", "xor", "blobs"]
MADE = [*CLASSED, "regression"]
FIELDS = [
    "inputs",
    "targets",
    "validation_inputs",
    "validation_targets",
    "test_inputs",
    "test_targets",
]


def make(name, **options):
    return getattr(sets, name)(**options)


def same(first, second):
    return all(torch.equal(getattr(first, field), getattr(second, field)) for field in FIELDS)


@pytest.mark.parametrize("name", MADE)
def test_split_is_sixty_twenty_twenty(name):
    data = make(name, n=500)
    assert [len(getattr(data, field)) for field in FIELDS] == [300, 300, 100, 100, 100, 100]


@pytest.mark.parametrize("name", MADE)
def test_types(name):
    data = make(name)
    width = 1 if name == "regression" else 2
    for part in ("", "validation_", "test_"):
        inputs, targets = getattr(data, f"{part}inputs"), getattr(data, f"{part}targets")
        assert inputs.dtype == torch.float32
        assert inputs.shape[1:] == (width,)
        assert inputs.isfinite().all()
        assert inputs.is_contiguous()
        if name == "regression":
            assert targets.dtype == torch.float32
            assert targets.shape == (len(inputs), 1)
        else:
            assert targets.dtype == torch.int64
            assert targets.shape == (len(inputs),)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(CLASSED), n=st.integers(15, 200), seed=st.integers(0, 2**40))
def test_every_part_is_balanced(name, n, seed):
    data = make(name, n=n, seed=seed)
    assert sum(len(getattr(data, field)) for field in FIELDS[::2]) == n
    for field in FIELDS[1::2]:
        counts = torch.bincount(getattr(data, field))
        assert len(counts) == (3 if name == "blobs" else 2)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", MADE)
def test_no_row_is_in_two_parts(name):
    data = make(name, n=300)
    rows = torch.cat([data.inputs, data.validation_inputs, data.test_inputs])
    assert len(rows.unique(dim=0)) == 300


@pytest.mark.parametrize("name", CLASSED)
def test_training_rows_are_not_in_order_of_class(name):
    targets = make(name).targets
    changes = (targets[1:] != targets[:-1]).sum()
    assert 50 < changes < 299


@pytest.mark.parametrize("name", MADE)
def test_seed_decides_everything(name):
    assert same(make(name, seed=3), make(name, seed=3))
    assert not same(make(name, seed=3), make(name, seed=4))


@pytest.mark.parametrize("name", [*MADE, "digits"])
def test_outside_random_state_is_untouched(name):
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    make(name)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]
    # Negative control: this comparison does see a draw.
    torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), before[0])


@pytest.mark.parametrize("name", MADE)
def test_thread_count_and_default_type_do_not_matter(name):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = make(name, n=70_000)
        torch.set_num_threads(3)
        torch.set_default_dtype(torch.float64)
        three = make(name, n=70_000)
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(torch.float32)
    assert same(one, three)


def test_shapes_without_noise():
    moons = sets.moons(noise=0)
    upper = moons.inputs[moons.targets == 0]
    lower = moons.inputs[moons.targets == 1]
    assert torch.allclose(upper.norm(dim=1), torch.ones(len(upper)))
    assert (upper[:, 1] >= -1e-6).all()
    assert torch.allclose((lower - torch.tensor([1, 0.5])).norm(dim=1), torch.ones(len(lower)))

    circles = sets.circles(noise=0, factor=0.4)
    radius = torch.where(circles.targets == 1, 0.4, 1.0)
    assert torch.allclose(circles.inputs.norm(dim=1), radius)

    xor = sets.xor(noise=0)
    assert torch.equal(xor.targets, (xor.inputs.prod(dim=1) < 0).long())
    quadrants = (xor.inputs > 0).long() @ torch.tensor([1, 2])
    assert torch.bincount(quadrants).min() > 50

    blobs = sets.blobs(classes=5, noise=0)
    assert len(blobs.inputs.unique(dim=0)) == 5

    spirals = sets.spirals(noise=0, turns=2)
    outward = spirals.inputs.norm(dim=1).double() / 2
    turned = torch.atan2(spirals.inputs[:, 1], spirals.inputs[:, 0]).double()
    expected = 4 * math.pi * outward + math.pi * spirals.targets
    assert torch.allclose((turned - expected).cos(), torch.ones(300).double(), atol=1e-6)

    wave = sets.regression(noise=0)
    assert torch.allclose(wave.targets, (3 * wave.inputs).sin() + wave.inputs / 2, atol=1e-6)


@pytest.mark.parametrize("name", MADE)
def test_noise_has_the_stated_size(name):
    clean, noisy = make(name, n=4000, noise=0), make(name, n=4000, noise=0.25)
    field = "targets" if name == "regression" else "inputs"
    assert (getattr(noisy, field) - getattr(clean, field)).std().item() == pytest.approx(0.25, 0.05)


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    "bad",
    [
        {"n": 9},
        {"n": 10.0},
        {"n": True},
        {"noise": -0.1},
        {"noise": math.nan},
        {"noise": math.inf},
        {"seed": -1},
        {"seed": 0.5},
    ],
)
def test_bad_values_are_refused_with_one_sentence(name, bad):
    with pytest.raises(ValueError, match=rf"^{name}: {next(iter(bad))} must .*; try .*\.$"):
        make(name, **bad)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("spirals", {"turns": 0}),
        ("spirals", {"turns": math.inf}),
        ("circles", {"factor": 0}),
        ("circles", {"factor": 1}),
        ("blobs", {"classes": 1}),
        ("blobs", {"classes": 21}),
        ("blobs", {"classes": 2.0}),
        ("blobs", {"n": 14}),
    ],
)
def test_bad_shapes_are_refused_with_one_sentence(name, bad):
    with pytest.raises(ValueError, match=rf"^{name}: .*; try .*\.$"):
        make(name, **bad)


@pytest.mark.parametrize("name", MADE)
def test_smallest_set(name):
    options = {"classes": 2} if name == "blobs" else {}
    assert len(make(name, n=10, **options).inputs) == 6
