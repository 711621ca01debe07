"""One training step, line by line.

Each stage is one line of the step that a textbook prints, written as a function of the run. The
recipe holds their order, so a line can be dropped, moved or repeated. A stage branches on nothing
but the recipe and the task: `source` keeps the branches that a recipe takes, puts the values in
place of the fields, and prints what is left as the learner's code.
"""

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from interactive_training.engine.recipe import Recipe
    from interactive_training.engine.run import Run


def zero_grad(run: "Run", recipe: "Recipe") -> None:
    """Forget the old gradient, which `backward` would otherwise add to."""
    if recipe.keep_grad > 0:
        for p in run.model.parameters():
            if p.grad is not None:
                p.grad *= recipe.keep_grad
    elif recipe.set_to_none:
        run.optimizer.zero_grad()
    else:
        run.optimizer.zero_grad(set_to_none=False)


def forward(run: "Run", recipe: "Recipe") -> None:
    """Ask the model, and measure how wrong its answer is."""
    if run.task.is_surface:
        run.loss = run.model()
    elif recipe.amp == "off":
        run.output = run.model(run.x)
        run.loss = run.loss_fn(run.output, run.y)
    else:
        with torch.autocast(run.device.type, dtype=run.amp_dtype):
            run.output = run.model(run.x)
            run.loss = run.loss_fn(run.output, run.y)


def backward(run: "Run", recipe: "Recipe") -> None:
    """Add the slope of the loss to every weight's gradient."""
    if recipe.accumulate > 1 and recipe.reduction == "mean" and not run.task.is_surface:
        share = len(run.x) / run.group_rows
        if recipe.amp == "float16":
            run.scaler.scale(run.loss * share).backward()
        else:
            (run.loss * share).backward()
    elif recipe.amp == "float16":
        run.scaler.scale(run.loss).backward()
    else:
        run.loss.backward()


def unscale(run: "Run", recipe: "Recipe") -> None:
    """Divide the gradients by the loss scale again, before anybody looks at their size."""
    if recipe.amp == "float16":
        run.scaler.unscale_(run.optimizer)


def clip(run: "Run", recipe: "Recipe") -> None:
    """Shorten gradients that are too long: all together by norm, or each number by value."""
    if recipe.clip == "norm":
        nn.utils.clip_grad_norm_(run.model.parameters(), recipe.clip_at)
    elif recipe.clip == "value":
        nn.utils.clip_grad_value_(run.model.parameters(), recipe.clip_at)


def step(run: "Run", recipe: "Recipe") -> None:
    """Move the weights; with float16, only if no gradient overflowed."""
    if recipe.amp == "float16":
        run.scale = run.scaler.get_scale()
        run.scaler.step(run.optimizer)
        run.scaler.update()
    else:
        run.optimizer.step()


def validate(run: "Run", recipe: "Recipe") -> None:
    """Look at the held-out rows, every `validate_every` groups."""
    run.validated = run.groups % recipe.validate_every == 0
    if run.validated:
        if recipe.reduction == "mean":
            run.validation_loss = evaluate(run.model, run.loss_fn, *run.validation)
        else:
            run.validation_loss = evaluate(run.model, run.mean_loss_fn, *run.validation)


def schedule(run: "Run", recipe: "Recipe") -> None:
    """Tell the schedule that time has passed; it sets the learning rate."""
    if recipe.schedule is not None:
        if recipe.schedule == "ReduceLROnPlateau":
            if run.validated:
                run.scheduler.step(run.validation_loss)
        elif recipe.schedule_every == "validation":
            if run.validated:
                run.scheduler.step()
        elif recipe.schedule_every == "epoch":
            if run.epoch_ends:
                run.scheduler.step()
        elif recipe.amp == "float16":
            if run.scaler.get_scale() >= run.scale:  # else the step was skipped
                run.scheduler.step()
        else:
            run.scheduler.step()


def evaluate(
    model: nn.Module, loss_fn: nn.Module, inputs: torch.Tensor, targets: torch.Tensor
) -> float:
    """The mean loss over held-out rows, in eval mode, without gradients, each row counting once."""
    modes = [module.training for module in model.modules()]
    model.eval()
    total = 0.0
    with torch.no_grad():
        for x, y in zip(inputs.split(256), targets.split(256), strict=True):
            total += loss_fn(model(x), y) * len(x)
    for module, mode in zip(model.modules(), modes, strict=True):
        module.training = mode
    return float(total) / len(inputs)
