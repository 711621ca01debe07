"""One labelled set, cut into the three parts that an honest experiment needs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Rows to learn from, rows to watch while learning, and rows kept for the very end.

    `inputs` has shape (rows, features) in float32. `targets` is one int64 class number a row,
    shape (rows,), or for regression one float32 value a row, shape (rows, 1). The validation and
    test pairs have the same form. No row is in two parts.

    Notice: whoever tunes a recipe on the test rows has turned them into validation rows.
    """

    inputs: Tensor
    targets: Tensor
    validation_inputs: Tensor
    validation_targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor

    def __repr__(self) -> str:
        """Name the shape of every part instead of printing thousands of numbers."""
        parts = (f"{field.name}={tuple(getattr(self, field.name).shape)}" for field in fields(self))
        return f"Data({', '.join(parts)})"


def split(inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Data:
    """Cut rows into 60 % training, 20 % validation and 20 % test.

    Rows must arrive with their classes dealt like cards (0, 1, 2, 0, 1, 2, ...): then any
    neighbouring rows are balanced to within one row, and so is each part. Every part is shuffled
    afterwards, so that a run without shuffling does not see the classes in turn.
    """
    held_out = len(inputs) // 5
    rows = torch.arange(len(inputs))
    test, validation, training = (
        part[torch.randperm(len(part), generator=generator)]
        for part in (rows[:held_out], rows[held_out : 2 * held_out], rows[2 * held_out :])
    )
    return Data(
        inputs=inputs[training],
        targets=targets[training],
        validation_inputs=inputs[validation],
        validation_targets=targets[validation],
        test_inputs=inputs[test],
        test_targets=targets[test],
    )
