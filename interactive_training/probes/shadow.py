"""A copy of a run's model in eval mode, to ask questions without disturbing the training."""

import copy

import torch
from torch import nn

from interactive_training.engine.run import Run


class Shadow:
    """An eval-mode twin of a run's network; `follow` gives it the run's present weights.

    Asking it changes nothing in the run: not its weights, not its BatchNorm buffers, not its
    random state.
    """

    def __init__(self, run: Run) -> None:
        self.model = copy.deepcopy(run.model).eval().requires_grad_(False)
        self._mine: list[torch.Tensor] = list(self.model.parameters())
        for parameter in self._mine:
            parameter.grad = None
        self.device = run.device

    @torch.no_grad()
    def follow(self, run: Run) -> None:
        """Take over the weights and buffers that the run has now."""
        torch._foreach_copy_(self._mine, list(run.model.parameters()))
        for mine, theirs in zip(self.model.buffers(), run.model.buffers(), strict=True):
            mine.copy_(theirs)

    @torch.no_grad()
    def outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        """The network's outputs for `inputs` (n, ...), on the CPU."""
        answer: torch.Tensor = self.model(inputs.to(self.device))
        return answer.float().cpu()

    def guesses(self, inputs: torch.Tensor) -> torch.Tensor:
        """The class with the largest output for each row, shape (n,)."""
        return self.outputs(inputs).argmax(1)

    def accuracy(self, inputs: torch.Tensor, targets: torch.Tensor) -> float:
        """The share of rows whose guess is the target, from 0 to 1."""
        return float((self.guesses(inputs) == targets).float().mean())

    @torch.no_grad()
    def dead_units(self, inputs: torch.Tensor) -> list[tuple[int, int]]:
        """For each ReLU layer in order: how many units answer 0 to every row, of how many.

        Notice: a dead unit gets a gradient of exactly 0, so no later step brings it back.
        """
        found: list[tuple[int, int]] = []

        def look(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            dead = (output == 0).reshape(-1, output.shape[-1]).all(0)
            found.append((int(dead.sum()), dead.numel()))

        hooks = [
            module.register_forward_hook(look)
            for module in self.model.modules()
            if isinstance(module, nn.ReLU)
        ]
        try:
            self.model(inputs.to(self.device))
        finally:
            for hook in hooks:
                hook.remove()
        return found
