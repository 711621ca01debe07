"""Columns of what happened: nothing is lost, and a drawing never gets more than 192 points."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Iterator
from math import inf, isnan, nan
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactive_training import History, Recipe, Run, Step, train
from interactive_training.engine.history import AVERAGED, COLUMNS, POINTS, Envelope

RECIPE = Recipe()


def step(index: int, loss: float, **others: Any) -> Step:
    values = {
        "per_sample": loss,
        "rows": 32,
        "lr": 0.1,
        "grad_norm": 2.0,
        "names": (),
        "lengths": (),
        "clip_scale": 0.5,
        "amp_scale": 1.0,
        "skipped": False,
        "updated": True,
        "metrics": {},
        "recipe": RECIPE,
    }
    return Step(index=index, loss=loss, **{**values, **others})


def history_of(losses: Any, first: int = 0) -> History:
    return History(step(first + i, loss) for i, loss in enumerate(losses))


def test_columns_hold_every_value() -> None:
    history = History()
    steps = list(train(Run("digits", Recipe(clip="norm", clip_at=0.2)), 30))
    history.extend(steps)
    assert len(history) == 30
    for name in ("loss", "per_sample", "lr", "grad_norm", "amp_scale"):
        assert history.column(name).tolist() == [getattr(s, name) for s in steps]
    assert history.column("clipped_norm").max() <= 0.2 < history.column("grad_norm").max()
    assert history.last("loss") == steps[-1].loss and isnan(History().last("loss"))


def test_the_average_is_of_the_last_twenty() -> None:
    losses = np.random.default_rng(0).normal(size=70)
    found = history_of(losses).column("average")
    wanted = [losses[max(0, i - AVERAGED + 1) : i + 1].mean() for i in range(70)]
    assert found == pytest.approx(np.array(wanted), rel=1e-12)


def test_changes_of_the_recipe_validations_and_skips_are_noted_with_their_steps() -> None:
    other = Recipe(lr=0.2)
    history = History(
        [
            step(5, 1.0),
            step(6, 1.0, recipe=Recipe()),  # equal, though another object
            step(7, 1.0, recipe=other, skipped=True),
            step(8, 1.0, recipe=other, metrics={"validation_loss": 3.0}),
        ]
    )
    assert history.first == 5
    assert history.recipes == [(5, RECIPE), (7, other)]
    assert history.skipped == [7] and history.metrics == [(8, {"validation_loss": 3.0})]


values = st.lists(st.floats(-1e6, 1e6) | st.just(nan), max_size=3000)


@settings(max_examples=40, deadline=None)
@given(st.lists(values, max_size=6), st.integers(0, 10**6))
def test_whatever_comes_in_extremes_and_means_are_kept(
    portions: list[list[float]], first: int
) -> None:
    """The oracle: every bucket is the same values cut out of the whole column."""
    envelope = Envelope(2)
    for portion in portions:
        envelope.extend(np.array([portion, [-value for value in portion]]))
    column = np.array([value for portion in portions for value in portion])
    found, mirrored = envelope.reduced(first, 0), envelope.reduced(first, 1)
    np.testing.assert_array_equal(mirrored.low, -found.high)  # columns leave each other alone
    np.testing.assert_array_equal(mirrored.high, -found.low)
    assert len(found.x) == -(-len(column) // envelope.width) <= POINTS
    for i, x in enumerate(found.x):
        part = column[i * envelope.width : (i + 1) * envelope.width]
        assert x == first + i * envelope.width + (len(part) - 1) / 2
        known = part[~np.isnan(part)]
        if len(known):
            assert (found.low[i], found.high[i]) == (known.min(), known.max())
            assert found.mean[i] == pytest.approx(known.mean(), rel=1e-9, abs=1e-6)
        else:
            assert isnan(found.low[i]) and isnan(found.mean[i]) and isnan(found.high[i])


def test_a_bucket_is_filled_by_what_comes_later_in_its_own_column() -> None:
    values = np.random.default_rng(0).normal(size=(2, 1000))
    envelope = Envelope(2)
    for at in range(0, 1000, 37):
        envelope.extend(values[:, at : at + 37])
    assert envelope.width > 1
    for row, column in enumerate(values):
        found = envelope.reduced(0, row)
        parts = [column[i : i + envelope.width] for i in range(0, 1000, envelope.width)]
        assert found.low.tolist() == [part.min() for part in parts]
        assert found.high.tolist() == [part.max() for part in parts]
        assert found.mean == pytest.approx([part.mean() for part in parts])


def same(one: History, other: History) -> bool:
    return len(one) == len(other) and all(
        one.column(name).tolist() == other.column(name).tolist()
        and one.reduced(name).mean.tolist() == other.reduced(name).mean.tolist()
        for name in COLUMNS
    )


def test_an_interrupt_before_any_line_loses_and_doubles_nothing() -> None:
    """But before the last: an interrupt comes after a call, and the line before it has none."""
    code = History._take_in.__code__
    lines = sorted({line for _, _, line in code.co_lines() if line} - {code.co_firstlineno})
    interrupted = 0
    for stop in lines[:-1]:

        def trace(frame: Any, event: str, _: Any, stop: int = stop) -> Any:
            if (frame.f_code, event, frame.f_lineno) == (code, "line", stop):
                raise KeyboardInterrupt
            return trace

        history = history_of(range(30))
        assert len(history) == 30
        history.extend(step(i, i) for i in range(30, 60))
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            history.last("loss")
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(before)
        assert same(history, history_of(range(60))), stop
    assert interrupted > 10


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns as often as Python lets them."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
def test_a_history_is_read_whole_while_another_thread_appends() -> None:
    steps = 20_000
    history = History()
    worker = Thread(
        target=lambda: history.extend(step(i, i, lr=i, grad_norm=i) for i in range(steps))
    )
    worker.start()
    lengths = []
    while worker.is_alive():
        count = len(history)
        lengths.append(count)
        for name in ("loss", "per_sample", "lr", "grad_norm"):
            found = history.column(name)
            assert found.tolist() == list(range(len(found)))
            assert len(found) >= count
            count = len(found)
        points = history.reduced("loss"), history.reduced("grad_norm")
        assert all(np.array_equal(reduced.x, reduced.mean) for reduced in points)
    assert len(set(lengths)) > 3 and lengths == sorted(lengths)
    assert same(history, History(step(i, i, lr=i, grad_norm=i) for i in range(steps)))


def test_who_reads_while_steps_are_taken_in_waits_for_the_last_line() -> None:
    code = History._take_in.__code__
    last = max(line for _, _, line in code.co_lines() if line)
    history, lengths = history_of(range(60)), list[int]()
    reader = Thread(target=lambda: lengths.append(len(history)))

    def trace(frame: Any, event: str, _: Any) -> Any:
        if (frame.f_code, event, frame.f_lineno) == (code, "line", last):
            reader.start()
            reader.join(timeout=0.2)
            assert not lengths
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        history.last("loss")
    finally:
        sys.settrace(before)
    reader.join()
    assert lengths == [60] and same(history, history_of(range(60)))


def test_a_history_can_be_pickled_and_copied() -> None:
    history = history_of(range(700))
    for twin in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        assert same(twin, history)
        twin.append(step(700, 7.0))
        assert len(history) == 700


def test_two_hundred_thousand_steps_are_few_points_and_no_spike_is_lost() -> None:
    losses = np.random.default_rng(0).uniform(1, 2, 200_000)
    losses[[17, 123_456]] = 99.0, -99.0
    history = History()
    for i, loss in enumerate(losses):
        history.append(step(i, loss))
        if i % 40_000 == 0:
            history.reduced("loss")  # drawn on the way
    found = history.reduced("loss")
    assert POINTS / 2 < len(found.x) <= POINTS
    assert (found.high.max(), found.low.min()) == (99.0, -99.0)
    spike = found.x[found.high.argmax()]
    assert abs(spike - 17) < 200_000 / len(found.x)
    assert (found.x[0] >= 0) and (found.x[-1] <= 199_999) and (np.diff(found.x) > 0).all()


def test_infinity_stays_and_leaves_its_neighbours_alone() -> None:
    found = history_of([1.0, inf, 2.0]).reduced("loss")
    assert found.high.tolist() == [1.0, inf, 2.0]


def test_an_empty_history_draws_nothing() -> None:
    for name in COLUMNS:
        assert len(History().reduced(name).x) == 0


@pytest.mark.parametrize("index", [0, 3, 100, 101, 700, 1000, 5000])
def test_until_is_what_a_shorter_run_would_have_left(index: int) -> None:
    losses = np.random.default_rng(1).normal(size=1000)
    history = history_of(losses, first=100)
    history.reduced("loss")
    cut, short = history.until(index), history_of(losses[: max(0, index - 100)], first=100)
    for more in (None, 7.0):  # and goes on like it
        if more is not None:
            for one in (cut, short):
                one.append(step(100 + len(one), more))
        assert len(cut) == len(short)
        for name in COLUMNS:
            assert cut.column(name).tolist() == short.column(name).tolist()
            assert cut.reduced(name).x.tolist() == short.reduced(name).x.tolist()
            assert cut.reduced(name).high.tolist() == short.reduced(name).high.tolist()
    assert len(history) == 1000


def test_a_piece_of_a_long_history_is_as_fine_as_one_that_ends_there() -> None:
    losses = np.random.default_rng(0).random(20_000)
    history = History(step(i + 5, loss) for i, loss in enumerate(losses))
    for until in (-1, 5, 6, 100, 405, 3000, 20_005, inf):
        count = int(min(max(until - 5, 0), len(losses)))
        short = History(step(i + 5, loss) for i, loss in enumerate(losses[:count]))
        for name in ("loss", "average"):
            found, same = history.reduced(name, until), short.reduced(name)
            for part in ("x", "low", "mean", "high"):
                assert np.array_equal(getattr(found, part), getattr(same, part)), (until, part)
    assert len(history.reduced("loss", 405).x) > len(history.reduced("loss").x) // 2


def test_until_forgets_what_came_later() -> None:
    history = History([step(0, 1.0), step(1, 1.0, skipped=True, metrics={"validation_loss": 1})])
    cut = history.until(1)
    assert cut.skipped == [] and cut.metrics == [] and cut.recipes == [(0, RECIPE)]


def test_a_copy_shares_nothing() -> None:
    history = history_of([1.0, 2.0])
    copy = history.copy()
    history.append(step(2, 3.0))
    assert copy.column("loss").tolist() == [1.0, 2.0]


def test_a_fork_goes_on_with_the_average() -> None:
    losses = np.random.default_rng(2).normal(size=60)
    whole, fork = history_of(losses), history_of(losses[:30]).fork()
    fork.extend(step(i, losses[i]) for i in range(30, 60))
    assert fork.first == 30 and len(fork) == 30
    assert fork.column("average").tolist() == whole.column("average")[30:].tolist()
    assert fork.until(35).column("average").tolist() == whole.column("average")[30:35].tolist()
