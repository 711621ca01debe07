"""float16: what overflows is skipped and leaves no trace, and what does not is plain training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from interactive_training import Recipe, Run, Task, train

HALF = Recipe(amp="float16", lr=0.1)


class Steep(torch.nn.Module):
    """A single weight, whose gradient is the mean of the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.w


def steep(slope: float, recipe: Recipe = HALF) -> Run:
    """A run whose gradient is this slope, in float16, at every step."""
    inputs, targets = torch.full((8, 1), slope), torch.full((8, 1), -1e4)
    return Run(Task.of(Steep(), inputs, targets, loss="L1Loss", batch_size=8), recipe)


def skips(slope: float) -> int:
    """How often the scale has to be halved until the scaled gradient is below 65520."""
    scale, count = 65536.0, 0
    while slope * scale >= 65520:
        scale, count = scale / 2, count + 1
    return count


@pytest.mark.parametrize("slope", [0.5, 1.0, 10.0, 100.0])
def test_the_scale_after_k_overflows_is_halved_k_times(slope: float) -> None:
    run, k = steep(slope), skips(slope)
    steps = list(train(run, k + 3))
    assert [step.skipped for step in steps] == [True] * k + [False] * 3
    assert [step.updated for step in steps] == [False] * k + [True] * 3
    assert run.scaler.get_scale() == 65536 / 2**k
    assert [step.amp_scale for step in steps] == [65536 / 2**i for i in range(k)] + 3 * [
        65536 / 2**k
    ]
    assert steps[-1].grad_norm == pytest.approx(slope)


def test_a_gradient_of_ten_is_skipped_four_times() -> None:
    assert skips(10.0) == 4 and 65536 / 2**4 == 4096


def flat(value: Any) -> Iterator[Any]:
    """The numbers and tensors in nested containers."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from flat(part)
    else:
        yield value.tolist() if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("schedule", ["StepLR", "CosineAnnealingLR", "OneCycleLR"])
def test_a_skipped_step_leaves_weights_moments_and_schedule_bitwise(
    optimizer: str, schedule: str
) -> None:
    recipe = Recipe(
        amp="float16",
        optimizer=optimizer,
        momentum=0.9,
        schedule=schedule,
        schedule_options={"step_size": 1} if schedule == "StepLR" else {},
        lr=1e-3,
    )
    run = steep(0.5, recipe)
    for _ in train(run, 3):
        pass
    run.inputs *= 100  # now it overflows
    for _ in range(3):
        before = run.capture()
        (step,) = train(run, 1)
        after = run.capture()
        assert step.skipped and not step.updated
        for part in ("parameters", "buffers", "optimizer", "scheduler"):
            assert list(flat(before[part])) == list(flat(after[part])), part
        assert before["ticks"]["batch"] == after["ticks"]["batch"]


def test_without_overflow_float16_is_its_own_unscaled_training() -> None:
    """The scale is a power of two, so scaling and unscaling lose nothing; skips apart."""
    scaled = Run("moons", HALF)
    (first,) = train(scaled, 1)
    plain = Run("moons", Recipe(lr=0.1))
    with torch.autocast("cpu", dtype=torch.float16):
        plain.fetch()
        loss = plain.loss_fn(plain.model(plain.x), plain.y)
    loss.backward()
    assert first.loss == loss.item() and not first.skipped
    for one, other in zip(scaled.model.parameters(), plain.model.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=2e-3, atol=1e-5)


def test_clipping_sees_unscaled_gradients() -> None:
    recipe = Recipe(amp="float16", clip="norm", clip_at=0.25, lr=0.1)
    run = steep(0.5, recipe)
    (step,) = train(run, 1)
    assert step.grad_norm == pytest.approx(0.5)
    assert step.clip_scale == pytest.approx(0.5, rel=1e-4)
    assert abs(run.model.w.item()) == pytest.approx(0.1 * 0.25, rel=1e-4)


def test_clipping_before_unscale_clips_what_is_scaled() -> None:
    order = ("zero_grad", "forward", "backward", "clip", "unscale", "step")
    run = steep(0.5, Recipe(amp="float16", clip="norm", clip_at=0.25, lr=0.1, stages=order))
    (step,) = train(run, 1)
    assert step.grad_norm == pytest.approx(0.5 * 65536)
    assert abs(run.model.w.item()) == pytest.approx(0.1 * 0.25 / 65536, rel=1e-3)


@pytest.mark.parametrize("at", [0, 1, 5])
def test_a_resumed_run_can_clip_in_its_first_step(at: int, tmp_path: Any) -> None:
    """GradScaler refuses unscale_ before it has scaled anything, so its state has to be whole."""
    recipe = Recipe(amp="float16", clip="norm", clip_at=0.1, schedule="OneCycleLR")
    run = Run("digits", recipe)
    for _ in train(run, at):
        pass
    run.save(tmp_path / "run.pt")
    loaded = Run.load(tmp_path / "run.pt")
    found = [[(s.loss, s.amp_scale) for s in train(one, 5)] for one in (run, loaded)]
    assert found[0] == found[1]


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_precision_changed_live(amp: str) -> None:
    run = Run("digits", Recipe(momentum=0.9))
    for change in (amp, "off", amp):
        for _ in train(run, 3):
            pass
        run.recipe = Recipe(momentum=0.9, amp=change)
        assert (run.scaler is not None) == (change == "float16")
    (step,) = train(run, 1)
    assert step.amp_scale == (65536 if amp == "float16" else 1)


def test_growth_waits_for_two_thousand_good_steps() -> None:
    scaler = steep(0.5).scaler
    assert (scaler.get_growth_interval(), scaler.get_growth_factor()) == (2000, 2.0)


def test_on_digits_a_mean_never_overflows_and_a_sum_does_at_once() -> None:
    mean = [step.amp_scale for step in train(Run("digits", HALF), 2001)]
    assert set(mean[:2000]) == {65536.0}
    assert mean[2000] == 131072.0  # 2,000 steps without overflow
    run = Run("digits", Recipe(amp="float16", lr=0.05, reduction="sum"))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    (first,) = train(run, 1)
    assert first.skipped
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())
    steps = [first, *train(run, 40)]
    skipped = sum(step.skipped for step in steps)
    assert skipped >= 3
    assert run.scaler is not None
    assert run.scaler.get_scale() == 65536 / 2**skipped
