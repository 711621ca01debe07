"""The shipped digits: what they hold, how they are split, where they come from."""

import hashlib
from importlib.resources import files

import numpy as np
import pytest
import torch

from interactive_training.data import digits

FOLDER = files("interactive_training.data")


@pytest.fixture(scope="module")
def stored():
    with np.load(str(FOLDER / "digits.npz"), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_shapes_and_types():
    data = digits()
    rows = {"": 1197, "validation_": 300, "test_": 300}
    for part, count in rows.items():
        inputs = getattr(data, f"{part}inputs")
        targets = getattr(data, f"{part}targets")
        assert inputs.shape == (count, 64)
        assert inputs.dtype == torch.float32
        assert targets.shape == (count,)
        assert targets.dtype == torch.int64
        assert inputs.min() == 0
        assert inputs.max() == 1
        assert targets.unique().tolist() == list(range(10))
    assert repr(data).startswith("Data(inputs=(1197, 64), targets=(1197,), ")


def test_pixels_are_sixteenths_and_are_the_stored_ones(stored):
    data = digits()
    restored = torch.cat([data.inputs, data.validation_inputs, data.test_inputs]) * 16
    rows = np.concatenate([stored["training"], stored["validation"], stored["test"]])
    assert np.array_equal(restored.numpy(), stored["pixels"][rows].astype(np.float32))


def test_stored_types(stored):
    assert stored["pixels"].dtype == np.uint8
    assert stored["pixels"].shape == (1797, 64)
    assert stored["pixels"].max() == 16
    assert stored["labels"].dtype == np.uint8


def test_split_is_disjoint_complete_and_stratified(stored):
    parts = [stored[name] for name in ("training", "validation", "test")]
    together = np.concatenate(parts)
    assert np.array_equal(np.sort(together), np.arange(1797))
    for part in parts[1:]:
        assert np.bincount(stored["labels"][part]).tolist() == [30] * 10
    proportional = np.bincount(stored["labels"]) * 1197 / 1797
    assert np.all(np.abs(np.bincount(stored["labels"][parts[0]]) - proportional) < 2)


def test_each_call_returns_its_own_tensors():
    first = digits()
    first.inputs.zero_()
    assert digits().inputs.max() == 1


def test_licence_names_origin_and_exactly_this_file():
    text = (FOLDER / "LICENSES.md").read_text(encoding="utf-8")
    for needed in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "scikit-learn", "seed 0"):
        assert needed in text
    content = (FOLDER / "digits.npz").read_bytes()
    assert hashlib.sha256(content).hexdigest() in text
    assert hashlib.sha256(content + b"x").hexdigest() not in text
