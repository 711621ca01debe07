"""The way a run has come: some of its states and all of its changes, so any step can be redone.

Undo, rewind, recovery from a NaN and time travel are this one mechanism: restore the nearest
state that was kept, then train on and make the same changes at the same steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from interactive_training.engine import state
from interactive_training.engine.errors import RecipeError

if TYPE_CHECKING:
    from interactive_training.engine.recipe import Recipe
    from interactive_training.engine.run import Run

SPACING = 100  # steps between two kept states
CAPACITY = 64
BYTES = 256 * 2**20  # of kept states, whatever the capacity


@dataclass(frozen=True)
class Change:
    """Something done to a run from outside before step `index`: a "recipe" or a "place"."""

    index: int
    kind: str
    value: Any


@dataclass(frozen=True)
class Kept:
    """A state, the step before which it was taken, and how many changes it already holds."""

    index: int
    changes: int
    saved: dict[str, Any]


@dataclass
class Timeline:
    """A bounded set of states, kept every `SPACING` steps, and every change since the first.

    When it is full the older states are thinned out. The first one stays, so the whole way can be
    gone back, and the newest ones stay, so the last steps are redone at once in a run of any
    length.
    """

    next_at: int = 0
    kept: list[Kept] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def first_recipe(self) -> "Recipe | None":
        """The recipe that the first kept state had."""
        return self.kept[0].saved["recipe"] if self.kept else None

    def keep(self, saved: dict[str, Any]) -> None:
        """Keep a state taken now."""
        index = saved["counters"]["index"]
        self.next_at = index + SPACING
        self.kept.append(Kept(index, len(self.changes), saved))
        kept = len(self.kept)
        if kept > 2 and (kept > CAPACITY or kept * state.size(saved) > BYTES):
            del self.kept[self.crowded()]

    def crowded(self) -> int:
        """The state whose neighbours lie closest together, measured by how long ago they were."""
        at = [kept.index for kept in self.kept]
        around = zip(at[:-2], at[2:], strict=True)
        gaps = [(after - before) / (at[-1] - before + 1) for before, after in around]
        return 1 + gaps.index(min(gaps))

    def copy(self) -> "Timeline":
        """A timeline of its own over the same states."""
        return replace(self, kept=list(self.kept), changes=list(self.changes))

    def note(self, run: "Run", kind: str, value: Any) -> None:
        """Write down a change that is about to be made."""
        if not self.kept:
            self.keep(state.capture(run))
        self.changes.append(Change(run.index + run.busy, kind, value))

    def go(
        self, run: "Run", index: int, advance: Callable[["Run"], object], *, changed: bool
    ) -> None:
        """Bring the run to the state before step `index`, with or without the changes made there.

        `advance` takes the run one step on. What was kept and changed later is dropped. Raises
        RecipeError when `index` lies ahead or before the first kept state.
        """
        if index > run.index:
            raise RecipeError(f"step {index} lies ahead of step {run.index}; train on instead.")
        changes = [c for c in self.changes if c.index < index or (changed and c.index == index)]
        kept = [k for k in self.kept if k.index <= index and k.changes <= len(changes)]
        if not kept:
            first = self.kept[0].index if self.kept else run.index
            raise RecipeError(f"nothing before step {first} is kept; choose {first} or later.")
        run.timeline = Timeline(kept[-1].index + SPACING, kept, changes)
        state.restore(run, kept[-1].saved)
        todo = changes[kept[-1].changes :]
        while todo or run.index < index:
            while todo and todo[0].index == run.index:
                redo(run, todo.pop(0))
            if run.index < index:
                advance(run)


def redo(run: "Run", change: Change) -> None:
    """Make a written-down change again."""
    if change.kind == "recipe":
        run.set_recipe(change.value)
    else:
        state.place(run, change.value)
