"""The choices a recipe can name, as rows of data.

The engine builds from these rows, `source` prints from them and the labs make their controls from
them, so a new optimizer, loss or schedule is one row here and nothing elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite
from numbers import Real
from typing import Any

import torch
from torch import nn

from interactive_training.engine.errors import RecipeError, Refused, shown

Value = float | int | bool | str | tuple[float, ...] | None


@dataclass(frozen=True)
class Field:
    """One value that a choice takes: torch's name and default for it, and its legal range.

    `low` and `high` belong to the range unless `open_low` or `open_high` says that they do not.
    `restarts` marks a value that the optimizer's state is laid out for: changing it empties that
    state.
    """

    name: str
    default: Value
    kind: type = float
    low: float = -inf
    high: float = inf
    open_low: bool = False
    open_high: bool = False
    restarts: bool = False

    def check(self, value: Any, where: str = "") -> Any:
        """Return `value` as this field keeps it, or raise RecipeError with the remedy."""
        if self.kind is bool:
            if not isinstance(value, bool):
                raise self._refusal(where, value, "write True or False")
            return value
        if self.kind is str:
            if not isinstance(value, str):
                raise self._refusal(where, value, "write a name in quotes")
            return value
        if self.kind is tuple:
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise self._refusal(where, value, "write two numbers, like (0.9, 0.999)")
            return tuple(float(self._number(where, part)) for part in value)
        return self._number(where, value)

    def _refusal(self, where: str, value: Any, remedy: str) -> RecipeError:
        rest = f"; {remedy}."
        message = f"{where}{self.name} is {shown(value)}{rest}"
        return RecipeError(message, Refused(self.name, value, rest))

    def _number(self, where: str, value: Any) -> float | int:
        if isinstance(value, str):
            rest = f"; write a number {self.legal()}, without quotes."
            message = f"{where}{self.name} is the text {shown(value)}{rest}"
            raise RecipeError(message, Refused(self.name, value, rest, self.example))
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not is_number:
            raise self._refusal(where, value, f"write a number {self.legal()}")
        try:
            number = float(value)
        except OverflowError:
            number = inf
        if self.kind is int and isfinite(number) and not number.is_integer():
            raise self._refusal(where, value, f"write a whole number {self.legal()}")
        below = value <= self.low if self.open_low else value < self.low
        above = value >= self.high if self.open_high else value > self.high
        if not isfinite(number) or below or above:
            raise self._refusal(where, value, f"choose a number {self.legal()}")
        return int(value) if self.kind is int else number

    @property
    def example(self) -> float:
        """A number that this field takes: its default or, where that is None, the smallest one."""
        first = self.default[0] if isinstance(self.default, tuple) else self.default
        if isinstance(first, int | float):
            return first
        return self.low + 1 if self.open_low else self.low

    def legal(self) -> str:
        """The range in words, such as "above 0 and at most 1"."""
        words = []
        if self.low > -inf:
            words.append(f"above {self.low:g}" if self.open_low else f"of {self.low:g} or more")
        if self.high < inf:
            words.append(f"below {self.high:g}" if self.open_high else f"at most {self.high:g}")
        return " and ".join(words) or "that is finite"


@dataclass(frozen=True)
class Choice:
    """One row: the torch class, the fields it takes, what to notice, and where it comes from."""

    make: type
    fields: tuple[Field, ...]
    notice: str
    source: str

    def field(self, name: str) -> Field | None:
        """The field of that name, or None when this choice does not take it."""
        return next((field for field in self.fields if field.name == name), None)


def _unit(name: str, default: float) -> Field:
    return Field(name, default, low=0, high=1, open_high=True)


# Values that several choices share and that are fields of the recipe itself.
LR = Field("lr", 0.1, low=0, open_low=True, high=1e6)
MOMENTUM = Field("momentum", 0.0, low=0, high=1)
NESTEROV = Field("nesterov", False, bool)
BETAS = Field("betas", (0.9, 0.999), tuple, low=0, high=1, open_high=True)
EPS = Field("eps", 1e-8, low=0, high=1)
MAXIMIZE = Field("maximize", False, bool)
AMSGRAD = Field("amsgrad", False, bool, restarts=True)


def _decay(default: float) -> Field:
    return Field("weight_decay", default, low=0, high=1e3)


_TORCH_OPTIM = "torch.optim"

OPTIMIZERS: Mapping[str, Choice] = {
    "SGD": Choice(
        torch.optim.SGD,
        (LR, MOMENTUM, _unit("dampening", 0.0), _decay(0.0), NESTEROV, MAXIMIZE),
        "The step is lr times the gradient, plus momentum times the last step.",
        "Robbins and Monro 1951; momentum after Polyak 1964, in torch's form v = m v + g.",
    ),
    "RMSprop": Choice(
        torch.optim.RMSprop,
        (
            LR,
            _unit("alpha", 0.99),
            EPS,
            _decay(0.0),
            Field("momentum", 0.0, low=0, high=1, restarts=True),
            Field("centered", False, bool, restarts=True),
        ),
        "The first step is 10 times lr, however large the gradient is.",
        "Hinton, lecture 6e, 2012.",
    ),
    "Adagrad": Choice(
        torch.optim.Adagrad,
        (
            LR,
            Field("lr_decay", 0.0, low=0, high=1e3),
            _decay(0.0),
            Field("initial_accumulator_value", 0.0, low=0, high=1e6, restarts=True),
            Field("eps", 1e-10, low=0, high=1),
        ),
        "Squared gradients only add up, so every step is smaller than it would have been before.",
        "Duchi, Hazan and Singer 2011.",
    ),
    "Adam": Choice(
        torch.optim.Adam,
        (LR, BETAS, EPS, _decay(0.0), AMSGRAD),
        "The first step is lr for every weight; weight decay is rescaled along with the gradient.",
        "Kingma and Ba 2015.",
    ),
    "AdamW": Choice(
        torch.optim.AdamW,
        (LR, BETAS, EPS, _decay(0.01), AMSGRAD),
        "Weight decay acts on the weight itself and keeps its strength; its default is 0.01.",
        "Loshchilov and Hutter 2019.",
    ),
    "RAdam": Choice(
        torch.optim.RAdam,
        (LR, BETAS, EPS, _decay(0.0), Field("decoupled_weight_decay", False, bool)),
        "The first steps are plain momentum; the rescaling begins when its variance is known.",
        "Liu et al. 2020.",
    ),
}


@dataclass(frozen=True)
class Loss(Choice):
    """A row of LOSSES: `targets` is "ids" (class numbers) or "values" (shaped like the output).

    `divisor` says what a mean divides by: "rows" of the batch or all its "elements".
    """

    targets: str = "values"
    divisor: str = "elements"


LOSSES: Mapping[str, Loss] = {
    "CrossEntropyLoss": Loss(
        nn.CrossEntropyLoss,
        (Field("label_smoothing", 0.0, low=0, high=1, open_high=True),),
        "Guessing among C classes costs ln C. Its inputs are logits: no softmax before it.",
        "torch.nn.CrossEntropyLoss",
        targets="ids",
        divisor="rows",
    ),
    "BCEWithLogitsLoss": Loss(
        nn.BCEWithLogitsLoss,
        (),
        "One yes-or-no question for each output; it takes logits, so no sigmoid before it.",
        "torch.nn.BCEWithLogitsLoss",
    ),
    "MSELoss": Loss(
        nn.MSELoss,
        (),
        "An error twice as large pulls twice as hard, so outliers rule.",
        "torch.nn.MSELoss",
    ),
    "L1Loss": Loss(
        nn.L1Loss,
        (),
        "Every error pulls equally hard, however large or small it is.",
        "torch.nn.L1Loss",
    ),
}

_SCHED = torch.optim.lr_scheduler
_FACTOR = Field("gamma", 0.1, low=0, high=1, open_low=True)

SCHEDULES: Mapping[str, Choice] = {
    "StepLR": Choice(
        _SCHED.StepLR,
        (Field("step_size", 50, int, low=1, high=1e9), _FACTOR),
        "lr falls like stairs: by gamma, every step_size ticks.",
        "torch.optim.lr_scheduler.StepLR",
    ),
    "CosineAnnealingLR": Choice(
        _SCHED.CosineAnnealingLR,
        (
            Field("T_max", None, int, low=1, high=1e9),
            Field("eta_min", 0.0, low=0, high=1e6),
        ),
        "lr glides down half a cosine by T_max, and climbs again after it.",
        "Loshchilov and Hutter 2017, without restarts.",
    ),
    "OneCycleLR": Choice(
        _SCHED.OneCycleLR,
        (
            Field("max_lr", None, low=0, open_low=True, high=1e6),
            Field("total_steps", None, int, low=2, high=1e9),
            Field("pct_start", 0.3, low=0, high=1),
            Field("anneal_strategy", "cos", str),
            Field("cycle_momentum", True, bool),
            _unit("base_momentum", 0.85),
            _unit("max_momentum", 0.95),
            Field("div_factor", 25.0, low=1, high=1e9),
            Field("final_div_factor", 1e4, low=1, high=1e12),
        ),
        "It starts at max_lr / 25 and moves the momentum too; after total_steps it has no rate.",
        "Smith and Topin 2018.",
    ),
    "ReduceLROnPlateau": Choice(
        _SCHED.ReduceLROnPlateau,
        (
            Field("factor", 0.1, low=0, high=1, open_low=True, open_high=True),
            Field("patience", 10, int, low=0, high=1e9),
            Field("threshold", 1e-4, low=0, high=1e6),
            Field("cooldown", 0, int, low=0, high=1e9),
            Field("min_lr", 0.0, low=0, high=1e6),
        ),
        "It cuts after patience + 1 looks at the validation loss without progress.",
        "torch.optim.lr_scheduler.ReduceLROnPlateau",
    ),
}

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "ReLU": nn.ReLU,
    "LeakyReLU": nn.LeakyReLU,
    "Tanh": nn.Tanh,
    "Sigmoid": nn.Sigmoid,
    "GELU": nn.GELU,
}

REDUCTIONS = ("mean", "sum")
CLIPS = ("none", "norm", "value")
PRECISIONS = ("off", "bfloat16", "float16")
MODES = ("train", "eval")
CADENCES = ("batch", "epoch", "validation")
STAGES = ("zero_grad", "forward", "backward", "unscale", "clip", "step", "schedule")


def named(what: str, name: Any, among: Any) -> str:
    """Return `name` if it is one of `among`, else raise RecipeError with the nearest right one."""
    if isinstance(name, str) and name in among:
        return name
    lower = {choice.lower(): choice for choice in among}
    near = get_close_matches(name.lower(), lower, n=1) if isinstance(name, str) else []
    rest = f"; choose one of {', '.join(map(repr, among))}."
    if near:
        rest = f"; did you mean {lower[near[0]]!r}?"
    raise RecipeError(f"{what} is {shown(name)}{rest}", Refused(what, name, rest))
