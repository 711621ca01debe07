"""From the names in a recipe to torch objects: loss, optimizer, schedule, scaler."""

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from interactive_training.engine.choices import LOSSES, OPTIMIZERS, SCHEDULES
from interactive_training.engine.recipe import Recipe, optimizer_values, schedule_values

# What the schedules of torch leave behind in the groups of an optimizer.
LEFT_BY_SCHEDULES = (
    "initial_lr",
    "max_lr",
    "min_lr",
    "base_momentum",
    "max_momentum",
)


def make_loss(name: str, recipe: Recipe, reduction: str) -> nn.Module:
    """The loss `name` with the recipe's options."""
    made: nn.Module = LOSSES[name].make(reduction=reduction, **dict(recipe.loss_options))
    return made


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimizer over all parameters, with empty state."""
    made: Optimizer = OPTIMIZERS[recipe.optimizer].make(
        model.parameters(), **optimizer_values(recipe)
    )
    return made


def needs_new_optimizer(old: Recipe, new: Recipe) -> bool:
    """Whether the state that the old optimizer has gathered cannot be used by the new one."""
    return old.optimizer != new.optimizer or state_layout(old) != state_layout(new)


def state_layout(recipe: Recipe) -> dict[str, bool]:
    """Which of its optional parts the optimizer's state has."""
    values = optimizer_values(recipe)
    if recipe.schedule == "OneCycleLR" and schedule_values(recipe)["cycle_momentum"]:
        values["momentum"] = True  # the schedule sets it from the first step on
    fields = OPTIMIZERS[recipe.optimizer].fields
    return {field.name: bool(values[field.name]) for field in fields if field.restarts}


def edit_groups(optimizer: Optimizer, old: Recipe, new: Recipe) -> None:
    """Put the values that changed into every group; the optimizer keeps its state."""
    before, after = optimizer_values(old), optimizer_values(new)
    for group in optimizer.param_groups:
        group.update({name: after[name] for name in after if after[name] != before[name]})


def needs_new_scheduler(old: Recipe, new: Recipe) -> bool:
    """Whether the learning rates to come are different ones."""
    names = ("lr", "steps", "schedule", "schedule_options", "schedule_every")
    return any(getattr(old, name) != getattr(new, name) for name in names)


def make_scheduler(optimizer: Optimizer, recipe: Recipe, ticks: int) -> LRScheduler | None:
    """The recipe's schedule as it stands after `ticks` ticks, with its rate in the optimizer.

    A plateau schedule starts anew, because it depends on losses that are gone.
    """
    values = optimizer_values(recipe)
    for group in optimizer.param_groups:
        group.update({name: value for name, value in values.items() if name in group})
        for name in LEFT_BY_SCHEDULES:
            group.pop(name, None)
    if recipe.schedule is None:
        return None
    made: LRScheduler = SCHEDULES[recipe.schedule].make(optimizer, **schedule_values(recipe))
    if recipe.schedule != "ReduceLROnPlateau" and ticks:
        # The steps that these ticks belong to were taken, by this optimizer or the one before it.
        optimizer._opt_called = True  # type: ignore[attr-defined]
        for _ in range(ticks):
            made.step()
    return made


def make_scaler(device: torch.device, recipe: Recipe) -> torch.amp.GradScaler | None:
    """The loss scaler that float16 needs, else None."""
    return torch.amp.GradScaler(device.type) if recipe.amp == "float16" else None
