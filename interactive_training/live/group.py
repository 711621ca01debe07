"""Figures that are shown together: one message carries their frames, one answer acknowledges it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import ipywidgets

from interactive_training.live.flow import Flow

if TYPE_CHECKING:
    from interactive_training.live.figure import LiveFigure


# Seconds that an urgent frame gives to the kernel's own thread, which sends it: Python would let it
# wait for ten times as long while the caller goes on.
TURN = 0.0005


class Group(ipywidgets.Widget):
    """The way to the page for some figures of one lab; a figure used alone is a group of one.

    A message costs kernel, server and page far more than the numbers in it, so figures that
    change together should travel together. A message holds the frames of those figures that look
    different now; the page's answer says which message each figure has had last, so that what
    was lost is sent again. `lock` guards the artists of all the figures.

    Parameters: `clock` returns seconds that never go back.
    """

    # It has no view and no code of its own: figure.js listens to it.

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.flow = Flow(clock)
        self._figures: list[LiveFigure] = []
        super().__init__()
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"Group({len(self._figures)} figures)"

    def join(self, live: LiveFigure) -> int:
        """Take in a figure; return its place in the group."""
        with self.lock:
            self._figures.append(live)
            return len(self._figures) - 1

    def update(self, figures: Iterable[LiveFigure], *, urgent: bool = False) -> None:
        """Show these figures as they are now, as soon as the page can take it.

        Parameters: `urgent` is for what a learner has changed, which one frame more may carry.
        """
        with self.lock:
            for live in figures:
                live.due = True
            self.offer(urgent)
        if urgent:
            time.sleep(TURN)

    def offer(self, urgent: bool = False) -> None:
        """Send what is due if the page can take it."""
        with self.lock:
            if self._due() and self.flow.may_send(urgent):
                self.send_frames()

    def send_frames(self) -> None:
        """Send the frames of the figures that are due and look different now; holds the lock."""
        number = self.flow.number + 1
        taken = [(live.place, frame) for live in self._due() if (frame := live.take(number))]
        if taken:
            self.flow.send()
            places, frames = zip(*taken, strict=True)
            self.send({"number": number, "places": places}, list(frames))

    def close(self) -> None:
        """Take the group off every page, once its figures are."""
        with self.lock:
            self._figures.clear()
        super().close()

    def _due(self) -> list[LiveFigure]:
        return [live for live in self._figures if live.due and live.sized and len(live.views)]

    def _receive(self, _: Any, message: dict[str, Any], __: Any) -> None:
        """The page has painted all messages up to one: note it, and send what waited or is lost."""
        with self.lock:
            if not self._figures:  # closed since the page wrote this
                return
            for place, view, visible in message["views"]:
                self._figures[place].views.painted(view, visible)
            number = message["number"]
            self.flow.acknowledge(number, message["held"])
            if self.flow.lost:  # and with it all that came after
                number = self.flow.number
            had = [*message["had"], *[0] * len(self._figures)]
            for live, newest in zip(self._figures, had, strict=False):
                if newest < live.sent <= number:
                    live.again()
            with self._figures[0].showing_errors("painted"):  # it speaks for all
                self.offer()
        for live in list(self._figures):
            with live.showing_errors("seen"):
                live.tell_visible()
