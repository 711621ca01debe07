"""The one mutable object: a task, a seed, a recipe in force, and the whole state of training."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge
from torch.optim import Optimizer

from interactive_training.engine import build, checkpoint, state
from interactive_training.engine.choices import LOSSES, Field
from interactive_training.engine.errors import (
    BusyError,
    CheckpointError,
    RecipeError,
    Refused,
    TaskError,
    said,
    shown,
)
from interactive_training.engine.feed import Feed
from interactive_training.engine.measure import Step
from interactive_training.engine.plan import Plan, plan
from interactive_training.engine.randomness import FromGenerator, OutsideStates, draws
from interactive_training.engine.recipe import Recipe, schedule_values
from interactive_training.engine.task import Task, check_targets, copied
from interactive_training.engine.timeline import Timeline

NOTHING = nullcontext()


class Run:
    """A training run that stands between two steps; `train(run, n)` takes it n steps on.

    `task` is a Task or the name of a built-in one, `recipe` a Recipe, `seed` a whole number from
    0 on; `device` is "auto" (an accelerator when torch finds one), "cpu", "cuda" and so on.
    Raises TaskError or RecipeError when they do not fit together.

    Assign to `run.recipe` to change the training: the value is checked at once, is in force from
    the next step, and the old recipe stays when the check fails. A group of accumulated
    micro-batches that has begun keeps its size. Making or training a run leaves the random states
    outside as they are, and drawing numbers outside changes no run.
    """

    def __init__(
        self,
        task: Task | str,
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        device: str | torch.device = "auto",
    ) -> None:
        self.task = task_of(task)
        self.seed: int = Field("seed", 0, int, low=0, high=2**63 - 1).check(seed)
        self.device = pick_device(device, self.task)
        self.generator = torch.Generator().manual_seed(self.seed)
        self.model = self.task.new_model(self.generator).to(self.device)
        self.parameters = dict(self.model.named_parameters())
        self.modules = dict(self.model.named_modules())
        self.trainable = [(name, p) for name, p in self.parameters.items() if p.requires_grad]
        self.names = [name for name, _ in self.trainable]
        self.trained = [p for _, p in self.trainable]
        # Kept, so that a graph, which goes with its step, need not make them anew in the next.
        self._edges = [get_gradient_edge(p) for p in self.trained]
        self._owners = [
            (f"{name}.{key}".removeprefix("."), module, key)
            for name, module in self.modules.items()
            for key, buffer in module.named_buffers(recurse=False)
            if buffer.is_floating_point()
        ]
        self._training_flags = {name: m.training for name, m in self.modules.items()}
        self.draws = draws(self.model, self.device)
        self.from_generator = FromGenerator(self.generator)
        self.outside = OutsideStates(self.generator, self.seed, self.device)
        self._normalizes_rows = any(
            isinstance(m, nn.BatchNorm1d) and m.training for m in self.modules.values()
        )
        self.feed = Feed.at_the_start(self.task.rows, self.generator)
        self._put_data_on_device()

        # What the lines of a step leave for one another.
        self.x: Any = None
        self.y: Any = None
        self.output: Any = None
        self.loss: Any = None
        self.scale = 0.0
        self.validated = False
        self.validation_loss = float("nan")
        self.norms: list[torch.Tensor] = []
        self.measured: list[str] = []
        self.numbers: list[float] = []
        self.lr_used = 0.0
        self.last: Step | None = None  # the newest record

        self.index = 0  # micro-batches done
        self.groups = 0  # groups begun, the present one included
        self.epoch = 0  # epochs done
        self.ticks = {"batch": 0, "epoch": 0, "validation": 0}
        self.notes: list[tuple[int, str]] = []

        self.timeline = Timeline()
        self.threads: int | None = None  # that torch computes in; None: as many as there are
        self.claimed = False  # by a train or walk that could still go on
        self.busy = False  # in the middle of a step
        self._waiting: Recipe | None = None
        recipe = recipe if recipe is not None else Recipe()
        self.check(recipe)
        self.rebuild(recipe, recipe)

    # Recipe ------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """The recipe as last set; `in_force` differs from it only inside an accumulation group."""
        return self._waiting if self._waiting is not None else self.in_force

    @recipe.setter
    def recipe(self, recipe: Recipe) -> None:
        self.check(recipe)
        if recipe == self.recipe:
            return
        self.timeline.note(self, "recipe", recipe)
        self.set_recipe(recipe)

    def set_recipe(self, recipe: Recipe) -> None:
        """Put a checked recipe in force, now or, in the middle of a step, when the step is over."""
        self._waiting = recipe
        if not self.busy:
            self.settle()

    def settle(self) -> None:
        """Put what waits in force, as far as the group that has begun allows."""
        if self._waiting is None:
            return
        wanted = self._waiting
        if not self.feed.between_groups:
            old = self.in_force
            now = replace(wanted, accumulate=old.accumulate, batch_size=old.batch_size)
        else:
            now = wanted
        if now != self.in_force:
            self._change(now)
        self._waiting = None if now == wanted else wanted

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError if this run cannot use `recipe`."""
        if not isinstance(recipe, Recipe):
            raise RecipeError(f"a recipe is {type(recipe).__name__}; make one with Recipe(...).")
        task, loss = self.task, recipe.loss or self.task.loss
        size = recipe.batch_size or task.batch_size
        if task.data is not None:
            if size > task.rows:
                rest = f", but there are {task.rows} rows; choose at most {task.rows}."
                raise RecipeError(f"batch_size is {size}{rest}", Refused("batch_size", size, rest))
            row = LOSSES[loss]
            for name, value in dict(recipe.loss_options).items():
                field = row.field(name)
                if field is None:
                    raise RecipeError(f"{name!r} is no option of {loss}; leave it out.")
                field.check(value, "loss_options: ")
            if loss != task.loss:
                try:
                    check_targets(loss, task.answer, task.data.targets)
                except TaskError as error:
                    raise RecipeError(str(error)) from None
            one_row = size == 1 or task.rows % size == 1
            if recipe.mode == "train" and one_row and self._normalizes_rows:
                raise RecipeError(
                    f"batch_size {size} leaves a batch of one row, which BatchNorm cannot "
                    "normalize; choose another batch_size."
                )
        has_validation = task.data is not None and len(task.data.validation_inputs) > 0
        if recipe.validate_every is not None and not has_validation:
            raise RecipeError(
                "validate_every is set, but the task has no validation data; "
                "set it to None or give Task.of a validation pair."
            )
        if recipe.amp != "off":
            check_precision(self.device, recipe.amp, task)
        self._check_ticks(recipe)

    def _check_ticks(self, recipe: Recipe) -> None:
        if recipe.schedule != "OneCycleLR" or "schedule" not in recipe.stages:
            return
        end = int(schedule_values(recipe)["total_steps"])  # type: ignore[arg-type]
        if self.ticks[recipe.schedule_every] >= end:
            raise RecipeError(
                f"OneCycleLR ends after {end} ticks and {self.ticks[recipe.schedule_every]} are "
                "done; raise steps or choose another schedule."
            )

    def check_next(self) -> None:
        """Raise RecipeError if the recipe allows no further step."""
        self._check_ticks(self.in_force)

    def rebuild(self, in_force: Recipe, recipe: Recipe) -> None:
        """Make loss, optimizer, schedule and scaler anew for checked recipes."""
        self.in_force = in_force
        self._waiting = None if recipe == in_force else recipe
        self._set_loss(in_force)
        self._set_mode(in_force)
        self.optimizer: Optimizer = build.make_optimizer(self.model, in_force)
        self.scheduler: Any = build.make_scheduler(self.optimizer, in_force, 0)
        self.scaler: Any = build.make_scaler(self.device, in_force)
        self._set_plan(in_force)

    def _change(self, new: Recipe) -> None:
        old, self.in_force = self.in_force, new
        if (old.loss, old.loss_options, old.reduction) != (
            new.loss,
            new.loss_options,
            new.reduction,
        ):
            self._set_loss(new)
        if old.mode != new.mode:
            self._set_mode(new)
        fresh = build.needs_new_optimizer(old, new)
        if fresh:
            self.optimizer = build.make_optimizer(self.model, new)
            self.notes.append((self.index, f"{new.optimizer} starts with empty state"))
        else:
            build.edit_groups(self.optimizer, old, new)
        if fresh or build.needs_new_scheduler(old, new):
            self.scheduler = build.make_scheduler(
                self.optimizer, new, self.ticks[new.schedule_every]
            )
            if new.schedule == "ReduceLROnPlateau":
                self.notes.append((self.index, "ReduceLROnPlateau starts anew"))
        if old.amp != new.amp:
            self.scaler, self.scale = build.make_scaler(self.device, new), 0.0
        if new.validate_every is None:
            self.validated = False
        self._set_plan(new)

    def _set_mode(self, recipe: Recipe) -> None:
        for name, module in self.modules.items():
            module.training = recipe.mode == "train" and self._training_flags[name]

    def _set_loss(self, recipe: Recipe) -> None:
        data = self.task.data
        if data is None:
            return
        name = recipe.loss or self.task.loss
        self.loss_fn = build.make_loss(name, recipe, recipe.reduction).to(self.device)
        self.mean_loss_fn = build.make_loss(name, recipe, "mean").to(self.device)
        outputs = self.task.outputs
        self.targets = self.task.targets_for(name, data.targets, outputs).to(self.device)
        held_out = self.task.targets_for(name, data.validation_targets, outputs)
        self.validation = data.validation_inputs.to(self.device), held_out.to(self.device)
        self.feed.forget()

    def _set_plan(self, recipe: Recipe) -> None:
        self.amp_dtype = None if recipe.amp == "off" else getattr(torch, recipe.amp)
        self.plan: Plan = plan(recipe, self.draws == "dropout")
        size = recipe.batch_size or self.task.batch_size
        self.feed.set(size, recipe.accumulate, recipe.shuffle)

    def _put_data_on_device(self) -> None:
        data = self.task.data
        if data is not None:
            self.inputs = data.inputs.to(self.device)

    # The place in the data -----------------------------------------------------------------------

    @property
    def group_rows(self) -> int:
        """The number of rows in the present group of micro-batches."""
        return self.feed.group_rows

    @property
    def epoch_ends(self) -> bool:
        """Whether the present group is the last of its epoch."""
        return self.feed.epoch_ends

    @property
    def divisor(self) -> int:
        """What a mean loss divides by in this micro-batch, where a sum does not."""
        if self.x is None or self.y is None:
            return 1
        row = LOSSES[self.in_force.loss or self.task.loss]
        return len(self.x) if row.divisor == "rows" else self.y.numel()

    @property
    def float_buffers(self) -> list[tuple[str, torch.Tensor]]:
        """The buffers that could hold a NaN, by name; a model may put new ones in their place."""
        return [(name, getattr(module, key)) for name, module, key in self._owners]

    def accuracy(self) -> float:
        """The share of validation rows whose largest output is the right class, from 0 to 1."""
        assert self.task.data is not None
        right = self.task.data.validation_targets.to(self.device)
        model = copied(self.model).eval()
        with torch.no_grad(), self.outside.lent(spent=False):
            guesses = model(self.validation[0]).argmax(1)
        return float((guesses == right).float().mean())

    def fetch(self) -> None:
        """Take the next micro-batch out of the data, into `x` and `y`."""
        if not self.task.is_surface:
            self.x, self.y = self.feed.next(self.inputs, self.targets)
        self.groups += self.feed.first
        self.loss = self.output = None

    @property
    def skipped(self) -> bool:
        """Whether float16 left the last update out: a gradient overflowed and the scale fell."""
        return self.scaler is not None and self.scaler.get_scale() < self.scale

    def count(self) -> None:
        """Count a step that is over, and let go of its graph: only the loss is kept."""
        self.epoch += self.feed.offset == self.feed.rows
        if self.loss is not None:
            self.loss = self.loss.detach()
        self.output = None
        self.index += 1

    def surroundings(self) -> AbstractContextManager[None]:
        """What a line runs in: gradients on or off, and a run's own random states.

        Only a model that draws in ways of its own is lent the states.
        """
        if self.draws == "unknown":
            return self._lent()
        if torch.is_grad_enabled() == self.in_force.grad:
            return NOTHING
        return torch.set_grad_enabled(self.in_force.grad)

    @contextmanager
    def _lent(self) -> Iterator[None]:
        with torch.set_grad_enabled(self.in_force.grad), self.outside.lent():
            yield

    # Whole state -------------------------------------------------------------------------------

    def capture(self) -> dict[str, Any]:
        """The whole state, copied: restoring it makes the run go on bitwise as it would have."""
        self.refuse_inside_a_step("capture")
        return state.capture(self)

    def restore(self, saved: dict[str, Any]) -> None:
        """Go to a captured state of this task; history before it can no longer be rewound to.

        Raises CheckpointError, with the run as it was, if it is no whole state of this task.
        """
        self.refuse_inside_a_step("restore")
        state.check(self.task, saved)
        before = state.capture(self)
        try:
            state.restore(self, saved)
        except Exception as error:
            state.restore(self, before)
            raise CheckpointError(
                f"the state is not whole ({type(error).__name__}: {error}); capture it again."
            ) from error
        self.timeline = Timeline()

    def fork(self) -> "Run":
        """A twin with the same state and the same batches to come; nothing is shared."""
        saved = self.capture()
        twin = Run(self.task, saved["in_force"], seed=self.seed, device=self.device)
        state.restore(twin, saved)
        twin.threads = self.threads
        twin.timeline.keep(saved)
        return twin

    def save(self, path: str | Path) -> None:
        """Write the whole state to a file, which appears complete or not at all."""
        checkpoint.save(self.capture(), Path(path))

    @classmethod
    def load(
        cls, path: str | Path, task: Task | None = None, *, device: str | torch.device = "auto"
    ) -> "Run":
        """The run saved at `path`; give `task` when it was not a built-in one.

        Raises CheckpointError when the file is cut off, altered, made by a newer version or of
        another task. Files hold tensors and plain values only; loading one runs no code.
        """
        saved = checkpoint.load(Path(path))
        task = checkpoint.task_of(saved, task)
        run = cls(task, saved["in_force"], seed=saved["seed"], device=device)
        run.restore(saved)
        return run

    def place(self, weights: Any) -> None:
        """Put the parameters somewhere: numbers for a surface, else tensors or a state dict.

        Gradients and the optimizer's state stay; the move is recorded with its step. Raises
        TaskError, before anything moves, unless every shape fits and every number is finite.
        """
        self.refuse_inside_a_step("place")
        placed = state.weights_for(self, weights)
        self.timeline.note(self, "place", placed)
        state.place(self, placed)

    def refuse_inside_a_step(self, what: str) -> None:
        """Raise BusyError while a `walk` stands between two lines of a step."""
        if self.busy:
            raise BusyError(f"{what} waits for the step to end; finish or close the walk first.")

    def __repr__(self) -> str:
        return f"Run({self.task.name!r}, step {self.index}, seed={self.seed}, {self.device.type})"


def task_of(given: Any) -> Task:
    """The task that a run is made for, or TaskError."""
    if isinstance(given, str):
        return Task.named(given)
    if not isinstance(given, Task):
        kind = type(given).__name__
        raise TaskError(f"a task is {kind}; give its name or make one with Task.of.")
    return given


def pick_device(device: str | torch.device, task: Task) -> torch.device:
    """The device to train on; "auto" takes an accelerator if there is one, surfaces the CPU."""
    if str(device) == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if found is None or task.is_surface else found
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = f"device {shown(device)} cannot be used here ({said(error)})"
        raise TaskError(f'{reason}; use "auto".') from None
    return chosen


def check_precision(device: torch.device, amp: str, task: Task) -> None:
    """Raise RecipeError unless `amp` can be used for this task on this device."""
    if task.is_surface:
        raise RecipeError('a surface has no layers to run in 16 bits; set amp to "off".')
    can = torch.amp.autocast_mode.is_autocast_available(device.type)
    if can and device.type == "cuda" and amp == "bfloat16":
        can = torch.cuda.is_bf16_supported()
    if not can:
        raise RecipeError(f'{device.type} cannot compute in {amp} here; set amp to "off".')
