"""What cannot be used is refused in one sentence that ends with the remedy, and nothing changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from math import inf, nan
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from interactive_training import (
    NonFiniteError,
    Recipe,
    RecipeError,
    Run,
    StepError,
    Task,
    TaskError,
    train,
)
from interactive_training.engine.difference import difference

# One sentence: what is wrong, then what to do about it.
SENTENCE = re.compile(r"[^\n]+(; [^;\n]+|did you mean '[^']+')[.?]")
INPUTS, LABELS = torch.randn(20, 3), torch.arange(20) % 4
MODEL = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4))


def refused(error: type[Exception], words: str, what: Callable[[], object]) -> None:
    with pytest.raises(error) as caught:
        what()
    assert type(caught.value) is error
    said = str(caught.value)
    assert SENTENCE.fullmatch(said), said
    assert re.search(words, said), said


# Recipes ----------------------------------------------------------------------------------------

ROWS: list[tuple[dict[str, Any], str]] = [
    ({"lr": 0}, "lr is 0; choose a number above 0"),
    ({"lr": -1}, "lr is -1; choose a number above 0"),
    ({"lr": nan}, "lr is nan; choose"),
    ({"lr": inf}, "lr is inf; choose"),
    ({"lr": 1e308}, r"lr is 1e\+308; choose a number above 0 and at most 1e\+06"),
    ({"lr": 10**400}, "lr is 1000.*; choose"),
    ({"lr": "0.1"}, "lr is the text '0.1'; .* without quotes"),
    ({"lr": True}, "lr is True; write a number above 0"),
    ({"lr": None}, "lr is None; write a number above 0"),
    ({"lr": 1j}, "lr is 1j; write a number"),
    ({"lr": torch.tensor([0.1, 0.2])}, r"lr is tensor\(\[0.1000, 0.2000\]\); write a number"),
    ({"momentum": 1.5}, "momentum is 1.5; choose a number of 0 or more and at most 1"),
    ({"momentum": -0.1}, "momentum is -0.1; choose"),
    ({"betas": (0.9, 1.0)}, "betas is 1.0; choose a number of 0 or more and below 1"),
    ({"betas": 0.9}, r"betas is 0.9; write two numbers, like \(0.9, 0.999\)"),
    ({"betas": ("a", 0.9)}, "betas is the text 'a'"),
    ({"weight_decay": -1e-4}, "weight_decay is -0.0001; choose"),
    ({"nesterov": True}, "nesterov needs momentum above 0 and no dampening; set momentum"),
    ({"clip_at": 0}, "clip_at is 0; choose a number above 0"),
    ({"accumulate": 0}, "accumulate is 0; choose a number of 1 or more"),
    ({"accumulate": 1.5}, "accumulate is 1.5; write a whole number"),
    ({"batch_size": 0}, "batch_size is 0; choose a number of 1 or more"),
    ({"steps": 0}, "steps is 0; choose"),
    ({"keep_grad": 1.01}, "keep_grad is 1.01; choose a number of 0 or more and at most 1"),
    ({"shuffle": 1}, "shuffle is 1; write True or False"),
    ({"grad": None}, "grad is None; write True or False"),
    ({"optimizer": "adamw"}, "optimizer is 'adamw'; did you mean 'AdamW'"),
    ({"optimizer": "Lion"}, "optimizer is 'Lion'; choose one of 'SGD', "),
    ({"optimizer": torch.optim.SGD}, "optimizer is <class 'torch.optim.sgd.SGD'>; "),
    ({"loss": "crossentropy"}, "loss is 'crossentropy'; did you mean 'CrossEntropyLoss'"),
    ({"schedule": "cosine"}, "schedule is 'cosine'; "),
    ({"schedule": "ConsineAnnealingLR"}, "did you mean 'CosineAnnealingLR'"),
    ({"schedule_every": "step"}, "schedule_every is 'step'; choose one of 'batch', 'epoch'"),
    ({"reduction": "none"}, "reduction is 'none'; choose one of 'mean', 'sum'"),
    ({"clip": "Norm"}, "did you mean 'norm'"),
    ({"amp": "fp16"}, "amp is 'fp16'; "),
    ({"amp": "bfloat"}, "did you mean 'bfloat16'"),
    ({"mode": "evaluate"}, "mode is 'evaluate'; "),
    ({"stages": ("zerograd",)}, "a stage is 'zerograd'; did you mean 'zero_grad'"),
    ({"stages": "forward"}, "stages is 'forward'; write a tuple of stage names"),
    ({"stages": ("forward", None)}, "a stage is None; choose one of"),
    ({"optimizer_options": {"epsilon": 1e-8}}, "'epsilon' is no option of SGD; it takes dampening"),
    ({"optimizer_options": {"lr": 1}}, r"optimizer_options holds lr; set it as Recipe\(lr="),
    ({"optimizer_options": "eps"}, "optimizer_options is 'eps'; write a dict"),
    ({"optimizer_options": [1, 2]}, r"optimizer_options is \[1, 2\]; write a dict"),
    ({"optimizer_options": {"dampening": [[{}]]}}, "holds 'dampening': .*; write names"),
    ({"optimizer_options": {1: 2, "a": 3}}, "optimizer_options holds 1: 2; write names in quotes"),
    ({"optimizer_options": {"maximize": 1}}, "optimizer_options: maximize is 1; write True"),
    ({"loss_options": {"a": {}}}, "loss_options holds 'a'"),
    (
        {"loss": "MSELoss", "loss_options": {"delta": 1.0}},
        "'delta' is no option of MSELoss; it takes",
    ),
    ({"schedule_options": {"gamma": 0.5}}, "without a schedule; choose a schedule"),
    ({"schedule": "StepLR", "schedule_options": {"gamma": 0}}, "schedule_options: gamma is 0; "),
    ({"schedule": "StepLR", "schedule_options": {"step_size": None}}, "step_size is None; write"),
    ({"schedule": "CosineAnnealingLR", "schedule_options": {"T_max": 0}}, "T_max is 0; choose"),
    (
        {"schedule": "OneCycleLR", "schedule_options": {"anneal_strategy": "cosine"}},
        "anneal_strategy is 'cosine'; did you mean 'cos'",
    ),
    ({"schedule": "OneCycleLR", "steps": 1}, "OneCycleLR needs at least 2 steps; raise steps"),
    ({"schedule": "ReduceLROnPlateau"}, "waits for validation losses; set validate_every"),
    ({"schedule": "StepLR", "schedule_every": "validation"}, "; set validate_every, say to 50"),
    ({"validate_every": 0}, "validate_every is 0; choose"),
]


@pytest.mark.parametrize(("values", "words"), ROWS, ids=lambda value: str(value)[:40])
def test_a_bad_recipe_is_refused_at_once(values: dict[str, Any], words: str) -> None:
    refused(RecipeError, words, lambda: Recipe(**values))
    refused(RecipeError, words, lambda: replace(Recipe(), **values))


def test_a_field_that_there_is_not_is_pythons_error() -> None:
    with pytest.raises(TypeError, match="learning_rate"):
        Recipe(learning_rate=0.1)  # type: ignore[call-arg]


@pytest.mark.parametrize("lr", [np.float32(0.5), np.float64(0.5), Fraction(1, 2), 1, np.int64(1)])
def test_numbers_of_other_makers_become_pythons(lr: Any) -> None:
    recipe = Recipe(lr=lr, accumulate=np.int64(2))  # type: ignore[arg-type]
    assert type(recipe.lr) is float and recipe.lr == float(lr)
    assert type(recipe.accumulate) is int


# Recipes that do not suit the run ---------------------------------------------------------------


def own(model: nn.Module = MODEL, **options: Any) -> Task:
    return Task.of(model, INPUTS, LABELS, batch_size=5, **options)


def with_batchnorm() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


LIVE: list[tuple[Callable[[], Task], dict[str, Any], str]] = [
    (own, {"batch_size": 21}, "batch_size is 21, but there are 20 rows; choose at most 20"),
    (own, {"validate_every": 5}, "no validation data; set it to None or give Task.of a validation"),
    (own, {"loss_options": {"delta": 1.0}}, "'delta' is no option of CrossEntropyLoss; leave it"),
    (own, {"loss_options": {"label_smoothing": 2}}, "loss_options: label_smoothing is 2; choose"),
    (lambda: own(with_batchnorm()), {"batch_size": 1}, "which BatchNorm cannot normalize; choose"),
    (lambda: own(with_batchnorm()), {"batch_size": 19}, "leaves a batch of one row"),
    (lambda: Task.named("regression"), {"loss": "CrossEntropyLoss"}, "; use targets.long"),
    (
        lambda: Task.named("bowl"),
        {"amp": "float16"},
        'no layers to run in 16 bits; set amp to "off"',
    ),
    (lambda: Task.named("bowl"), {"validate_every": 3}, "no validation data; "),
]


@pytest.mark.parametrize(("task", "values", "words"), LIVE)
def test_a_recipe_that_does_not_suit_the_run_is_refused_with_nothing_changed(
    task: Callable[[], Task], values: dict[str, Any], words: str
) -> None:
    refused(RecipeError, words, lambda: Run(task(), Recipe(**values)))
    run = Run(task(), Recipe(lr=0.01))
    for _ in train(run, 3):
        pass
    before, recipe, changes = run.fork(), run.recipe, list(run.timeline.changes)

    def assign() -> None:
        run.recipe = replace(run.recipe, **values)

    refused(RecipeError, words, assign)
    assert run.recipe is recipe and difference(run, before) is None
    assert run.timeline.changes == changes


@pytest.mark.parametrize("what", ["lr=0.1", None, {"lr": 0.1}, 0.1])
def test_only_a_recipe_is_a_recipe(what: Any) -> None:
    run = Run("moons")
    with pytest.raises(RecipeError, match=r"a recipe is \w+; make one with Recipe\(...\)\."):
        run.recipe = what
    if what is not None:
        refused(RecipeError, "a recipe is", lambda: Run("moons", what))


def test_a_frozen_batchnorm_takes_a_batch_of_one() -> None:
    model = with_batchnorm()
    model[1].eval()
    assert len(list(train(Run(own(model), Recipe(batch_size=1)), 3))) == 3


def test_batchnorm_of_images_takes_a_batch_of_one() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 4))
    task = Task.of(model, torch.randn(20, 1, 4, 4), LABELS)
    assert len(list(train(Run(task, Recipe(batch_size=1)), 3))) == 3


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_a_precision_that_the_device_cannot_do(amp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.amp.autocast_mode, "is_autocast_available", lambda device: False)
    words = f'cpu cannot compute in {amp} here; set amp to "off"'
    refused(RecipeError, words, lambda: Run("moons", Recipe(amp=amp)))


# Tasks ------------------------------------------------------------------------------------------


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> Any:
        raise ValueError("no such thing")


class Pair(Fails):
    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x), None


class Uncopied(Fails):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("a lock is in it")


def holed(tensor: torch.Tensor, value: float = nan) -> torch.Tensor:
    tensor = tensor.clone()
    tensor[7, 1] = value
    return tensor


def frozen() -> nn.Module:
    return nn.Linear(3, 4).requires_grad_(False)


def broken() -> nn.Module:
    model = nn.Linear(3, 4)
    nn.init.constant_(model.bias, nan)
    return model


VALUES = torch.randn(20, 1)
ONE = nn.Linear(3, 1)
of = Task.of
OWN: list[tuple[Callable[[], object], str]] = [
    (lambda: of(ONE, INPUTS, VALUES[:, 0], loss="MSELoss"), "; use targets.unsqueeze"),
    (
        lambda: of(MODEL, INPUTS, VALUES, loss="MSELoss"),
        "spread over each other; use model outputs",
    ),
    (lambda: of(MODEL, INPUTS, LABELS.float()), "class numbers of type int64; use targets.long"),
    (lambda: of(MODEL, INPUTS, LABELS.int()), "int64 targets, not torch.int32; use targets.long"),
    (lambda: of(MODEL, INPUTS, LABELS[:, None]), r"not \(N, 1\); use targets.squeeze"),
    (
        lambda: of(MODEL, INPUTS, LABELS + 1),
        "class 4, but the model has 4 outputs, .* 0 to 3; number",
    ),
    (lambda: of(MODEL, INPUTS, LABELS - 1), "a target is class -1, .*; number the classes from 0"),
    (lambda: of(MODEL, INPUTS, LABELS + 1, loss="MSELoss"), "class 4, but the model has 4 outputs"),
    (lambda: of(MODEL, INPUTS, 2 * torch.rand(20, 4), loss="BCEWithLogitsLoss"), "0 to 1; rescale"),
    (
        lambda: of(MODEL, INPUTS[:0], LABELS[:0]),
        "the training data is empty; give at least one row",
    ),
    (lambda: of(MODEL, INPUTS, LABELS[:5]), "20 training inputs stand against 5 targets; give one"),
    (lambda: of(MODEL, holed(INPUTS), LABELS), "inputs hold NaN or infinity, first in row 7; drop"),
    (lambda: of(MODEL, holed(INPUTS, inf), LABELS), "first in row 7; drop or mend it"),
    (lambda: of(MODEL, INPUTS, holed(torch.randn(20, 4)), loss="MSELoss"), "targets hold NaN"),
    (
        lambda: of(MODEL, INPUTS.tolist(), LABELS),
        "inputs are list; make a tensor with torch.as_tensor",
    ),
    (lambda: of(MODEL, INPUTS, LABELS.numpy()), "targets are ndarray; make a tensor"),
    (lambda: of(MODEL, torch.tensor(1.0), torch.tensor(1)), r"no rows; give a tensor of shape \(N"),
    (lambda: of(MODEL, [1, 2, 3]), "cannot be stacked .*; give inputs and targets as two tensors"),
    (lambda: of(MODEL, 5), "cannot be stacked"),
    (lambda: of(frozen(), INPUTS, LABELS), "no trainable parameters; set requires_grad"),
    (lambda: of(nn.ReLU(), INPUTS, LABELS), "no trainable parameters"),
    (lambda: of(broken(), INPUTS, LABELS), "bias of the model holds NaN or infinity; initialize"),
    (lambda: of(Fails(), INPUTS, LABELS), r"raised ValueError on two rows \(no such thing\); mend"),
    (lambda: of(nn.Linear(5, 4), INPUTS, LABELS), "raised RuntimeError on two rows"),
    (lambda: of(Pair(), INPUTS, LABELS), "the model returned tuple; let forward return one tensor"),
    (lambda: of(Uncopied(), INPUTS, LABELS), r"cannot be copied \(a lock is in it\); keep only"),
    (lambda: of(lambda x: x, INPUTS, LABELS), "the model is function; give an nn.Module"),  # type: ignore[arg-type]
    (lambda: of(MODEL, INPUTS, LABELS, loss="MSE"), "loss is 'MSE'; did you mean 'MSELoss'"),
    (lambda: of(MODEL, INPUTS, LABELS, batch_size=0), "batch_size is 0; choose"),
    (lambda: of(MODEL, INPUTS, LABELS, batch_size="32"), "batch_size is the text '32'; "),  # type: ignore[arg-type]
    (lambda: own(validation=(INPUTS, LABELS[:3])), "20 validation inputs stand against 3 targets"),
    (lambda: own(validation=(INPUTS, LABELS + 9)), "a target is class 12"),
    (lambda: own(validation=(holed(INPUTS), LABELS)), "the validation inputs hold NaN"),
    (lambda: own(validation=INPUTS), "validation is a pair of inputs and targets; write"),
    (lambda: own(test=(INPUTS,)), "test is a pair of inputs and targets; write"),
    (
        lambda: own(validation=(INPUTS[:, :2], LABELS)),
        r"validation inputs has shape \(2,\) .* training \(3,\) .*; make them alike",
    ),
    (lambda: Task.named("digit"), "the task is 'digit'; did you mean 'digits'"),
    (lambda: Task.named("mnist"), "the task is 'mnist'; "),
    (lambda: Run("digit"), "did you mean 'digits'"),
    (lambda: Run(Task), "a task is type; give its name or make one with Task.of"),  # type: ignore[arg-type]
    (lambda: Task.named("moons", nois=1), "an option of moons is 'nois'; did you mean 'noise'"),
    (lambda: Task.named("digits", noise=1), "an option of digits is 'noise'; choose one of"),
    (lambda: Task.named("moons", noise=-1), "noise must be 0 or more"),
    (lambda: Task.named("moons", n=3), "n must be a whole number of at least 10"),
    (lambda: Task.named("moons", width=0), "width is 0; choose a number of 1 or more"),
    (lambda: Task.named("moons", depth=1.5), "depth is 1.5; write a whole number"),
    (lambda: Task.named("moons", activation="relu"), "did you mean 'ReLU'"),
    (lambda: Task.named("moons", norm="batch"), "norm is 'batch'; "),
    (lambda: Task.named("moons", init="kaiming"), "init is 'kaiming'; choose one of 'default'"),
    (
        lambda: Task.named("moons", dropout=1),
        "dropout is 1; choose a number of 0 or more and below 1",
    ),
    (lambda: Task.named("moons", residual=1), "residual is 1; write True or False"),
]


@pytest.mark.parametrize(("make", "words"), OWN)
def test_a_task_that_does_not_fit_together_is_refused(
    make: Callable[[], object], words: str
) -> None:
    refused(TaskError, words, make)


def flat(w: torch.Tensor) -> torch.Tensor:
    return torch.tensor(1.0)


SURFACES: list[tuple[Any, Any, str]] = [
    (lambda w: w[2], (3, 2), r"raised IndexError at its start \(.*\); mend the function or move"),
    (lambda w: 1 / 0, (3, 2), "raised ZeroDivisionError at its start"),
    (flat, (3, 2), "cannot be differentiated; compute it from w with torch"),
    (lambda w: w.detach().sum(), (3, 2), "cannot be differentiated"),
    (lambda w: w, (3, 2), r"must return one number; end it with .sum\(\)"),
    (lambda w: w.sum().item(), (3, 2), "must return one number"),
    (lambda w: w.sum().log(), (-3, 2), "the surface is nan at its start; move the start"),
    (lambda w: (w * 1e300).prod(), (1e9, 1e9), "the surface is inf at its start; move the start"),
    (lambda w: w.sum(), (nan, 2), r"start is \(nan, 2\); choose two finite numbers"),
    (lambda w: w.sum(), (3, inf), "choose two finite numbers"),
    (lambda w: w.sum(), "ab", "start is 'ab'; write two numbers"),
    (lambda w: w.sum(), 3, "start is 3; write two numbers"),
    (lambda w: w.sum(), (3, 2, 1), r"start is \(3, 2, 1\); write two numbers"),
    (5, (3, 2), "the surface is int; give a function of w"),
]


@pytest.mark.parametrize(("function", "start", "words"), SURFACES)
def test_a_surface_that_cannot_be_walked_down_is_refused(
    function: Any, start: Any, words: str
) -> None:
    refused(TaskError, words, lambda: Task.surface(function, start))


# Runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        (-1, "seed is -1; choose a number of 0 or more"),
        (1.5, "seed is 1.5; write a whole number"),
        ("0", "seed is the text '0'; "),
        (None, "seed is None; write a number"),
        (True, "seed is True; write a number"),
        (2**63, "seed is 9223372036854775808; choose"),
    ],
)
def test_a_bad_seed(seed: Any, words: str) -> None:
    refused(RecipeError, words, lambda: Run("bowl", seed=seed))


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "", 3, None])
def test_a_bad_device(device: Any) -> None:
    refused(TaskError, 'cannot be used here .*; use "auto"', lambda: Run("bowl", device=device))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0, nan], "w is placed at NaN or infinity; choose finite numbers"),
        ([1.0, inf], "w is placed at NaN or infinity"),
        ([1.0, 2.0, 3.0], r"w has shape \(2,\), not \(3,\); reshape it"),
        (1.0, r"w has shape \(2,\), not \(\); reshape it"),
        ("ab", "w is placed at 'ab'; give it numbers"),
        (None, "w is placed at None; give it numbers"),
        ({"v": [1.0, 2.0]}, "'v' is no parameter; the model has w"),
        ({}, "nothing is placed; name a parameter"),
        ({0: [1.0, 2.0]}, "0 is no parameter; the model has w"),
    ],
)
def test_a_place_that_there_is_not(weights: Any, words: str) -> None:
    run = Run("bowl")
    before = run.fork()
    refused(TaskError, words, lambda: run.place(weights))
    assert difference(run, before) is None and not run.timeline.changes


@pytest.mark.parametrize("weights", [[torch.zeros(3)], 5, None, "abc"])
def test_weights_of_another_model(weights: Any) -> None:
    refused(
        TaskError, "are placed on 4 parameters; give one each", lambda: Run(own()).place(weights)
    )


# Junk -------------------------------------------------------------------------------------------

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.builds(lambda: 10**5000)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
    | st.complex_numbers()
    | st.sampled_from([torch.zeros(2), torch.tensor(nan), np.float32(1), np.arange(2), object, len])
    | st.sampled_from(["SGD", "Adam", "norm", "sum", "float16", "epoch", "OneCycleLR", "MSELoss"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers() | st.none(), inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["eps", "gamma", "T_max", "dampening"]), inner, max_size=2
        )
    ),
    max_leaves=6,
)
names = st.sampled_from([field.name for field in fields(Recipe)])
RUN = Run("moons", Recipe(lr=0.01))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(names, junk, min_size=1, max_size=3))
def test_junk_is_refused_or_used_but_never_breaks_a_run(values: dict[str, Any]) -> None:
    run = RUN.fork()
    before, recipe = run.capture(), run.recipe
    try:
        run.recipe = replace(run.recipe, **values)
    except RecipeError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert run.recipe is recipe and difference(run, restored(before)) is None
        return
    try:
        for _ in train(run, 2):
            pass
    except (RecipeError, StepError, NonFiniteError) as error:
        assert "\n" not in str(error)
    run.recipe = recipe


def restored(saved: dict[str, Any]) -> Run:
    run = RUN.fork()
    run.restore(saved)
    return run
