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
    """A bounded ring of states, `spacing` steps apart, and every change since the first of them.

    When the ring is full every second state is dropped, so the whole way stays reachable and the
    way to redo from the nearest state grows with the run's length.
    """

    spacing: int = 50
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
        self.kept.append(Kept(index, len(self.changes), saved))
        capacity = max(2, min(CAPACITY, BYTES // max(1, state.size(saved))))
        if len(self.kept) > capacity:
            self.kept = self.kept[::2]
            self.spacing *= 2
        self.next_at = index + self.spacing

    def copy(self) -> "Timeline":
        """A timeline of its own over the same states."""
        return replace(self, kept=list(self.kept), changes=list(self.changes))

    def note(self, run: "Run", kind: str, value: Any) -> None:
        """Write down a change that is about to be made."""
        if not self.kept:
            self.keep(state.capture(run))
        self.changes.append(Change(run.index, kind, value))

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
        run.timeline = Timeline(self.spacing, kept[-1].index + self.spacing, kept, changes)
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
