from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bounds import Bounds
from models.market.stage import AGREEING, MarketStage
from models.market.state import CONTEXT, DAY, HOUR, MINUTE
from models.orders.batch import NONE, OrderBatch
from models.orders.hashing import stable_hashes
from models.rows import Rows
from tests.factories import TS, Event, bare_order, batch_of, market_tapes
from tests.reference import WINDOWS, NaiveMarket, restate

LATEST = TS + 400 * DAY


def observed(tape: list[Event], stage: MarketStage | None = None) -> Rows:
    """What is told of the events of API keys."""
    rows = (stage or MarketStage()).observe(batch_of(tape, LATEST))
    return rows.take(np.flatnonzero(rows.orders.key != NONE))


def context(rows: Rows, row: int = -1) -> dict[str, float]:
    return dict(zip(CONTEXT, rows.told["context"][row].tolist(), strict=True))


def keyed(tape: list[Event]) -> list[int]:
    return [n for n, event in enumerate(tape) if event["api_key"] is not None]


def fills(*times: int, **changes: Any) -> list[Event]:
    """Fills at TS + each time, each an order of its own."""
    return [bare_order(event_id=f"e-{n}", ts=TS + time) | changes for n, time in enumerate(times)]


@given(market_tapes())
def test_every_statistic_equals_its_restatement_from_all_past_events(tape: list[Event]) -> None:
    _, told = restate(tape)
    rows = observed(tape)
    assert rows.orders.event_id == [tape[n]["event_id"] for n in keyed(tape)]
    for row, n in enumerate(keyed(tape)):
        expected = told[n]
        if expected is None:
            assert not rows.told["context"][row].any()
        else:
            assert context(rows, row) == pytest.approx(expected, rel=2e-4, abs=2e-5)


@settings(max_examples=40)
@given(market_tapes())
def test_what_is_kept_of_a_market_equals_its_restatement(tape: list[Event]) -> None:
    stage = MarketStage()
    observed(tape, stage)
    markets, _ = restate(tape)
    hashes = dict(zip(markets, stable_hashes([f"binance\x1f{m}" for m in markets]), strict=True))
    assert stage._markets.meta[0] == len(markets)
    for name, market in markets.items():
        (row,) = stage._markets.rows[stage._markets.rows["hash"] == hashes[name]]
        volumes = [market.volume(window) for window in WINDOWS]
        np.testing.assert_allclose(row["volume"], volumes, rtol=2e-4, atol=1e-20)
        assert row["time"] == market.now


@settings(max_examples=40)
@given(market_tapes(), st.integers(1, 45), st.data())
def test_nothing_depends_on_how_events_are_cut(
    tape: list[Event], cut: int, data: st.DataObject
) -> None:
    leaps = st.sampled_from([0, 0, 0, 0, 0, 2 * HOUR, 3 * DAY, -2 * HOUR])
    for event in tape:  # clocks that are wrong, and events that come twice
        event["ts"] += data.draw(leaps)
        if data.draw(st.integers(0, 5)) == 0:
            event["event_id"] = tape[0]["event_id"]
    batch, whole, stage = batch_of(tape, LATEST), MarketStage(), MarketStage()
    at_once = whole.observe(batch)
    parts = [batch.take(np.arange(n, min(n + cut, len(tape)))) for n in range(0, len(tape), cut)]
    again = Rows.concat([stage.observe(part) for part in parts])
    assert again.orders.event_id == at_once.orders.event_id
    assert again.told.tobytes() == at_once.told.tobytes()
    assert stage.clock == whole.clock
    assert (np.diff(at_once.merge_time)[1:] >= 0).all()  # but for the first, taken back
    assert np.isfinite(at_once.told["context"]).all()


@pytest.mark.parametrize("cut", [1, 7, 4096])
def test_a_long_tape_comes_out_the_same_bit_by_bit_however_it_is_cut(cut: int) -> None:
    random = np.random.default_rng(7)
    n = 2_000
    batch = batch_of(
        [
            bare_order(
                event_id=f"e-{number}",
                ts=TS + number * 977,
                symbol=f"S{random.zipf(1.5) % 90}",
                api_key=f"k{random.integers(40)}",
                account=f"a{random.integers(60)}",
                side=random.choice(["buy", "sell"]).item(),
                price=8.0 + random.random(),
                app=f"app{random.integers(4)}",
            )
            for number in range(n)
        ]
    )
    few = Bounds(markets=20, pairs=150)  # so small that it must forget
    whole, stage = MarketStage(few), MarketStage(few)
    at_once = whole.observe(batch)
    parts = [batch.take(np.arange(start, min(start + cut, n))) for start in range(0, n, cut)]
    again = Rows.concat([stage.observe(part) for part in parts])
    assert again.told["context"].tobytes() == at_once.told["context"].tobytes()
    assert len(stage._markets.rows) == 20
    assert len(stage._seen.rows) == 150


