"""What a record says about a step: measured on the device, brought over in one read."""

from collections.abc import Mapping, Sequence
from math import hypot, isfinite, nan
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from interactive_training.engine.recipe import Recipe

if TYPE_CHECKING:
    from interactive_training.engine.run import Run


class Step(NamedTuple):
    """The record of one micro-batch: one forward, one backward.

    `loss` is the loss as the recipe reduces it and `rows` the micro-batch's size; `per_sample` is
    the loss on one scale for every reduction. `grad_norm` is the length of the whole gradient
    just before `clip` or `step`, `lengths` its length in each of the parameters `names` and
    `layer_norms` in each layer; `clip_scale` is the factor by which clipping shortens it (1.0:
    not clipped). `amp_scale` is float16's loss scale, else 1.0; `skipped` says that float16 left
    the step out, `updated` that an optimizer step was taken with a gradient. `metrics` holds
    `validation_loss` and `validation_accuracy` (from 0 to 1) when a validation was due. `recipe`
    is the recipe that was in force.
    """

    index: int  # type: ignore[assignment]  # in place of the method that every tuple has
    loss: float
    per_sample: float
    rows: int
    lr: float
    grad_norm: float
    names: Sequence[str]
    lengths: Sequence[float]
    clip_scale: float
    amp_scale: float
    skipped: bool
    updated: bool
    metrics: Mapping[str, float]
    recipe: Recipe

    def __repr__(self) -> str:
        shown = (f"{k}={v!r}" for k, v in self._asdict().items() if k not in UNSHOWN)
        return f"Step({', '.join(shown)})"

    @property
    def layer_norms(self) -> dict[str, float]:
        """The length of the gradient in each layer."""
        layers: dict[str, float] = {}
        for name, length in zip(self.names, self.lengths, strict=True):
            layer = name.rpartition(".")[0] or name
            layers[layer] = hypot(layers.get(layer, 0.0), length)
        return layers


UNSHOWN = ("names", "lengths", "recipe")
NO_METRICS: Mapping[str, float] = MappingProxyType({})


class NotFiniteInStep(Exception):
    """Raised inside a step by `read`; `train` turns it into NonFiniteError."""


def measure(run: "Run", recipe: Recipe) -> None:
    """Take the lengths of the gradients where they are, without reading them."""
    run.lr_used = run.optimizer.param_groups[0]["lr"]
    grads = [grad for p in run.trained if (grad := p.grad) is not None]
    run.measured = run.names
    if len(grads) < len(run.names):
        run.measured = [name for name, p in run.trainable if p.grad is not None]
    run.norms = list(torch._foreach_norm(grads)) if grads else []
    if grads and recipe.clip == "value":
        clipped = torch._foreach_clamp_max(grads, recipe.clip_at)
        clipped = torch._foreach_clamp_min(clipped, -recipe.clip_at)
        run.norms.append(torch.nn.utils.get_total_norm(clipped))


def read(run: "Run", recipe: Recipe) -> None:
    """Bring loss and lengths over in one read, and stop the step if one is not finite."""
    tensors = run.norms if run.loss is None else [run.loss, *run.norms]
    buffers = [buffer for _, buffer in run.float_buffers]
    if buffers:
        tensors = [*tensors, *torch._foreach_norm(buffers)]
    run.numbers = numbers(tensors, run.device)
    if not isfinite(sum(run.numbers)) and broken(run, recipe):
        raise NotFiniteInStep


def numbers(tensors: list[torch.Tensor], device: torch.device) -> list[float]:
    """The values of scalar tensors; a device that has to be waited for is asked once."""
    if device.type == "cpu" or not tensors:
        return list(map(torch.Tensor.item, tensors))
    return torch.stack(tensors).tolist()


def broken(run: "Run", recipe: Recipe) -> bool:
    """Whether a number read is not finite, other than gradients that float16 will skip."""
    numbers = run.numbers
    if recipe.amp == "float16":
        at = 0 if run.loss is None else 1
        numbers = numbers[:at] + numbers[at + len(run.norms) :]
    return not all(isfinite(number) for number in numbers)


def tick(run: "Run", recipe: Recipe) -> None:
    """Count what a schedule has just counted, whichever of the three it goes by."""
    ticks = run.ticks
    if run.scaler is None or not run.skipped:
        ticks["batch"] += 1
    if run.feed.end == run.feed.rows:
        ticks["epoch"] += 1
    if run.validated:
        ticks["validation"] += 1


def first_not_finite(run: "Run") -> str:
    """The name of the first tensor of this step, in order of cause, that is not finite."""
    candidates: list[tuple[str, Any]] = [("input", run.x), ("target", run.y)]
    candidates += [(f"parameter {name}", p) for name, p in run.parameters.items()]
    candidates += [(f"buffer {name}", b) for name, b in run.float_buffers]
    candidates += [("output", run.output), ("loss", run.loss)]
    candidates += [(f"gradient of {name}", p.grad) for name, p in run.trainable]
    for name, tensor in candidates:
        if isinstance(tensor, torch.Tensor) and not torch.isfinite(tensor).all():
            return name
    return "gradient norm"


def record(run: "Run", recipe: Recipe, ran: frozenset[str]) -> Step:
    """The record of the step that has just run the lines named in `ran`."""
    numbers, measured = run.numbers, run.measured
    loss, at = (nan, 0) if run.loss is None else (numbers[0], 1)
    lengths = numbers[at : at + len(measured)]
    total = hypot(*lengths)

    stepped, skipped, amp_scale = "step" in ran, False, 1.0
    if run.scaler is not None:
        skipped = stepped and run.skipped
        amp_scale = run.scale if stepped else run.scaler.get_scale()

    clip_scale = 1.0
    if recipe.clip != "none" and "clip" in ran and total > 0:
        if recipe.clip == "norm":
            clip_scale = min(1.0, recipe.clip_at / (total + 1e-6))
        else:
            clip_scale = numbers[at + len(measured)] / total

    return Step(
        run.index,
        loss,
        loss if recipe.reduction == "mean" else loss / run.divisor,
        run.feed.taken,
        run.lr_used,
        total,
        measured,
        lengths,
        clip_scale,
        amp_scale,
        skipped,
        stepped and bool(lengths) and not skipped,
        metrics(run) if run.validated and "validate" in ran else NO_METRICS,
        recipe,
    )


def metrics(run: "Run") -> dict[str, float]:
    """What a validation found: the mean loss and, for classes, the share of right answers."""
    found = {"validation_loss": run.validation_loss}
    if run.task.classes:
        found["validation_accuracy"] = run.accuracy()
    return found
