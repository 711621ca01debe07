"""What a check found, in words for the learner and in the form that graders want."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Result:
    """Whether a solution passed; shown in a notebook it says what held or what failed.

    `name` is what the learner's function is called, or the exercise for a lambda and for a name of
    more than 40 letters; `tried` the number of random inputs. `failed` is the property that did not
    hold, `shown` the input it failed on, `saw` what happened there, and `printed` the beginning of
    what the solution printed.

    For graders: a Result is true when everything held, so `assert check_...(solution)` does for a
    test cell, `check_...(solution).passed` for a doctest, and `demand()` raises with the words.
    """

    name: str
    tried: int = 0
    failed: str = ""
    shown: str = ""
    saw: str = ""
    printed: str = ""

    @property
    def passed(self) -> bool:
        """Whether every property held."""
        return not self.failed

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        if self.passed:
            lines = [f"{self.name}: right, on {self.tried} random inputs."]
        else:
            lines = [f"{self.name}: not yet.", f"  Must hold: {self.failed}."]
            lines += [f"  Tried on: {self.shown}"] * bool(self.shown)
            lines += [f"  Seen: {self.saw}"] * bool(self.saw)
        if self.printed:
            first, *more = self.printed.splitlines()
            lines += [f"  It printed: {first}{' ...' if more else ''}"]
        return "\n".join(lines)

    def demand(self) -> None:
        """Raise AssertionError, with the words of the result, unless everything held."""
        if not self.passed:
            raise AssertionError(str(self))
