"""Frames: how many, how fast, and that the last one arrives."""

from __future__ import annotations

import heapq
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactive_training.live.flow import INTERVAL, Flow

ACK_DELAY, LONGEST_ACK_DELAY = 0.036, 0.15  # as in figure.js
TRIPS = st.floats(0.0, 0.3)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Simulation:
    """Updates at given times against a browser that answers as figure.js does.

    It answers at once when two frames have none yet, and when twice the time between the last two
    has passed without another; sooner where one was lost.
    """

    def __init__(self, trip: float, lost: set[int] = frozenset()) -> None:
        self.clock = Clock()
        self.flow = Flow(self.clock)
        self.trip = trip
        self.lost = lost
        self.pending = False
        self.value = 0  # of the newest state
        self.sent: list[tuple[float, int]] = []
        self.shown = 0
        self.came: list[tuple[float, int, int]] = []  # when, number, value
        self.unanswered = 0
        self.quiet_at = float("inf")
        self.arrived = -float("inf")
        self.newest = (0, 0)
        self.most_on_the_way = 0

    def offer(self) -> None:
        if not (self.pending and self.flow.may_send()):
            return
        number = self.flow.send()
        self.pending = False
        self.sent.append((self.clock.now, self.value))
        on_the_way = number - self.flow.painted
        self.most_on_the_way = max(self.most_on_the_way, on_the_way)
        if number not in self.lost:
            heapq.heappush(self.came, (self.clock.now + self.trip, number, self.value))

    def update(self, at: float) -> None:
        self.answer(until=at)
        self.clock.now = max(self.clock.now, at)
        self.value += 1
        self.pending = True
        self.offer()

    def answer(self, until: float = float("inf")) -> None:
        while min(self.quiet_at, self.came[0][0] if self.came else self.quiet_at) <= until:
            if self.came and self.came[0][0] < self.quiet_at:
                last = self.newest[0]
                self.clock.now, *self.newest = heapq.heappop(self.came)
                self.unanswered += 1
                gap, self.arrived = self.clock.now - self.arrived, self.clock.now
                lost = self.newest[0] != last + 1
                delay = ACK_DELAY if lost else min(LONGEST_ACK_DELAY, max(ACK_DELAY, 2 * gap))
                self.quiet_at = self.clock.now + delay
                if self.unanswered < 2:
                    continue
            elif self.quiet_at < float("inf"):
                self.clock.now, self.quiet_at = self.quiet_at, float("inf")
            else:
                return
            number, self.shown = self.newest
            self.unanswered = 0
            self.flow.acknowledge(number, self.clock.now - self.arrived)
            self.offer()


def test_the_first_update_is_sent_at_once() -> None:
    run = Simulation(trip=0.01)
    run.update(100.0)
    assert run.sent == [(100.0, 1)]


def test_five_hundred_updates_in_two_seconds_are_at_most_sixty_frames() -> None:
    run = Simulation(trip=0.02)
    for i in range(500):
        run.update(100 + i * 0.004)
    run.answer()
    assert 50 <= len(run.sent) <= 62
    assert run.shown == 500


@pytest.mark.parametrize(("trip", "window"), [(0.05, 2), (0.12, 3)])
def test_frames_on_the_way(trip: float, window: int) -> None:
    run = Simulation(trip)
    for i in range(400):
        run.update(100 + i * 0.01)
    assert run.most_on_the_way == window


@pytest.mark.parametrize("every", [2, 3, 5, 10])
def test_lost_frames_heal_with_the_next(every: int) -> None:
    run = Simulation(trip=0.05, lost=set(range(every, 1000, every)))
    for i in range(300):
        run.update(100 + i * 0.01)
    run.answer()
    assert run.value - run.shown <= 4  # at 30 a second; the last frame may have been a lost one
    run.lost = set()
    run.update(run.clock.now + 2)
    run.answer()
    assert run.shown == run.value
    assert len(run.sent) > 30  # ten a second, with a round trip of a tenth


@given(gaps=st.lists(st.floats(0, 0.1), min_size=1, max_size=60), trip=TRIPS)
def test_the_last_value_always_arrives(gaps: list[float], trip: float) -> None:
    run = Simulation(trip)
    at = 100.0
    for gap in gaps:
        at += gap
        run.update(at)
    run.answer()
    assert run.shown == run.value
    times = [when for when, _ in run.sent]
    for i, j in combinations(range(len(times)), 2):  # at 30 a second, one ahead of its time
        assert times[j] - times[i] >= (j - i - 1) * INTERVAL - 1e-9
    assert run.most_on_the_way <= 3


def test_silence_of_five_seconds_stops_frames_and_an_answer_starts_them() -> None:
    clock = Clock()
    flow = Flow(clock)
    sent = 0
    for _ in range(1000):
        clock.now += 0.02
        if flow.may_send():
            flow.send()
            sent += 1
            last = clock.now
    assert sent <= 12  # two, and two more for each second in which the last ones were lost
    assert last <= 105.1
    assert flow.waited() == pytest.approx(20, abs=0.1)
    flow.acknowledge(1)
    flow.acknowledge(flow.number)
    assert flow.waited() == 0
    assert flow.may_send()


def test_a_quiet_flow_is_not_a_silent_browser() -> None:
    clock = Clock()
    flow = Flow(clock)
    flow.send()
    clock.now += 0.05
    flow.acknowledge(1)
    clock.now += 600
    assert flow.waited() == 0
    assert flow.may_send()


def test_answers_that_make_no_sense_are_ignored() -> None:
    clock = Clock()
    flow = Flow(clock)
    flow.send()
    flow.acknowledge(7)
    assert flow.painted == 0
    flow.acknowledge(1)
    flow.acknowledge(1)
    flow.acknowledge(0)
    assert flow.painted == 1


def test_what_the_page_holds_back_is_no_round_trip() -> None:
    clock = Clock()
    flow = Flow(clock)
    flow.send()
    clock.now += 0.2
    flow.acknowledge(1, held=0.15)
    assert flow.round_trip == pytest.approx(0.05)
