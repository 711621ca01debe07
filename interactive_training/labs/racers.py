"""The controls of a race: surface and steps, and for each racer its optimizer and values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

from interactive_training.engine.choices import BETAS, CLIPS, OPTIMIZERS, SCHEDULES, Field
from interactive_training.engine.race import LANES, NETWORK, SCALE, SEED, Race, Racer
from interactive_training.engine.recipe import FIELDS, optimizer_values, schedule_values
from interactive_training.engine.surfaces import SURFACES
from interactive_training.labs import controls
from interactive_training.labs.controls import Control, of_choice, of_field
from interactive_training.probes.reading import Reading, marks, short, span

UNVALIDATED = [name for name in SCHEDULES if name != "ReduceLROnPlateau"]  # a surface has no data
LABELS: Mapping[str, str] = {
    **controls.LABELS,
    "lr": "lr",
    "steps": "steps",
    "beta1": "momentum",
    "beta2": "squares",
    "scale": "gradient x",
    "angle": "turned",
}
Marks = Mapping[str, Sequence[tuple[float, str]]]


def marked(
    name: str,
    value: float,
    low: float,
    high: float,
    log: bool = False,
    at: Sequence[tuple[float, str]] = (),
    whole: bool = False,
) -> Control:
    """A slider with clickable marks under its track."""
    return {
        "name": name,
        "label": controls.label_of(name, LABELS),
        "kind": "marked",
        "value": value,
        "text": controls.number(value),
        "low": low,
        "high": high,
        "log": log,
        "whole": whole,
        "marks": [{"at": place, "label": words} for place, words in at if low <= place <= high],
    }


def in_view(race: Race, lane: int, reading: Reading | None) -> list[Control]:
    """The learning rate, the momentum and the optimizer of one racer."""
    recipe = race.racers[lane].recipe
    found: Marks = {"lr": (), "momentum": ()} if reading is None else marks(reading, lane)
    row = OPTIMIZERS[recipe.optimizer]
    low, high, log = span(race) if recipe.optimizer == "SGD" else (1e-3, 10.0, True)
    usual = float(signature(row.make).parameters["lr"].default)
    at = found["lr"] if recipe.optimizer == "SGD" else [(usual, f"usual {short(usual)}")]
    sliders = [marked("lr", recipe.lr, low, high, log, at)]
    values = optimizer_values(recipe)
    if row.field("momentum") is not None:
        value = float(values["momentum"] or 0.0)  # type: ignore[arg-type]
        sliders.append(marked("momentum", value, 0.0, 1.0, False, found["momentum"]))
    elif row.field("betas") is not None:
        first = values["betas"]
        assert isinstance(first, tuple)
        places = ((0.0, "0"), (0.9, "usual .9"))
        sliders.append(marked("beta1", first[0], 0.0, 0.999, False, places))
    return [*sliders, of_choice("optimizer", recipe.optimizer, list(OPTIMIZERS), "optimizer")]


def unfolded(race: Race, lane: int) -> list[Control]:
    """What is under "more": all else that a step on a surface depends on."""
    racer = race.racers[lane]
    recipe = racer.recipe
    row = OPTIMIZERS[recipe.optimizer]
    values = optimizer_values(recipe)
    shown = ("lr", "momentum", "betas")
    own = [
        of_field(f.name, f, values[f.name], path="" if f.name in FIELDS else controls.OPTIONS)
        for f in row.fields
        if f.name not in shown
    ]
    beta2 = values.get("betas")
    squares = (
        [marked("beta2", beta2[1], 0.0, 0.9999, False, ((0.999, "usual .999"),))]
        if isinstance(beta2, tuple)
        else []
    )
    schedule = SCHEDULES.get(recipe.schedule or "")
    moved = (
        []
        if schedule is None
        else controls.options_of(schedule, schedule_values(recipe), "schedule_options.")
    )
    return [
        marked("scale", racer.scale, 1e-3, 1e3, True, ((1.0, "1"), (1e3, "1000"))),
        of_choice("clip", recipe.clip, CLIPS),
        *([of_field("clip_at", Field("clip_at", 1.0), recipe.clip_at)] * (recipe.clip != "none")),
        of_field("keep_grad", Field("keep_grad", 0.0, low=0, high=1), recipe.keep_grad),
        of_choice("schedule", recipe.schedule or "none", ["none", *UNVALIDATED]),
        *moved,
        *squares,
        *own,
    ]


def change(racer: Racer, name: str, value: Any) -> dict[str, Any]:
    """The values to change when the control `name` of a racer was put to `value`."""
    if isinstance(value, str):
        value = controls.read(value)
    if name in ("beta1", "beta2"):
        held = optimizer_values(racer.recipe)["betas"]
        first, second = held if isinstance(held, tuple) else (0.9, 0.999)
        usual = 0.9 if name == "beta1" else 0.999
        value = replace(BETAS, name=name, default=usual, kind=float).check(value)
        pair = (value, second) if name == "beta1" else (first, value)
        return {"betas": BETAS.check(pair)}
    if name == "scale":
        return {"scale": SCALE.check(value)}
    fields = controls.change(racer.recipe, name, value)
    if name == "optimizer":
        fields |= {"momentum": None, "betas": None, "nesterov": False, "weight_decay": None}
    return fields


def refusal(error: Exception) -> str:
    """Why something was refused, by the labels that a race has on the screen."""
    return controls.refusal(error, LABELS)


def ground(race: Race) -> list[Control]:
    """The controls of the set-up strip: the surface, its shape, and how many steps."""
    options = race.ground.options
    shape: list[Control] = []
    if race.ground.is_quadratic:
        condition = float(options.get("condition", 4.0))
        angle = float(options.get("angle", 0.0))
        shape = [
            marked("condition", condition, 1.0, 1000.0, True, ((4.0, "4"), (100.0, "100"))),
            marked("angle", angle, 0.0, 90.0, False, ((0.0, "0"), (45.0, "45"))),
        ]
    noise = race.ground.noise
    shape.append(marked("noise", noise, 0.0, 2.0, False, ((0.0, "0 all data"), (1.0, "1"))))
    if noise:
        shape.append(of_field("seed", replace(SEED, high=20), race.seed))
    named = [*SURFACES, NETWORK]
    names = named if race.ground.name in named else [race.ground.name, *named]
    return [
        of_choice("surface", race.ground.name, names),
        *shape,
        marked("steps", race.steps, 5, 500, True, ((30, "30"), (100, "100")), whole=True),
    ]


def described(race: Race) -> str:
    """The set-up in a few words: "L = w0^2 + 4 w1^2, 30 steps"."""
    ground = race.ground
    options = {name: value for name, value in ground.options.items() if name != "noise"}
    words = ground.name
    if words == "own" or (ground.is_quadratic and not options):
        words = ground.row.formula
    if options:
        condition = controls.number(float(options.get("condition", 4.0)))
        angle = float(options.get("angle", 0.0))
        words = f"bowl, condition {condition}" + (f", turned {angle:.0f}" if angle else "")
    noisy = f", noise {controls.number(ground.noise)}" if ground.noise else ""
    return f"{words}{noisy}, {race.steps} steps"


def tabs(race: Race) -> list[dict[str, str]]:
    """The racers by lane and optimizer."""
    return [
        {"lane": lane, "name": lane, "optimizer": racer.recipe.optimizer}
        for lane, racer in zip(LANES, race.racers, strict=False)
    ]
