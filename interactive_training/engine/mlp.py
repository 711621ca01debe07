"""The networks of the built-in tasks: plain stacks of layers, so that their code can be printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from interactive_training.engine.choices import ACTIVATIONS, Field, named

NORMS: Mapping[str, type[nn.Module]] = {"BatchNorm1d": nn.BatchNorm1d, "LayerNorm": nn.LayerNorm}


class Residual(nn.Sequential):
    """A block that adds its input to its output, so that gradients have a short way back."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` plus what the block makes of it; shapes stay the same."""
        return x + super().forward(x)


def xavier(model: nn.Module) -> None:
    """Glorot and Bengio 2010: the signal keeps its size through tanh layers."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)


def he(model: nn.Module) -> None:
    """He et al. 2015: the signal keeps its size through ReLU layers."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def too_small(model: nn.Module) -> None:
    """Weights so small that the signal dies on its way through the layers."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)


def too_large(model: nn.Module) -> None:
    """Weights so large that the signal blows up on its way through the layers."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=1.0)
            nn.init.zeros_(layer.bias)


INITS: Mapping[str, Callable[[nn.Module], None] | None] = {
    "default": None,  # what nn.Linear draws by itself
    "xavier": xavier,
    "he": he,
    "too_small": too_small,
    "too_large": too_large,
}


@dataclass(frozen=True)
class Layers:
    """The shape of a network: `depth` hidden layers of `width` units and what stands between them.

    `dropout` is the share of units silenced, from 0 to below 1; `norm` is "none", "BatchNorm1d"
    or "LayerNorm"; `init` one of INITS. Raises RecipeError on a bad value.
    """

    depth: int = 2
    width: int = 16
    activation: str = "ReLU"
    init: str = "default"
    dropout: float = 0.0
    norm: str = "none"
    residual: bool = False

    def __post_init__(self) -> None:
        for field in (
            Field("depth", 2, int, low=0, high=200),
            Field("width", 16, int, low=1, high=4096),
            Field("dropout", 0.0, low=0, high=1, open_high=True),
            Field("residual", False, bool),
        ):
            object.__setattr__(self, field.name, field.check(getattr(self, field.name)))
        named("activation", self.activation, ACTIVATIONS)
        named("init", self.init, INITS)
        named("norm", self.norm, ("none", *NORMS))

    def build(self, inputs: int, outputs: int) -> nn.Sequential:
        """A new network from `inputs` numbers to `outputs` numbers, freshly initialized."""
        blocks: list[nn.Module] = []
        size = inputs
        for _ in range(self.depth):
            block: list[nn.Module] = [nn.Linear(size, self.width)]
            if self.norm != "none":
                block.append(NORMS[self.norm](self.width))
            block.append(ACTIVATIONS[self.activation]())
            if self.dropout:
                block.append(nn.Dropout(self.dropout))
            # A shortcut needs equal sizes at both its ends, which the first layer may not have.
            blocks += [Residual(*block)] if self.residual and size == self.width else block
            size = self.width
        model = nn.Sequential(*blocks, nn.Linear(size, outputs))
        initialize = INITS[self.init]
        if initialize is not None:
            initialize(model)
        return model
