"""How a task is learned: one frozen value, replaced whole, live at every step."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from types import NoneType
from typing import Any

from interactive_training.engine.choices import (
    BETAS,
    CADENCES,
    CLIPS,
    LOSSES,
    LR,
    MODES,
    MOMENTUM,
    OPTIMIZERS,
    PRECISIONS,
    REDUCTIONS,
    SCHEDULES,
    STAGES,
    Choice,
    Field,
    Value,
    named,
)
from interactive_training.engine.errors import RecipeError, shown

Options = tuple[tuple[str, Value], ...]

NUMBERS = (
    LR,
    Field("steps", 200, int, low=1, high=1e9),
    Field("clip_at", 1.0, low=0, open_low=True, high=1e12),
    Field("accumulate", 1, int, low=1, high=1e6),
    Field("keep_grad", 0.0, low=0, high=1),
    Field("shuffle", True, bool),
    Field("set_to_none", True, bool),
    Field("grad", True, bool),
    Field("nesterov", False, bool),
)
NUMBERS_OR_NONE = (
    MOMENTUM,
    BETAS,
    Field("weight_decay", None, low=0, high=1e3),
    Field("batch_size", None, int, low=1, high=1e9),
    Field("validate_every", None, int, low=1, high=1e9),
)
NAMES: Mapping[str, tuple[str, ...]] = {
    "optimizer": tuple(OPTIMIZERS),
    "reduction": REDUCTIONS,
    "schedule_every": CADENCES,
    "clip": CLIPS,
    "amp": PRECISIONS,
    "mode": MODES,
}


@dataclass(frozen=True)
class Recipe:
    """Everything about a run that may change between two steps; a bad value raises RecipeError.

    None stands for the default of whoever owns the value: torch's for `momentum`, `betas` and
    `weight_decay`, the task's for `loss` and `batch_size`; `schedule=None` is no schedule and
    `validate_every=None` no validation. Values that only one choice takes are given as a dict in
    `optimizer_options`, `loss_options` and `schedule_options`. A field that the chosen optimizer
    or schedule does not take is kept and unused.

    Units: `steps` (the planned length, which T_max and total_steps follow) counts ticks of the
    schedule; `validate_every` counts groups of `accumulate` micro-batches; `clip_at` is a
    gradient norm or value; `keep_grad` is the share of the old gradient that `zero_grad` keeps,
    from 0 (cleared) to 1 (forgotten).

    Notice: `stages` is the order of the lines of one training step, so leaving out `zero_grad`
    is `replace(recipe, stages=tuple(s for s in recipe.stages if s != "zero_grad"))`.
    """

    optimizer: str = "SGD"
    lr: float = 0.1
    momentum: float | None = None
    nesterov: bool = False
    betas: tuple[float, float] | None = None
    weight_decay: float | None = None
    optimizer_options: Options | Mapping[str, Value] = ()
    loss: str | None = None
    loss_options: Options | Mapping[str, Value] = ()
    reduction: str = "mean"
    schedule: str | None = None
    schedule_options: Options | Mapping[str, Value] = ()
    schedule_every: str = "batch"
    steps: int = 200
    clip: str = "none"
    clip_at: float = 1.0
    amp: str = "off"
    accumulate: int = 1
    batch_size: int | None = None
    shuffle: bool = True
    keep_grad: float = 0.0
    set_to_none: bool = True
    mode: str = "train"
    grad: bool = True
    validate_every: int | None = None
    stages: tuple[str, ...] = STAGES

    def __post_init__(self) -> None:
        for field in NUMBERS:
            self._set(field.name, field.check(getattr(self, field.name)))
        for field in NUMBERS_OR_NONE:
            if getattr(self, field.name) is not None:
                self._set(field.name, field.check(getattr(self, field.name)))
        for name, among in NAMES.items():
            named(name, getattr(self, name), among)
        if self.loss is not None:
            named("loss", self.loss, LOSSES)
        if self.schedule is not None:
            named("schedule", self.schedule, SCHEDULES)
        self._check_options("optimizer_options", self.optimizer, OPTIMIZERS[self.optimizer])
        self._check_options(
            "schedule_options", self.schedule, self.schedule and SCHEDULES[self.schedule]
        )
        # The task's own loss is known to the run, which checks the options against it.
        self._check_options("loss_options", self.loss, self.loss and LOSSES[self.loss])
        self._check_stages()
        self._check_together()

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_options(self, name: str, chosen: str | None, row: Choice | str | None) -> None:
        given = getattr(self, name)
        try:
            options = dict(given)
        except (TypeError, ValueError):
            example = '{"eps": 1e-8}'
            raise RecipeError(f"{name} is {shown(given)}; write a dict, like {example}.") from None
        for key, value in options.items():
            if not isinstance(key, str) or not isinstance(value, (Real, str, NoneType)):
                raise RecipeError(
                    f"{name} holds {shown(key)}: {shown(value)}; write names in quotes and values."
                )
        if isinstance(row, Choice):
            taken = {f.name: f for f in row.fields if f.name not in FIELDS}
            for key, value in options.items():
                if key in FIELDS:
                    raise RecipeError(f"{name} holds {key}; set it as Recipe({key}=...).")
                if key not in taken:
                    takes = f"it takes {', '.join(taken)}" if taken else "it takes none"
                    raise RecipeError(f"{shown(key)} is no option of {chosen}; {takes}.")
                options[key] = taken[key].check(value, f"{name}: ")
        elif options and name == "schedule_options":
            raise RecipeError("schedule_options are given without a schedule; choose a schedule.")
        self._set(name, tuple(sorted(options.items())))

    def _check_stages(self) -> None:
        if not isinstance(self.stages, (tuple, list)):
            raise RecipeError(f"stages is {shown(self.stages)}; write a tuple of stage names.")
        for stage in self.stages:
            named("a stage", stage, STAGES)
        self._set("stages", tuple(self.stages))

    def _check_together(self) -> None:
        dampened = bool(dict(self.optimizer_options).get("dampening"))
        if self.optimizer == "SGD" and self.nesterov and (not self.momentum or dampened):
            raise RecipeError("nesterov needs momentum above 0 and no dampening; set momentum.")
        if self.waits_for_validation and self.validate_every is None:
            raise RecipeError(
                f"{self.schedule} waits for validation losses; set validate_every, say to 50."
            )
        if self.schedule == "OneCycleLR":
            named("anneal_strategy", self.option("schedule", "anneal_strategy"), ("cos", "linear"))
            length = self.option("schedule", "total_steps") or self.steps
            if length < 2:
                raise RecipeError("OneCycleLR needs at least 2 steps; raise steps.")
            share = self.option("schedule", "pct_start")
            if share == 1 or share * length == 1:  # torch would divide by this number of steps
                raise RecipeError(
                    f"pct_start {share} of {length} steps leaves no step for the way "
                    f"{'down' if share == 1 else 'up'}; choose another pct_start."
                )

    @property
    def waits_for_validation(self) -> bool:
        """Whether the schedule moves on at validations only."""
        return self.schedule is not None and (
            self.schedule == "ReduceLROnPlateau" or self.schedule_every == "validation"
        )

    def option(self, which: str, name: str) -> Any:
        """The value of one option of "optimizer", "loss" or "schedule", or its row's default."""
        table: Mapping[str, Mapping[str, Choice]] = {
            "optimizer": OPTIMIZERS,
            "loss": LOSSES,
            "schedule": SCHEDULES,
        }
        given: dict[str, Value] = dict(getattr(self, f"{which}_options"))
        if name in given:
            return given[name]
        row = table[which][getattr(self, which)]
        field = row.field(name)
        return None if field is None else field.default

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for files and strings; `Recipe(**d)` is its inverse."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def changed(self, old: "Recipe") -> dict[str, Any]:
        """The fields in which this recipe differs from `old`, with this recipe's values."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(old, field.name)
        }


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


FIELDS = frozenset(field.name for field in fields(Recipe))


def optimizer_values(recipe: Recipe) -> dict[str, Value]:
    """What the optimizer's class is called with: the fields and options that its row takes."""
    values: dict[str, Value] = {}
    for field in OPTIMIZERS[recipe.optimizer].fields:
        given = getattr(recipe, field.name) if field.name in FIELDS else None
        if given is None:
            given = recipe.option("optimizer", field.name)
        values[field.name] = given
    return values


def schedule_values(recipe: Recipe) -> dict[str, Value]:
    """What the schedule's class is called with; T_max and total_steps follow `steps`, max_lr lr."""
    assert recipe.schedule is not None
    follows = {"T_max": recipe.steps, "total_steps": recipe.steps, "max_lr": recipe.lr}
    values: dict[str, Value] = {}
    for field in SCHEDULES[recipe.schedule].fields:
        given = recipe.option("schedule", field.name)
        values[field.name] = follows[field.name] if given is None else given
    if recipe.schedule == "OneCycleLR":
        row = OPTIMIZERS[recipe.optimizer]
        if row.field("momentum") is None and row.field("betas") is None:
            values["cycle_momentum"] = False  # Adagrad has no momentum that could be cycled
    return values
