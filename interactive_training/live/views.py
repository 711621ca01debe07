"""Which views of a figure are open, and whether one of them is on the screen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

# A view that is this far behind another one, in seconds, belongs to a page that was closed.
GONE_AFTER = 5.0


@dataclass
class _View:
    visible: bool
    behind_since: float | None = None


class Views:
    """The open views by the name each gave itself; a page that vanished silently is dropped.

    Parameters: `clock` returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._views: dict[str, _View] = {}
        self._left_at: float | None = None  # when the last of them went

    def __len__(self) -> int:
        return len(self._views)

    def __contains__(self, name: str) -> bool:
        return name in self._views

    @property
    def away(self) -> float:
        """For how many seconds there has been no view; infinite if there never was one."""
        if self._views:
            return 0.0
        return math.inf if self._left_at is None else self._clock() - self._left_at

    @property
    def visible(self) -> bool:
        """True while at least one view is on the screen."""
        return any(view.visible for view in self._views.values())

    def heard(self, name: str, visible: bool) -> None:
        """Note that the view `name` is there and whether it is on the screen."""
        self._views[name] = _View(visible)

    def painted(self, name: str, visible: bool) -> None:
        """Note that the view `name` painted a frame, and drop those that long have not."""
        self.heard(name, visible)
        now = self._clock()
        for other, view in list(self._views.items()):
            if other == name:
                continue
            if view.behind_since is None:
                view.behind_since = now
            elif now - view.behind_since > GONE_AFTER:
                del self._views[other]

    def gone(self, name: str) -> None:
        """Forget the view `name`, which was taken off the page."""
        if self._views.pop(name, None) is not None:
            self._left_at = self._clock()
