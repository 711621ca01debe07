"""The whole state of a lab as one short string: plain values, checked before anything is made."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interactive_training.engine.errors import RecipeError
from interactive_training.engine.recipe import FIELDS, Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.session import Session
from interactive_training.engine.task import Task
from interactive_training.exercises.predictions import Question

PREFIX = "it1."
LONGEST = 20_000  # characters of a string, and bytes of what it may unfold to
SHOWN: Mapping[str, type | tuple[type, ...]] = {
    "pace": str,
    "until": int,
    "question": str,
    "hide": list,
    "ask": (str, dict),  # the name of a line, or a question
}
ASK: Mapping[str, type] = {"text": str, "answers": list, "change": dict}
STEPS = 100_000
CHANGES = 1_000


class StateStringError(ValueError):
    """A state string that cannot be read; nothing was made from it."""


def packed(values: Mapping[str, Any]) -> str:
    """Plain values as letters, digits, "-" and "_"; zlib adds a checksum."""
    text = json.dumps(values, separators=(",", ":"))
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(text: str) -> object:
    """The plain values in a state string; raises StateStringError in words for anything else."""
    if not isinstance(text, str) or not text.startswith(PREFIX):
        raise StateStringError(
            f'a state string begins with "{PREFIX}"; copy the whole string, from a lab of '
            "this version."
        )
    text = "".join(text.split())
    if len(text) > LONGEST:
        raise StateStringError(f"the state string is over {LONGEST} letters; copy it again.")
    try:
        packed = base64.b64decode(text.removeprefix(PREFIX), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(packed, LONGEST)
        if unpacker.unconsumed_tail or unpacker.unused_data or not unpacker.eof:
            raise ValueError("cut off, or too large")
        found: object = json.loads(plain)
    except (ValueError, zlib.error, RecursionError):
        raise StateStringError(
            "the state string is cut off or altered; copy the whole string again."
        ) from None
    return found


def check_shape(found: Any, shape: Mapping[str, type]) -> None:
    """Raise StateStringError unless `found` has just these names, with values of their kinds."""
    if not isinstance(found, dict) or set(found) != set(shape):
        raise StateStringError("the state string is of another kind of lab; copy another one.")
    for name, kind in shape.items():
        if not isinstance(found[name], kind) or (kind is int and isinstance(found[name], bool)):
            raise StateStringError(f"{name} in the state string is not readable; copy it again.")


def check_fields(values: Mapping[str, Any]) -> None:
    """Raise StateStringError for a field that no recipe has."""
    unknown = set(values) - FIELDS
    if unknown:
        raise StateStringError(
            f"the state string sets {sorted(unknown)[0]!r}, which no recipe has; "
            "it may be of a newer version."
        )


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """The recipe with these fields, the others as usual; raises StateStringError for a bad one."""
    check_fields(values)
    try:
        return Recipe(**values)
    except (RecipeError, TypeError, ValueError, OverflowError) as error:
        raise StateStringError(f"the state string holds a bad recipe: {error}") from None


def written(question: Question) -> dict[str, Any]:
    """A question as plain values."""
    return {name: getattr(question, name) for name in ASK}


def question_of(found: Any) -> Question:
    """The question that `written` wrote.

    Raises StateStringError or PredictionError for anything else.
    """
    check_shape(found, ASK)
    recipe_of(found["change"])
    return Question(found["text"], found["answers"], found["change"])


@dataclass(frozen=True)
class LabState:
    """What a lab is made again from: the run from its start, with its changes at their steps.

    `recipe` holds the fields that differ from the default recipe, `changes` pairs of a step and
    the fields changed before it, `shown` how the lab is set up.
    """

    task: str
    options: Mapping[str, Any]
    seed: int
    recipe: Mapping[str, Any]
    changes: tuple[tuple[int, Mapping[str, Any]], ...]
    index: int
    shown: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, shown: Mapping[str, Any]) -> "LabState":
        """The state of a run; raises StateStringError for what a string cannot hold."""
        if not run.task.is_named:
            raise StateStringError("a string cannot hold a task of your own; save the run instead.")
        start = before = run.timeline.first_recipe or run.recipe
        changes: list[tuple[int, Mapping[str, Any]]] = []
        for change in run.timeline.changes:
            if change.kind != "recipe":
                raise StateStringError("a string cannot hold placed weights; save the run instead.")
            changes.append((change.index, different(change.value, before)))
            before = change.value
        recipe = different(start, Recipe())
        options = dict(run.task.options)
        return cls(run.task.name, options, run.seed, recipe, tuple(changes), run.index, shown)

    def to_string(self) -> str:
        """The state as letters, digits, "-" and "_"."""
        return packed(vars(self))

    @classmethod
    def from_string(cls, text: str) -> "LabState":
        """The state in a string; raises StateStringError in words for anything else."""
        return cls._checked(unpacked(text))

    def arguments(self, usual: Mapping[str, Any]) -> dict[str, Any]:
        """What the lab is made with, by name; `usual` stands in for what the string does not say.

        Raises TypeError or ValueError for values of which no lab can be made.
        """
        shown = {"ask": None, "hide": (), **usual, **self.shown}
        ask = shown["ask"]
        return {
            "task": Task.named(self.task, **self.options),
            "recipe": Recipe(**self.recipe),
            "seed": self.seed,
            "until": shown["until"],
            "question": shown["question"],
            "ask": question_of(ask) if isinstance(ask, dict) else ask,
            "hide": shown["hide"],
        }

    def replay(self, session: Session) -> None:
        """Train a session to where the run stood, with its changes on the way.

        Raises StateStringError if it refuses one of them.
        """

        def put(verb: str, value: Any) -> None:
            session.put(verb, value)
            if session.refusal:
                raise StateStringError(f"the state string cannot be used: {session.refusal}")

        put("pace", self.shown.get("pace", session.pace))
        for index, fields in self.changes:
            session.advance(max(0, index - session.run.index))
            put("change", dict(fields))
        session.advance(max(0, self.index - session.run.index))

    @classmethod
    def _checked(cls, found: Any) -> "LabState":
        shape: dict[str, type] = {
            "task": str,
            "options": dict,
            "seed": int,
            "recipe": dict,
            "changes": list,
            "index": int,
            "shown": dict,
        }
        check_shape(found, shape)
        if not 0 <= found["index"] <= STEPS or len(found["changes"]) > CHANGES:
            raise StateStringError(
                f"the state string asks for over {STEPS:,} steps or {CHANGES:,} changes; "
                "use a shorter run."
            )
        changes = []
        for item in found["changes"]:
            if not (
                isinstance(item, list)
                and len(item) == 2
                and isinstance(item[0], int)
                and 0 <= item[0] <= found["index"]
                and isinstance(item[1], dict)
            ):
                raise StateStringError(
                    "a change in the state string is not readable; copy it again."
                )
            changes.append((item[0], item[1]))
        for name, value in found["shown"].items():
            kind = SHOWN.get(name, type(None))
            if not isinstance(value, kind) or isinstance(value, bool):
                raise StateStringError(
                    f"{name} in the state string is not readable; copy it again."
                )
        recipe_of(found["recipe"])
        for _, values in changes:
            check_fields(values)
        return cls(
            found["task"],
            found["options"],
            found["seed"],
            found["recipe"],
            tuple(changes),
            found["index"],
            found["shown"],
        )


def different(recipe: Recipe, before: Recipe) -> dict[str, Any]:
    """The fields in which a recipe differs from another, as plain values."""
    plain = recipe.to_dict()
    return {name: plain[name] for name in recipe.changed(before)}
