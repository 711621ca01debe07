"""What is learned: data, model and its usual loss. A changed task means a new run."""

import copy
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from interactive_training import data as sets
from interactive_training.data import Data
from interactive_training.engine.choices import LOSSES, Field, named
from interactive_training.engine.errors import RecipeError, TaskError, said, shown
from interactive_training.engine.mlp import INITS, Layers
from interactive_training.engine.randomness import FromGenerator, apart, drawing
from interactive_training.engine.surfaces import SURFACES, Surface


class Height(nn.Module):
    """A function of two variables as a model: its only weight is the point `w`, its output L(w)."""

    def __init__(self, function: Surface, start: Sequence[float]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        self.function = function
        self.noisy = False  # whether the function draws random numbers

    def forward(self) -> torch.Tensor:
        """The height of the surface at `w`, a scalar."""
        return self.function(self.w)


@dataclass(frozen=True)
class Named:
    """A row of TASKS: the set, its layers and the batch size, with what the learner can change."""

    make: Callable[..., Data]
    layers: Layers
    loss: str
    batch_size: int
    notice: str


TASKS: Mapping[str, Named] = {
    "digits": Named(
        sets.digits,
        Layers(width=32),
        "CrossEntropyLoss",
        32,
        "Real handwritten digits, 8 x 8 pixels: guessing is right in 10 % of them.",
    ),
    "moons": Named(
        sets.moons, Layers(), "CrossEntropyLoss", 32, "Two arcs that no straight line parts."
    ),
    "spirals": Named(
        sets.spirals,
        Layers(width=32),
        "CrossEntropyLoss",
        32,
        "Two arms wound around each other: the hardest of the made sets.",
    ),
    "circles": Named(
        sets.circles, Layers(), "CrossEntropyLoss", 32, "A ring around a disc; one bend is enough."
    ),
    "xor": Named(
        sets.xor,
        Layers(),
        "CrossEntropyLoss",
        32,
        "Four quarters of two classes, which no line parts.",
    ),
    "blobs": Named(
        sets.blobs, Layers(), "CrossEntropyLoss", 32, "Clouds that a linear model can part as well."
    ),
    "regression": Named(
        sets.regression,
        Layers(width=32, activation="Tanh"),
        "MSELoss",
        32,
        "A wave with noise: no model gets below the noise's variance.",
    ),
}


BATCH_SIZE = Field("batch_size", 32, int, low=1, high=1e9)


@dataclass(frozen=True, eq=False)
class Task:
    """Data, model and usual loss; make one with `Task.named`, `Task.of` or `Task.surface`.

    `options` are what `Task.named` was given, so that a task can be made again from its name.
    """

    name: str
    model: nn.Module
    loss: str = "MSELoss"
    batch_size: int = 1
    data: Data | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    layers: Layers | None = None

    @classmethod
    def named(cls, name: str, **options: Any) -> "Task":
        """A built-in task: "digits", "moons", "spirals", "circles", "xor", "blobs", "regression".

        Options of the network are those of `Layers` (depth, width, activation, init, dropout,
        norm, residual), the others those of the set (such as noise and n). The names in SURFACES
        are tasks too; all take noise (of minibatches, 0 or more), "bowl" condition and angle.
        Raises TaskError for an unknown name or a bad option, with the nearest right one.
        """
        try:
            named("the task", name, (*TASKS, *SURFACES))
            if name in SURFACES:
                found = SURFACES[name]
                walked = cls.surface(found.shaped(name, options), found.start)
                return replace(walked, name=name, options=dict(options))
            row = TASKS[name]
            of_layers = {item.name for item in fields(Layers)}
            of_set = set(inspect.signature(row.make).parameters)
            for key in options:
                named(f"an option of {name}", key, sorted(of_layers | of_set))
            layers = replace(
                row.layers, **{key: options[key] for key in options if key in of_layers}
            )
            made = row.make(**{key: options[key] for key in options if key in of_set})
        except ValueError as error:
            raise TaskError(str(error), getattr(error, "refused", None)) from None
        # The template only carries the shapes: each run draws its own weights from its seed.
        with FromGenerator(torch.Generator()):
            model = layers.build(made.inputs.shape[1], outputs_for(made.targets))
        size = min(row.batch_size, len(made.inputs))
        return cls(name, model, row.loss, size, made, dict(options), layers)

    @classmethod
    def of(
        cls,
        model: nn.Module,
        inputs: Any,
        targets: torch.Tensor | None = None,
        *,
        loss: str = "CrossEntropyLoss",
        batch_size: int | None = None,
        validation: tuple[torch.Tensor, torch.Tensor] | None = None,
        test: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> "Task":
        """Your own model and data: `inputs` (N, ...) and `targets`, or one Dataset of such pairs.

        `loss` is one of LOSSES, `batch_size` by default 32 or what there is. CrossEntropyLoss
        takes class numbers, int64 of shape (N,), the others targets shaped like the model's
        output. The model is copied, so yours stays as it is. A model that draws random numbers
        other than by `nn.Dropout` gets the run's random states lent around each step. Raises
        TaskError when model, data and loss do not fit.
        """
        if targets is None:
            inputs, targets = stacked(inputs)
        check_tensors("training", inputs, targets)
        held_out = {"validation": validation, "test": test}
        parts = [held_out_rows(part, pair, inputs, targets) for part, pair in held_out.items()]
        made = Data(inputs, targets, *parts[0], *parts[1])
        try:
            named("loss", loss, LOSSES)
            size = BATCH_SIZE.check(min(32, len(inputs)) if batch_size is None else batch_size)
        except RecipeError as error:
            raise TaskError(str(error)) from None
        task = cls("own", copied(model), loss, size, made)
        task.check()
        return task

    @classmethod
    def surface(cls, function: Surface, start: Sequence[float]) -> "Task":
        """A function of two variables to walk down from `start`: float64, without data.

        `function` takes a tensor w of shape (2,) and returns a scalar made from it by torch.
        Raises TaskError when it does not, or when `start` is not finite.
        """
        model = height_of(function, start)
        try:
            height, model.noisy = drawing(model)
        except Exception as error:
            raise TaskError(
                f"the surface raised {type(error).__name__} at its start ({said(error)}); "
                "mend the function or move the start."
            ) from error
        if not isinstance(height, torch.Tensor) or height.ndim != 0:
            raise TaskError("the surface must return one number; end it with .sum(), for example.")
        if not height.requires_grad:
            raise TaskError("the surface cannot be differentiated; compute it from w with torch.")
        if not torch.isfinite(height):
            raise TaskError(f"the surface is {height.item()} at its start; move the start.")
        return cls("surface", model)

    @cached_property
    def is_surface(self) -> bool:
        """Whether this task is a function of two variables, without data."""
        return self.data is None

    @property
    def initialize(self) -> Callable[[nn.Module], None] | None:
        """The function that initializes the weights of a named task, if not torch's own way."""
        return None if self.layers is None else INITS[self.layers.init]

    @property
    def set_options(self) -> frozenset[str]:
        """The options that belong to the set of a named task, and not to its layers."""
        return frozenset(inspect.signature(TASKS[self.name].make).parameters)

    def set_default(self, name: str) -> Any:
        """The default of one of `set_options`."""
        return inspect.signature(TASKS[self.name].make).parameters[name].default

    @property
    def is_named(self) -> bool:
        """Whether the task can be made again from its name and options alone."""
        return self.name in TASKS or self.name in SURFACES

    @property
    def rows(self) -> int:
        """The number of training rows; a surface counts as one."""
        return 1 if self.data is None else len(self.data.inputs)

    @property
    def classes(self) -> bool:
        """Whether the targets are class numbers."""
        return self.data is not None and not self.data.targets.is_floating_point()

    @cached_property
    def outputs(self) -> int:
        """The number of outputs of the model for one row, or 0 for a surface."""
        if self.data is None:
            return 0
        if self.layers is not None:
            return outputs_for(self.data.targets)
        return int(self.answer[0].numel())

    def new_model(self, generator: torch.Generator) -> nn.Module:
        """A model to train: drawn from `generator` for a named task, else a copy of your own."""
        if self.layers is None or self.data is None:
            return copied(self.model)
        with FromGenerator(generator):
            return self.layers.build(self.data.inputs.shape[1], self.outputs)

    def targets_for(self, loss: str, targets: torch.Tensor, outputs: int) -> torch.Tensor:
        """The targets as `loss` takes them: class numbers, or one-hot rows made of them."""
        if not self.classes or LOSSES[loss].targets == "ids":
            return targets
        return nn.functional.one_hot(targets.long(), outputs).float()

    def check(self) -> None:
        """Raise TaskError unless model, data and loss fit together."""
        assert self.data is not None
        if not any(p.requires_grad for p in self.model.parameters()):
            raise TaskError("the model has no trainable parameters; set requires_grad on some.")
        for name, tensor in (*self.model.named_parameters(), *self.model.named_buffers()):
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise TaskError(f"{name} of the model holds NaN or infinity; initialize it anew.")
        for targets in (self.data.targets, self.data.validation_targets, self.data.test_targets):
            if len(targets):
                check_targets(self.loss, self.answer, targets)

    @cached_property
    def answer(self) -> torch.Tensor:
        """What a copy of the model answers to two rows, in eval mode and without gradients."""
        assert self.data is not None
        inputs = self.data.inputs[:2]
        model = copied(self.model).eval()
        with torch.no_grad(), apart():
            try:
                output = model(inputs)
            except Exception as error:
                raise TaskError(
                    f"the model raised {type(error).__name__} on two rows ({said(error)}); "
                    "mend its forward or the shape of the inputs."
                ) from error
        if not isinstance(output, torch.Tensor):
            raise TaskError(
                f"the model returned {type(output).__name__}; let forward return one tensor."
            )
        return output

    @cached_property
    def fingerprint(self) -> str:
        """A short text that is the same for the same task; files carry it."""
        digest = hashlib.sha256(f"{self.name};{self.loss};{self.batch_size};".encode())
        for key, value in sorted(self.options.items()):
            digest.update(f"{key}={value!r};".encode())
        for name, parameter in self.model.named_parameters():
            digest.update(f"{name}{tuple(parameter.shape)}".encode())
        if not self.is_named and self.data is not None:
            for tensor in vars(self.data).values():
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def height_of(function: Any, start: Any) -> Height:
    """The surface as a model that stands at its start, or TaskError."""
    if not callable(function):
        kind = type(function).__name__
        raise TaskError(f"the surface is {kind}; give a function of w.")
    try:
        x, y = start
        model = Height(function, (float(x), float(y)))
    except (TypeError, ValueError):
        raise TaskError(f"start is {shown(start)}; write two numbers, like (3, 2).") from None
    if not torch.isfinite(model.w).all():
        raise TaskError(f"start is {shown(start)}; choose two finite numbers.")
    return model


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of a model, or TaskError in words."""
    if not isinstance(model, nn.Module):
        raise TaskError(f"the model is {type(model).__name__}; give an nn.Module.")
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise TaskError(
            f"the model cannot be copied ({said(error)}); keep only layers in it."
        ) from error


def stacked(dataset: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of a Dataset of (input, target) pairs as two tensors."""
    try:
        pairs = [dataset[i] for i in range(len(dataset))]
        inputs = torch.stack([torch.as_tensor(x) for x, _ in pairs])
        targets = torch.stack([torch.as_tensor(y) for _, y in pairs])
    except Exception as error:
        raise TaskError(
            f"the data cannot be stacked ({said(error)}); give inputs and targets as two tensors, "
            "or a Dataset of equally shaped (input, target) pairs."
        ) from error
    return inputs, targets


def held_out_rows(
    part: str, pair: Any, inputs: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of the validation or the test part, none by default; TaskError if they are unlike.

    `inputs` and `targets` are the training rows.
    """
    if pair is None:
        return inputs[:0], targets[:0]
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TaskError(f"{part} is a pair of inputs and targets; write {part}=(inputs, targets).")
    check_tensors(part, *pair)
    for what, ours, trained in (("inputs", pair[0], inputs), ("targets", pair[1], targets)):
        if (ours.shape[1:], ours.dtype) != (trained.shape[1:], trained.dtype):
            raise TaskError(
                f"a row of the {part} {what} has shape {tuple(ours.shape[1:])} in {ours.dtype}, "
                f"and in training {tuple(trained.shape[1:])} in {trained.dtype}; make them alike."
            )
    return pair[0], pair[1]


def outputs_for(targets: torch.Tensor) -> int:
    """How many outputs a network needs: one per class, or the width of the target values."""
    if targets.is_floating_point():
        return int(targets.shape[1])
    return int(targets.max()) + 1


def check_tensors(part: str, inputs: Any, targets: Any) -> None:
    """Raise TaskError unless both are tensors of equally many finite rows."""
    for what, tensor in (("inputs", inputs), ("targets", targets)):
        if not isinstance(tensor, torch.Tensor):
            kind = type(tensor).__name__
            raise TaskError(f"the {part} {what} are {kind}; make a tensor with torch.as_tensor.")
        if tensor.ndim == 0:
            raise TaskError(f"the {part} {what} have no rows; give a tensor of shape (N, ...).")
    if len(inputs) != len(targets):
        raise TaskError(
            f"{len(inputs)} {part} inputs stand against {len(targets)} targets; give one for each."
        )
    if part == "training" and len(inputs) == 0:
        raise TaskError("the training data is empty; give at least one row.")
    for what, tensor in (("inputs", inputs), ("targets", targets)):
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            bad = ~torch.isfinite(tensor).reshape(len(tensor), -1).all(1)
            row = int(bad.nonzero()[0])
            raise TaskError(
                f"the {part} {what} hold NaN or infinity, first in row {row}; drop or mend it."
            )


def check_targets(loss: str, output: torch.Tensor, targets: torch.Tensor) -> None:
    """Raise TaskError unless `targets` (N, ...) suit `loss` on a model that answers `output`."""
    shape, wanted = tuple(targets.shape[1:]), tuple(output.shape[1:])
    if LOSSES[loss].targets == "values":
        if not targets.is_floating_point() and not (targets.ndim == 1 and output.ndim == 2):
            raise TaskError(f"{loss} takes float targets; convert them with targets.float().")
        if targets.is_floating_point() and shape != wanted:
            remedy = (
                "use targets.unsqueeze(1)"
                if wanted == (*shape, 1)
                else "use model outputs and targets of one shape"
            )
            raise TaskError(
                f"a target has shape {shape} and an output {wanted}, which torch would spread "
                f"over each other; {remedy}."
            )
        outside = bool(((targets < 0) | (targets > 1)).any())
        if loss == "BCEWithLogitsLoss" and targets.is_floating_point() and outside:
            raise TaskError("BCEWithLogitsLoss takes targets from 0 to 1; rescale them.")
        if not targets.is_floating_point():
            check_ids(targets, output)
        return
    if targets.is_floating_point():
        raise TaskError(f"{loss} takes class numbers of type int64; use targets.long().")
    if targets.ndim != 1:
        remedy = "use targets.squeeze(1)" if shape == (1,) else "give one class number a row"
        raise TaskError(f"{loss} takes targets of shape (N,), not (N, {shape[0]}); {remedy}.")
    if targets.dtype != torch.int64:
        raise TaskError(f"{loss} takes int64 targets, not {targets.dtype}; use targets.long().")
    check_ids(targets, output)


def check_ids(targets: torch.Tensor, output: torch.Tensor) -> None:
    """Raise TaskError unless every class number has an output of its own."""
    if output.ndim != 2:
        raise TaskError(f"outputs have shape {tuple(output.shape)}; one row of logits is needed.")
    classes = output.shape[1]
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        raise TaskError(
            f"a target is class {wrong}, but the model has {classes} outputs, for the classes "
            f"0 to {classes - 1}; number the classes from 0 or add outputs."
        )
