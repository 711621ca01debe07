"""Real measurements that ship inside the package: nothing is downloaded."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import torch

from interactive_training.data.split import Data


def digits() -> Data:
    """Read 1,797 handwritten digits, each an image of 8 x 8 pixels laid out as 64 numbers.

    Inputs are float32, shape (rows, 64), from 0.0 (paper) to 1.0 (ink) in steps of 1/16; targets
    are int64 from 0 to 9. The split is fixed: 1,197 training, 300 validation and 300 test rows,
    the latter two with 30 of each digit. Origin and licence: `LICENSES.md` beside this file.

    Notice: the same people wrote in all three parts, so a test score here says nothing about the
    handwriting of somebody new.
    """
    packaged = files("interactive_training.data") / "digits.npz"
    with as_file(packaged) as path, np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}

    # A sixteenth is a power of two, so dividing loses nothing.
    inputs = torch.from_numpy(arrays["pixels"]).to(torch.float32) / 16
    targets = torch.from_numpy(arrays["labels"]).to(torch.int64)
    training, validation, test = (
        torch.from_numpy(arrays[part].astype(np.int64))
        for part in ("training", "validation", "test")
    )
    return Data(
        inputs=inputs[training],
        targets=targets[training],
        validation_inputs=inputs[validation],
        validation_targets=targets[validation],
        test_inputs=inputs[test],
        test_targets=targets[test],
    )