@settings(max_examples=40)
@given(market_tapes(), st.data())
def test_a_repeated_event_changes_nothing(tape: list[Event], data: st.DataObject) -> None:
    doubled = []
    for n, event in enumerate(tape):
        doubled.append(event)
        if data.draw(st.booleans()):
            again = data.draw(st.integers(0, n))
            doubled.append(tape[again] | {"ts": TS + 300 * DAY, "price": 1e6, "qty": 1e6})
    once, twice = observed(tape), observed(doubled)
    assert twice.orders.event_id == once.orders.event_id
    assert twice.told["context"].tobytes() == once.told["context"].tobytes()
    np.testing.assert_array_equal(twice.merge_time, once.merge_time)


def test_an_order_without_a_key_moves_the_market_but_is_not_passed_on() -> None:
    tape = [*fills(0, 1_000), bare_order(event_id="last", ts=TS + 2_000, price=8.25)]
    web = [*fills(0, 1_000, api_key=None, price=7.5), tape[2]]
    assert observed(web[:2]).orders.event_id == []
    rows = observed(web)
    assert rows.orders.event_id == ["last"]
    assert context(rows)["volume_10m"] == pytest.approx(600, rel=1e-2)
    assert context(rows)["adverse_move"] == pytest.approx(np.log(8.25 / 7.5))
    assert context(rows)["newcomers"] == 0.0


@settings(max_examples=40)
@given(market_tapes(max_size=12))
def test_statuses_that_are_no_fills_move_the_clock_and_nothing_else(tape: list[Event]) -> None:
    stage = MarketStage()
    rows = observed([event | {"status": "new"} for event in tape], stage)
    assert not rows.told["context"].any()
    kept = stage._markets.rows[: stage._markets.meta[0]]
    assert not kept["volume"].any()
    assert not kept["price"].any()
    assert {row["time"] for row in kept} == {market.now for market in restate(tape)[0].values()}


def test_an_event_late_by_seconds_is_used_at_the_time_of_its_market() -> None:
    rows = observed(fills(0, 30_000, 5_000, price=9.0))
    assert (rows.time - TS).tolist() == [0, 30_000, 30_000]
    on_time = observed(fills(0, 30_000, 30_000, price=9.0))
    assert rows.told["context"].tobytes() == on_time.told["context"].tobytes()


def test_a_fill_late_by_more_than_a_minute_counts_as_volume_but_not_as_price() -> None:
    tape = fills(0, 10 * MINUTE, 10 * MINUTE - 60_001, 10 * MINUTE + 1)
    tape[2] |= {"price": 80.0, "qty": 1.0}
    rows = observed(tape)
    assert context(rows, 2)["adverse_move"] == 0.0
    assert context(rows)["adverse_move"] == 0.0  # 8.25 after 8.25
    assert context(rows)["sigma"] == pytest.approx(0.01)
    assert context(rows)["volume_10m"] == pytest.approx(330 * np.exp(-1) + 330 + 80, rel=1e-4)


def test_one_timestamp_days_ahead_is_taken_back_by_the_next_event() -> None:
    rows = observed(fills(0, 1_000, 3 * DAY, 2_000, 3_000))
    assert (rows.time - TS).tolist() == [0, 1_000, 3 * DAY, 2_000, 3_000]
    assert (rows.merge_time - TS).tolist() == [0, 1_000, 1_000, 2_000, 3_000]


def test_what_was_sold_days_ahead_is_no_flood_of_sales_when_the_clock_is_set_back() -> None:
    tape = fills(*range(0, 50_000, 1_000), 3 * DAY, *range(50_000, 100_000, 1_000), 4 * HOUR)
    for n, event in enumerate(tape):
        event |= {"side": "sell", "account": "thief" if n == 50 else "usual"}
    rows = observed(tape)
    assert np.isfinite(rows.told["context"]).all()
    without = observed([event for n, event in enumerate(tape) if n != 50])
    for name in ("new_seller_share", "app_newcomers", "newcomers"):
        assert context(rows)[name] == pytest.approx(context(without)[name], abs=0.05)


def test_a_first_timestamp_far_ahead_is_taken_back_by_the_next_event() -> None:
    stage = MarketStage()
    tape = fills(300 * DAY, 0, 1_000, 2_000)
    rows = observed(tape, stage)
    assert (rows.time - TS).tolist() == [300 * DAY, 0, 1_000, 2_000]
    assert (rows.merge_time - TS).tolist() == [300 * DAY, 0, 1_000, 2_000]
    assert stage.clock == TS + 2_000
    told = context(rows)
    assert told["from_reference_1h"] == 0.0
    tape[3]["price"] *= 1.1  # and what follows is no late fill
    assert context(observed(tape))["adverse_move"] == pytest.approx(np.log(1.1))


