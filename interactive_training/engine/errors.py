"""What can go wrong, by name: each message is one sentence that ends in the remedy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refused:
    """A value that a field cannot hold, in the parts of the sentence that says so.

    `name` is the field's, `value` what it was given, `rest` what follows the two. `example` is a
    number that the field takes where it was given a text instead of one, else None.
    """

    name: str
    value: object
    rest: str
    example: float | None = None


class UnusableError(ValueError):
    """Something that was given cannot be used.

    Attributes: `refused` has the parts of the message where it is about one field, else None.
    """

    def __init__(self, message: str, refused: Refused | None = None) -> None:
        super().__init__(message)
        self.refused = refused


class RecipeError(UnusableError):
    """A recipe holds a value that cannot be used; the old recipe stays in force."""


class TaskError(UnusableError):
    """Model, data and loss of a task do not fit together; no run was made."""


class CheckpointError(ValueError):
    """A file cannot be loaded as a run; nothing was changed by trying."""


class StepError(RuntimeError):
    """Torch refused a step; the run stands in the state before that step.

    Attributes: `step` is the number of the step that failed.
    """

    def __init__(self, step: int, message: str) -> None:
        super().__init__(message)
        self.step = step


class NonFiniteError(ArithmeticError):
    """A number became NaN or infinite; the run stands in its last finite state.

    Attributes: `step` is the number of the failed step, `tensor` the first tensor that was not
    finite in it ("input", "target", a parameter, a buffer, "loss" or a gradient).
    """

    def __init__(self, step: int, tensor: str, message: str) -> None:
        super().__init__(message)
        self.step = step
        self.tensor = tensor


class BusyError(RuntimeError):
    """The run is already being trained by somebody else, or stands in the middle of a step."""


def said(error: BaseException) -> str:
    """What another library's error says, as a message quotes it: its first line, cut short."""
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


def shown(value: object) -> str:
    """A value as a message quotes it: on one line, and no longer than needed to be recognized."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # its own, or an integer with more digits than Python prints
        text = f"a {type(value).__name__} that cannot be printed"
    return text if len(text) <= 60 else f"{text[:57]}..."
