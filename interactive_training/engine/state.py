"""The whole state of a run as one dictionary of tensors and plain values."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import OptState

from interactive_training.engine.errors import CheckpointError, TaskError, shown
from interactive_training.engine.task import Task

if TYPE_CHECKING:
    from interactive_training.engine.run import Run

COUNTERS = ("index", "groups", "epoch", "scale", "validated", "validation_loss")


def capture(run: "Run") -> dict[str, Any]:
    """Everything that the steps to come depend on, copied."""
    with torch.no_grad():
        parameters = {n: p.clone() for n, p in run.parameters.items()}
        buffers = {n: b.clone() for n, b in run.model.named_buffers()}
    return {
        "task": run.task.fingerprint,
        "task_name": run.task.name,
        "task_options": dict(run.task.options),
        "seed": run.seed,
        "recipe": run.recipe,
        "in_force": run.in_force,
        "counters": {name: getattr(run, name) for name in COUNTERS},
        "ticks": dict(run.ticks),
        "feed": run.feed.capture(),
        "parameters": parameters,
        "gradients": {n: copied(p.grad) for n, p in run.parameters.items()},
        "buffers": buffers,
        "training": {n: m.training for n, m in run.modules.items()},
        "optimizer": capture_optimizer(run),
        "scheduler": copied(run.scheduler.state_dict()) if run.scheduler else None,
        "scaler": capture_scaler(run) if run.scaler else None,
        "notes": list(run.notes),
        "generator": run.generator.get_state(),
        "outside": run.outside.capture() if run.draws == "unknown" else None,
    }


def restore(run: "Run", saved: dict[str, Any]) -> None:
    """Put a captured state into a run of the same task; `check` first."""
    run.seed = saved["seed"]
    run.rebuild(saved["in_force"], saved["recipe"])
    for name in COUNTERS:
        setattr(run, name, saved["counters"][name])
    run.ticks = dict(saved["ticks"])
    run.notes = list(saved["notes"])
    run.output = run.loss = None
    run.feed.restore(saved["feed"])
    with torch.no_grad():
        for name, parameter in run.parameters.items():
            parameter.copy_(saved["parameters"][name])
            grad = saved["gradients"][name]
            parameter.grad = None if grad is None else grad.clone().to(parameter.device)
        for name, buffer in run.model.named_buffers():
            buffer.copy_(saved["buffers"][name])
    for name, module in run.modules.items():
        module.training = saved["training"][name]
    # The scheduler exists by now: one that is made after its optimizer was loaded, and not
    # before, would write its starting rate over the loaded one.
    run.optimizer.load_state_dict(copied(saved["optimizer"]))
    if run.scheduler is not None:
        run.scheduler.load_state_dict(copied(saved["scheduler"]))
    if run.scaler is not None:
        restore_scaler(run, saved["scaler"])
    run.generator.set_state(saved["generator"])
    if saved["outside"] is not None:
        run.outside.restore(saved["outside"])


def capture_optimizer(run: "Run") -> dict[str, Any]:
    """The optimizer's state, copied; its groups are new dictionaries of plain values already."""
    saved: dict[str, Any] = run.optimizer.state_dict()
    return saved | {"state": copied(saved["state"])}


def capture_scaler(run: "Run") -> dict[str, Any]:
    """The loss scaler, with what it remembers of a step that has not been finished by update()."""
    unfinished = run.scaler._per_optimizer_states.get(id(run.optimizer))
    return {
        "values": run.scaler.state_dict(),
        "used": run.scaler._scale is not None,
        "stage": unfinished["stage"].value if unfinished else None,
        "found_inf": [found.clone() for found in unfinished["found_inf_per_device"].values()]
        if unfinished
        else [],
    }


def restore_scaler(run: "Run", saved: dict[str, Any]) -> None:
    """Put the captured loss scaler back."""
    run.scaler.load_state_dict(saved["values"])
    if saved["used"]:
        run.scaler.scale(torch.zeros((), device=run.device))  # what makes its scale a tensor
    if saved["stage"] is not None:
        unfinished = run.scaler._per_optimizer_states[id(run.optimizer)]
        unfinished["stage"] = OptState(saved["stage"])
        for found in saved["found_inf"]:
            unfinished["found_inf_per_device"][run.device] = found.clone().to(run.device)


