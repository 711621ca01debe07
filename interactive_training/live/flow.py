"""When a frame may be sent: numbers and times only, nothing of pictures or browsers."""

from __future__ import annotations

from collections.abc import Callable

# At most 30 frames a second; one may be ahead of its time, so that what a learner changes need not
# wait for its turn. The browser gives its last answer no sooner than ACK_DELAY (figure.js) after
# the last frame came, which is longer than this. So an update that came too early for the rate
# always has an answer still to come, and that answer sends it: no timer is needed on this side.
INTERVAL = 1 / 30
SLOW_ROUND_TRIP = 0.066  # from here on two frames on the way are fewer than 30 a second
SILENT_AFTER = 5.0
NOBODY_AFTER = 60.0
LOST_AFTER = 1.0  # a frame without an answer for this long is not on the way any more


class Flow:
    """Numbers frames and holds them back while the browser has not painted the earlier ones.

    Parameters: `clock` returns seconds that never go back. Every time here is in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._on_the_way: dict[int, float] = {}  # number: when it was sent
        self._turn = 0.0  # when the next frame is due, if they keep their distance
        self._waiting_since: float | None = None
        self.number = 0
        self.painted = 0
        self.round_trip = 0.0

    def may_send(self, urgent: bool = False) -> bool:
        """Say whether a frame may be sent now; an urgent one passes those that wait for answers."""
        now = self._clock()
        if now < self._turn - INTERVAL or self.waited() > SILENT_AFTER:
            return False
        window = (3 if self.round_trip > SLOW_ROUND_TRIP else 2) + urgent
        lost_before = now - max(LOST_AFTER, 4 * self.round_trip)
        return sum(sent > lost_before for sent in self._on_the_way.values()) < window

    def send(self) -> int:
        """Note that the newest state is sent now; return the number of its frame."""
        now = self._clock()
        self.number += 1
        self._on_the_way[self.number] = now
        self._turn = max(self._turn, now) + INTERVAL
        if self._waiting_since is None:
            self._waiting_since = now
        return self.number

    def acknowledge(self, number: int, held: float = 0.0) -> None:
        """Note that the browser has painted frame `number`, and with it all before it.

        `held` says how long it had the frame before it answered.
        """
        if not self.painted < number <= self.number:
            return
        self.painted = number
        sent = self._on_the_way.get(number)
        if sent is not None:
            trip = max(0.0, self._clock() - sent - held)
            self.round_trip = 0.8 * self.round_trip + 0.2 * trip if self.round_trip else trip
        self._on_the_way = {n: t for n, t in self._on_the_way.items() if n > number}
        self._waiting_since = min(self._on_the_way.values(), default=None)

    @property
    def lost(self) -> bool:
        """Whether a frame has gone without an answer for so long that it must be sent again."""
        return self.waited() > LOST_AFTER

    def start_over(self) -> None:
        """Forget what was on the way: a page has come (back) that has seen nothing of it."""
        self._on_the_way.clear()
        self._waiting_since = None

    def waited(self) -> float:
        """Return for how many seconds the browser has owed an answer; 0 if it owes none."""
        return 0.0 if self._waiting_since is None else self._clock() - self._waiting_since