def test_another_market_takes_back_the_first_timestamp_of_the_partition() -> None:
    stage = MarketStage()
    tape = fills(300 * DAY, 0, 1_000, 300 * DAY, 2_000)
    for event, symbol in zip(tape, "ABBAB", strict=True):
        event["symbol"] = symbol
    rows = observed(tape, stage)
    assert (rows.merge_time - TS).tolist() == [300 * DAY, 0, 1_000, 1_000, 2_000]
    assert stage.clock == TS + 2_000


def test_one_bad_timestamp_does_not_wipe_out_what_was_usual() -> None:
    days = [n * HOUR for n in range(24 * 7)]
    rows = observed(fills(*days, 200 * DAY, days[-1] + 1, days[-1] + 2))
    without = observed(fills(*days, days[-1] + 1, days[-1] + 2))
    for name in ("daily_volume", "sigma"):
        told = context(rows)[name] / context(without)[name]
        assert told == pytest.approx(1.0, abs=0.05)
    confirmed = observed(fills(*days, 200 * DAY, 200 * DAY + 1))
    assert context(confirmed)["daily_volume"] == pytest.approx(330.0)  # all else is long ago


def test_the_partitions_clock_follows_a_leap_that_three_events_in_a_row_agree_on() -> None:
    assert AGREEING == 3
    rows = observed(fills(0, 2 * HOUR, 2 * HOUR + 1, 2 * HOUR + 2, 2 * HOUR + 3))
    merge_times = [0, 0, 0, 2 * HOUR, 2 * HOUR + 3]  # to the least of the three
    assert (rows.merge_time - TS).tolist() == merge_times
    assert (rows.time - TS).tolist() == [0, 2 * HOUR, 2 * HOUR + 1, 2 * HOUR + 2, 2 * HOUR + 3]


def test_a_bad_timestamp_among_those_that_agree_does_not_carry_the_partition_away() -> None:
    tape = fills(0, 2 * HOUR, 2 * HOUR + 1, 90 * DAY, 2 * HOUR + 2)
    tape[3]["symbol"] = "OTHER"
    stage = MarketStage()
    rows = observed(tape, stage)
    assert rows.merge_time[3] == TS + 2 * HOUR
    assert stage.clock == TS + 2 * HOUR + 2


def test_bad_timestamps_one_at_a_time_never_move_the_partition() -> None:
    tape = fills(*(100 * DAY if n % 3 == 2 else n for n in range(30)))
    stage = MarketStage()
    observed(tape, stage)
    assert stage.clock == TS + 28


def test_an_app_is_told_of_its_own_newcomers_before_the_one_that_comes() -> None:
    tape = fills(*range(5), app="signalbot")
    for n, event in enumerate(tape):
        event["api_key"] = f"k{n}"
    tape.append(bare_order(event_id="old", ts=TS + 5, api_key="k0", app="signalbot"))
    tape.append(bare_order(event_id="other", ts=TS + 5, api_key="k9", app="otherbot"))
    rows = observed(tape)
    told = [context(rows, n)["app_newcomers"] for n in range(7)]
    assert told == pytest.approx([0, 1, 2, 3, 4, 5, 0], abs=1e-3)
    assert context(rows)["newcomers"] == pytest.approx(5, abs=1e-3)


def test_an_order_is_one_order_though_the_makers_fills_are_reported_between_its_own() -> None:
    taken = fills(*range(4), order_id="taker")
    resting = fills(*range(4), side="sell", maker=True)
    for n, (taker, maker) in enumerate(zip(taken, resting, strict=True)):
        taker["price"] = maker["price"] = 8.0 + n
        maker |= {"event_id": f"m-{n}", "order_id": f"resting-{n}"}
    rows = observed([event for pair in zip(taken, resting, strict=True) for event in pair])
    told = context(rows, 6)
    assert told["order_notional"] == pytest.approx(40 * (8 + 9 + 10 + 11))
    assert told["adverse_move"] == pytest.approx(np.log(11 / 8))


def test_the_same_key_is_new_in_each_market_once() -> None:
    tape = fills(0, 1, 2, 3)
    for event, symbol in zip(tape, ["A", "B", "A", "A"], strict=True):
        event["symbol"] = symbol
    assert context(observed(tape))["newcomers"] == pytest.approx(1, abs=1e-3)


def test_nothing_is_made_of_no_events() -> None:
    stage = MarketStage()
    assert len(stage.observe(batch_of([]))) == 0
    assert stage.clock == 0
    nothing = stage.observe(OrderBatch.concat([batch_of([]), batch_of([])]))
    assert nothing.told["context"].shape == (0, len(CONTEXT))


def test_a_new_market_has_no_past_to_be_measured_against() -> None:
    told = context(observed(fills(0)))
    market = NaiveMarket()
    assert told == pytest.approx(market.observe(fills(0)[0]), rel=1e-5)
    assert told["adverse_move"] == told["from_reference_1h"] == told["volume_10m"] == 0.0