def check(task: Task, saved: dict[str, Any]) -> None:
    """Raise CheckpointError unless the state belongs to this task."""
    if not isinstance(saved, dict) or "task" not in saved:
        raise CheckpointError("this is no captured state; make one with run.capture().")
    if saved["task"] != task.fingerprint:
        raise CheckpointError(
            f"the state is of another task ({saved['task_name']}), not of this {task.name}: model, "
            "data, loss and batch size must be the same; give the task that it was made with."
        )


def weights_for(run: "Run", weights: Any) -> dict[str, torch.Tensor]:
    """The weights to place by parameter name, copied; TaskError unless they fit."""
    parameters = run.parameters
    if not isinstance(weights, dict):
        several = len(parameters) > 1 and isinstance(weights, Iterable)
        values = list(weights) if several else [weights]
        if len(values) != len(parameters):
            raise TaskError(
                f"{len(values)} tensors are placed on {len(parameters)} parameters; give one each."
            )
        weights = dict(zip(parameters, values, strict=True))
    if not weights:
        raise TaskError("nothing is placed; name a parameter and its numbers.")
    placed = {}
    for name, value in weights.items():
        if name not in parameters:
            has = ", ".join(parameters)
            raise TaskError(f"{shown(name)} is no parameter; the model has {has}.")
        parameter = parameters[name]
        try:
            tensor = torch.as_tensor(value, dtype=parameter.dtype).detach().clone()
        except (TypeError, ValueError, RuntimeError):
            raise TaskError(f"{name} is placed at {shown(value)}; give it numbers.") from None
        if tensor.shape != parameter.shape:
            raise TaskError(
                f"{name} has shape {tuple(parameter.shape)}, not {tuple(tensor.shape)}; reshape it."
            )
        if not torch.isfinite(tensor).all():
            raise TaskError(f"{name} is placed at NaN or infinity; choose finite numbers.")
        placed[name] = tensor
    return placed


def place(run: "Run", placed: dict[str, torch.Tensor]) -> None:
    """Copy checked weights into the model."""
    with torch.no_grad():
        for name, tensor in placed.items():
            run.parameters[name].copy_(tensor)


def copied(value: Any) -> Any:
    """A copy of nested plain containers in which every tensor is a tensor of its own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(part) for part in value)
    return value


def finite(saved: dict[str, Any]) -> bool:
    """Whether all that a step starts from is finite; float16 may leave a gradient that is not."""
    found = tensors(saved)
    if saved["scaler"] is not None:
        found = {name: found[name] for name in found if not name.startswith("gradient of ")}
    return all(bool(torch.isfinite(tensor).all()) for tensor in found.values())


def size(saved: dict[str, Any]) -> int:
    """The bytes of the tensors of a state that can be large."""
    groups = [saved["parameters"], saved["gradients"], saved["buffers"], saved["feed"]]
    groups += saved["optimizer"]["state"].values()
    return sum(
        value.nbytes for group in groups for value in group.values() if isinstance(value, Tensor)
    )


def tensors(saved: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a state by name, in the order in which a step changes them."""
    found: dict[str, torch.Tensor] = {}
    for group, label in (
        ("gradients", "gradient of "),
        ("buffers", "buffer "),
        ("parameters", "parameter "),
    ):
        for name, tensor in saved[group].items():
            if tensor is not None:
                found[label + name] = tensor
    names = list(saved["parameters"])
    for number, values in saved["optimizer"]["state"].items():
        for key, value in values.items():
            if value is not None:
                found[f"optimizer {key} of {names[number]}"] = torch.as_tensor(value)
    for number, group in enumerate(saved["optimizer"]["param_groups"]):
        found[f"learning rate of group {number}"] = torch.tensor(group["lr"], dtype=torch.float64)
    found["random state"] = saved["generator"]
    found["order of the data"] = saved["feed"]["order"]
    return found
