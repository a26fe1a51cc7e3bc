import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.market import state as s
from models.market.clocks import advance_clock, decay
from models.market.kernel import _arrival, _learn_seller, _new_seller_share
from tests.factories import TS

TAKER, MAKER = 0, 1


def market(**values: float) -> np.ndarray:
    rows = np.zeros(1, s.MARKET)
    for name, value in values.items():
        rows[name] = value
    return rows


def seen_times(*times: int) -> list[int]:
    row = market()[0]
    return [advance_clock(row, TS + time) - TS for time in times]


@given(st.lists(st.integers(0, s.JUMP_MS), min_size=1))
def test_the_clock_is_the_running_maximum_of_event_time(times: list[int]) -> None:
    assert seen_times(*times) == np.maximum.accumulate(times).tolist()


@given(st.lists(st.tuples(st.integers(0, 10 * s.DAY), st.integers(0, s.JUMP_MS)), min_size=1))
def test_no_gap_is_too_long_for_events_in_order(steps: list[tuple[int, int]]) -> None:
    times = np.cumsum([gap for gap, _ in steps])
    late = [max(time - delay, 0) for time, (_, delay) in zip(times, steps, strict=True)]
    late[0] = times[0]
    assert seen_times(*late) == np.maximum.accumulate(late).tolist()


@given(
    st.lists(st.integers(0, 1_000), min_size=2, max_size=20),
    st.integers(s.JUMP_MS + 20_001, 1_000 * s.DAY),
    st.data(),
)
def test_one_leap_is_forgotten_by_the_next_event(
    steps: list[int], leap: int, data: st.DataObject
) -> None:
    times = np.cumsum(steps).tolist()
    place = data.draw(st.integers(1, len(times) - 1))
    leaping = seen_times(*times[:place], times[place - 1] + leap + s.JUMP_MS, *times[place:])
    assert leaping.pop(place) == times[place - 1] + leap + s.JUMP_MS
    assert leaping == times


def test_a_leap_that_the_next_event_agrees_with_stays() -> None:
    assert seen_times(0, 3 * s.DAY, 3 * s.DAY - 5, 1) == [0, 3 * s.DAY, 3 * s.DAY, 3 * s.DAY]


def test_two_bad_timestamps_in_a_row_that_differ_are_both_taken_back() -> None:
    assert seen_times(0, 9 * s.DAY, 5 * s.DAY, 7) == [0, 9 * s.DAY, 5 * s.DAY, 7]


@given(
    st.floats(0, 1e12),
    st.floats(-1e12, 1e12),
    st.sampled_from(s.WINDOWS.tolist()),
)
def test_a_decayed_sum_never_grows_by_itself(value: float, elapsed: float, window: float) -> None:
    assert 0.0 <= decay(value, elapsed, window) <= value


def test_a_decayed_sum_loses_all_but_1_in_e_in_a_window() -> None:
    assert decay(10.0, 60_000.0, 60_000.0) == pytest.approx(10.0 / np.e)


def test_all_fills_of_an_order_are_measured_from_the_price_that_it_met() -> None:
    row = market(price=8.0)[0]
    order, other = np.uint64(5), np.uint64(6)
    assert _arrival(row, TAKER, order, np.nan, 8.1) == 8.0
    row["price"] = 8.4  # the order itself has moved it
    assert _arrival(row, TAKER, order, np.nan, 8.4) == 8.0
    assert _arrival(row, TAKER, order, 8.3, 8.4) == 8.0
    assert _arrival(row, TAKER, other, np.nan, 8.5) == 8.4


def test_fills_of_no_known_order_are_each_measured_from_the_price_before() -> None:
    row = market(price=8.0)[0]
    assert _arrival(row, TAKER, np.uint64(0), np.nan, 8.1) == 8.0
    row["price"] = 8.4
    assert _arrival(row, TAKER, np.uint64(0), np.nan, 8.5) == 8.4


def test_makers_between_the_fills_of_an_order_do_not_interrupt_it() -> None:
    row = market(price=8.0)[0]
    taker = np.uint64(5)
    assert _arrival(row, TAKER, taker, np.nan, 8.1) == 8.0
    row["price"] = 8.1
    assert _arrival(row, MAKER, np.uint64(6), np.nan, 8.1) == 8.1
    assert _arrival(row, TAKER, taker, np.nan, 8.2) == 8.0


def test_where_no_price_is_known_a_fill_has_no_impact() -> None:
    assert _arrival(market()[0], TAKER, np.uint64(5), np.nan, 8.1) == 8.1


def test_an_arrival_price_that_is_given_counts() -> None:
    assert _arrival(market(price=8.0)[0], TAKER, np.uint64(5), 7.9, 8.1) == 7.9


def test_a_new_seller_takes_the_place_of_the_one_that_sells_least() -> None:
    row = market(time=TS)[0]
    for account in range(1, s.SELLERS + 1):
        _learn_seller(row, np.uint64(account), 100.0 + account)
    _learn_seller(row, np.uint64(99), 5.0)
    assert set(row["sellers"]["hash"].tolist()) == {99, *range(2, s.SELLERS + 1)}
    assert row["sellers"]["usual"][0] == 5.0
    assert row["sold_10m"] == pytest.approx(sum(range(101, 109)) + 5.0)


def test_an_account_that_always_sells_here_is_no_new_seller() -> None:
    row = market(time=TS, first=TS - 365 * s.DAY)[0]
    row["sellers"][0] = (np.uint64(1), TS, 100.0, 1e6)
    row["sellers"][1] = (np.uint64(2), TS, 300.0, 300.0)
    row["sold_10m"] = 400.0
    assert _new_seller_share(row) == pytest.approx(0.75)
