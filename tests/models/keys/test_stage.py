from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bounds import Bounds
from models.keys.stage import KeyStage
from models.keys.state import BASELINES, F_PAIR_NOVELTY, F_PAIR_YOUTH, FEATURES, TOLD
from models.market.stage import MarketStage
from models.market.state import CONTEXT, DAY, HOUR, MINUTE
from models.orders.batch import BUY, SELL, Float64s
from models.rows import Rows
from models.score.evidence import (
    FAMILIAR_WEIGHT,
    NO_EVIDENCE,
    SUSPECT,
    blank_scale,
    chance,
    weigh,
)
from models.score.surprise import PLACES
from tests.factories import TS, Event, bare_order, batch_of, market_tapes
from tests.reference import names_in
from tests.reference_keys import KeyFill, NaiveKey

LATEST = TS + 400 * DAY
# On this scale anything above zero surprises most, so that many fills are suspect.
NERVOUS = np.concatenate(
    [np.zeros((len(FEATURES), PLACES - 1)), np.full((len(FEATURES), 1), 9.0)], axis=1
)


def on_market(tape: Sequence[Event]) -> Rows:
    return MarketStage().observe(batch_of(tape, LATEST))


def assessed(tape: Sequence[Event], scale: Float64s | None = None) -> Rows:
    return KeyStage(blank_scale() if scale is None else scale).assess(on_market(tape))


def named(names: Sequence[str], values: Any) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


@st.composite
def key_tapes(draw: st.DrawFn) -> list[Event]:
    tape = draw(market_tapes())
    for event in tape:
        event["venue"] = draw(st.sampled_from(["binance", "okx"]))
        event["app"] = draw(st.sampled_from([None, "x", "x", "y"]))
        event["counterparty"] = draw(st.sampled_from([None, "s1", "s2", "s3"]))
        event["qty"] = draw(st.sampled_from([0.01, 1.0, 40.0, 3_000.0]))
        event.pop("notional", None)
    return tape


def fill_of(event: Event, context: dict[str, float], company: int) -> KeyFill:
    return KeyFill(
        f"{event['venue']} {event['symbol']}",
        event["symbol"],
        event["side"] == "buy",
        not event.get("maker", False),
        event["price"],
        event["price"] * event["qty"],
        event.get("order_id"),
        event.get("app"),
        event.get("network"),
        event.get("counterparty"),
        context,
        frozenset(names_in(company)),
    )


@settings(max_examples=30)
@given(key_tapes(), st.sampled_from([blank_scale(), NERVOUS]))
def test_every_feature_equals_its_restatement_from_all_past_fills(
    tape: list[Event], scale: Float64s
) -> None:
    market = on_market(tape)
    rows = KeyStage(scale).assess(market)
    keys: dict[str, NaiveKey] = {}
    events = {event["event_id"]: event for event in tape}
    for row, event_id in enumerate(rows.orders.event_id):
        event = events[event_id]
        if event["api_key"] is None:  # a sale into a stirred market
            continue
        key = keys.setdefault(event["api_key"], NaiveKey())
        key.enter(float(rows.time[row]))
        if event.get("status", "filled") not in ("filled", "partially_filled"):
            key.hear(event.get("network"))
            assert not rows.told["features"][row].any()
            continue
        context = named(CONTEXT, rows.told["context"][row])
        fill = fill_of(event, context, int(market.told["company"][row]))
        features, values = key.told(fill)
        assert named(FEATURES, rows.told["features"][row]) == pytest.approx(
            features, rel=1e-3, abs=1e-3
        )
        assert named(BASELINES, rows.told["values"][row]) == pytest.approx(
            values, rel=1e-4, abs=1e-4
        )
        usual = {which: key.estimate(which)[0] for which in BASELINES}
        assert named(BASELINES, rows.told["usual"][row]) == pytest.approx(usual, rel=1e-3, abs=1e-3)
        assert rows.told["persistence"][row] == pytest.approx(key.persistence(), rel=1e-3)
        assert rows.told["activity"][row] == pytest.approx(key.activity(), rel=1e-3, abs=1e-3)
        familiar = rows.told["familiarity"][row]
        assert familiar == pytest.approx(key.familiarity(fill), abs=1e-5)
        odds, surprises = rows.told["odds"][row], rows.told["surprises"][row]
        rogue = chance(odds, surprises) if odds > NO_EVIDENCE else 0.0
        told = np.zeros(len(FEATURES), np.float32)
        side = BUY if fill.buys else SELL
        judged = weigh(scale, rows.told["features"][row], familiar, side, told)
        assert odds == pytest.approx(NO_EVIDENCE if key.wins(fill) else judged)
        learned = bool(judged + FAMILIAR_WEIGHT * familiar <= SUSPECT)
        key.remember(fill, values, learned=learned, chance=rogue)


@pytest.mark.parametrize(("scale", "learns"), [(blank_scale(), True), (NERVOUS, False)])
def test_familiar_company_equals_its_restatement(scale: Float64s, learns: bool) -> None:
    random = np.random.default_rng(3)
    steps = [0, 1_000, 40 * MINUTE, 2 * HOUR, 9 * HOUR, 25 * HOUR]
    told: list[float] = []
    for _ in range(40):
        ts, tape = TS, []
        for n in range(60):
            ts += int(random.choice(steps))
            key, side = f"k{random.integers(5)}", "sell" if random.random() < 0.1 else "buy"
            order = f"o-{random.integers(3)}" if random.random() < 0.5 else f"n-{n}"
            bought = {"ts": ts, "api_key": key, "side": side, "order_id": order, "app": "x"}
            tape.append(bare_order(event_id=f"e-{n}", **bought))
        market = on_market(tape)
        rows = KeyStage(scale).assess(market)
        keys: dict[str, NaiveKey] = {}
        for row, event in enumerate(tape):
            naive = keys.setdefault(event["api_key"], NaiveKey())
            naive.enter(float(rows.time[row]))
            context = named(CONTEXT, rows.told["context"][row])
            fill = fill_of(event, context, int(market.told["company"][row]))
            familiar = float(rows.told["familiarity"][row])
            assert familiar == pytest.approx(naive.familiarity(fill), abs=1e-5)
            odds = float(rows.told["odds"][row])
            learned = odds + FAMILIAR_WEIGHT * familiar <= SUSPECT
            naive.remember(fill, dict.fromkeys(BASELINES, 0.0), learned=learned, chance=0.0)
            told.append(familiar)
    assert (sum(0.0 < familiar < 1.0 for familiar in told) > 20) == learns
    assert learns == any(told)


@settings(max_examples=30)
@given(key_tapes(), st.integers(1, 20), st.sampled_from([blank_scale(), NERVOUS]))
def test_nothing_depends_on_how_events_are_cut(
    tape: list[Event], cut: int, scale: Float64s
) -> None:
    rows = on_market(tape)
    at_once = KeyStage(scale).assess(rows)
    stage = KeyStage(scale)
    parts = [np.arange(n, min(n + cut, len(rows))) for n in range(0, len(rows), cut)]
    for part in parts:
        again = stage.assess(rows.take(part))
        for name in TOLD.names or ():
            assert again.told[name].tobytes() == at_once.told[name][part].tobytes(), name
        homes = at_once.orders.apps.spelled(at_once.orders.home[part])
        assert again.orders.apps.spelled(again.orders.home) == homes


@settings(max_examples=30)
@given(key_tapes(), st.data())
def test_wrong_clocks_make_no_feature_infinite_and_no_age_negative(
    tape: list[Event], data: st.DataObject
) -> None:
    for event in tape:
        event["ts"] += data.draw(st.sampled_from([0, 0, 0, 2 * HOUR, 9 * DAY, -2 * HOUR]))
    stage = KeyStage(NERVOUS)
    rows = stage.assess(on_market(tape))
    for name in ("features", "values", "usual", "odds", "persistence", "familiarity", "activity"):
        assert np.isfinite(rows.told[name]).all()
    keys = stage._keys.rows[: stage._keys.meta[0]]
    for name in ("first", "day", "hour"):
        assert (keys[name] <= keys["time"]).all()
    assert (keys["sales"]["time"] <= keys["time"][:, None]).all()
    assert (rows.told["features"][:, FEATURES.index("pair_youth")] >= 0).all()


def fills(times: Sequence[int], **changes: Any) -> list[Event]:
    return [bare_order(event_id=f"e-{n}", ts=TS + time) | changes for n, time in enumerate(times)]


@pytest.mark.parametrize("notional", [5e-324, 1e-30, 1e12])
def test_a_fill_of_any_value_leaves_every_number_finite(notional: float) -> None:
    tape = fills(range(0, 40 * HOUR, HOUR))
    for n, event in enumerate(tape):
        event["side"] = "sell" if n % 3 == 2 else "buy"
        event.update(notional=notional, price=1e12 if n % 2 else 1e-12, qty=1e-12)
    rows = assessed(tape)
    for name in ("features", "values", "usual", "odds", "persistence", "familiarity", "activity"):
        assert np.isfinite(rows.told[name]).all(), name


def test_a_key_whose_clock_leapt_ahead_closes_its_day_in_time() -> None:
    days = [n * DAY // 4 for n in range(8)]
    tape = fills([*days, 90 * DAY, *(days[-1] + n * DAY // 4 for n in range(1, 9))])
    stage = KeyStage(blank_scale())
    stage.assess(on_market(tape))
    (key,) = stage._keys.rows[: stage._keys.meta[0]]
    assert key["time"] - key["day"] <= DAY
    assert key["baselines"]["past"]["n"][0] >= 10


def test_sizes_that_grow_all_day_are_measured_against_the_days_before() -> None:
    calm = [day * DAY + n * HOUR for day in range(4) for n in range(12)]
    start = 100 * HOUR  # more than a day after the last one began
    ramp = [start + n * 10 * 60_000 for n in range(130)]
    tape = fills(calm + ramp, qty=10.0)
    for n, event in enumerate(tape[len(calm) :]):
        event["qty"] = 10.0 * 1.1**n
    usual = assessed(tape).told["usual"]
    assert (usual[len(calm) :] == usual[len(calm)]).all()


def test_a_burst_across_the_end_of_a_day_does_not_become_its_own_past() -> None:
    calm = [day * DAY + n * 8 * HOUR for day in range(20) for n in range(3)]
    start = 20 * DAY + 22 * HOUR  # the key's day began with its first order
    burst = [start + n * 90_000 for n in range(160)]
    usual = assessed(fills([*calm, 20 * DAY, *burst])).told["usual"]
    assert (usual[-159:] == usual[-159]).all()


def test_what_is_suspect_is_not_learned_but_windows_take_it_in() -> None:
    calm = fills([n * HOUR for n in range(100)], app="x", network="home")
    theft = fills([100 * HOUR + n * 1_000 for n in range(30)], symbol="THIN", app="y")
    for n, event in enumerate(theft):
        event |= {"event_id": f"t-{n}", "network": "tor", "qty": 4e4}
    stage = KeyStage(NERVOUS)
    market = MarketStage()
    stage.assess(market.observe(batch_of(calm, LATEST)))
    # A first fill, to close the hour, tells what was known before the theft.
    rows = stage.assess(market.observe(batch_of(theft[:1], LATEST)))
    before = stage._keys.rows[0].copy()
    assert rows.told["odds"][0] > SUSPECT
    rows = stage.assess(market.observe(batch_of(theft[1:], LATEST)))
    after = stage._keys.rows[0]
    assert (rows.told["odds"] > SUSPECT).all()
    assert before["baselines"].tobytes() == after["baselines"].tobytes()
    for name in ("networks", "requests", "app", "home", "app_orders"):
        assert before[name].tobytes() == after[name].tobytes(), name
    assert after["fills"] == pytest.approx(before["fills"], rel=1e-4)
    assert after["traded_1d"] > 25 * 4e4 * 8
    assert after["evidence_1h"] > before["evidence_1h"]
    novelty = rows.told["features"][:, [F_PAIR_NOVELTY, F_PAIR_YOUTH]]
    assert (np.diff(novelty[:, 0]) <= 1e-3).all()
    assert novelty[-1, 0] == pytest.approx(novelty[0, 0], rel=1e-3)


@settings(max_examples=25)
@given(key_tapes(), st.sampled_from([40, 1e5]))
def test_a_fill_is_measured_before_it_is_learned(tape: list[Event], qty: float) -> None:
    # Another size, counterparty and network of the last fill change nothing that was said before.
    last = tape[-1] | {"qty": qty, "counterparty": "s9", "network": "elsewhere"}
    one, other = assessed(tape), assessed([*tape[:-1], last])
    # A last event without a key passes through if it is an offer, which its size decides.
    n = min(len(one), len(other)) - (tape[-1]["api_key"] is not None)
    assert one.told["features"][:n].tobytes() == other.told["features"][:n].tobytes()


def test_the_tables_forget_the_longest_idle_keys_alike_however_cut() -> None:
    random = np.random.default_rng(3)
    tape = fills([n * 7_000 for n in range(600)])
    for event in tape:
        event["api_key"] = f"k{random.integers(60)}"
        event["symbol"] = f"S{random.integers(8)}"
    rows = on_market(tape)
    few = Bounds(keys=20, pairs=50)
    at_once = KeyStage(NERVOUS, few).assess(rows)
    stage = KeyStage(NERVOUS, few)
    parts = [stage.assess(rows.take(part)) for part in np.array_split(np.arange(600), 37)]
    features = np.concatenate([part.told["features"] for part in parts])
    assert features.tobytes() == at_once.told["features"].tobytes()
    assert len(stage._keys.rows) == 20


def alternating(prices: Sequence[float], start: int = 0, **changes: Any) -> list[Event]:
    """Buys and sells in turn, ten seconds apart."""
    tape = fills([start + n * 10_000 for n in range(len(prices))], symbol="THIN", **changes)
    for n, (event, price) in enumerate(zip(tape, prices, strict=True)):
        event |= {"event_id": f"r-{start}-{n}", "side": ("buy", "sell")[n % 2], "price": price}
    return tape


def test_a_key_that_wins_its_round_trips_is_not_the_drained_one() -> None:
    won = assessed(alternating([1.0, 1.1] * 6, qty=500.0), NERVOUS).told["odds"]
    lost = assessed(alternating([1.1, 1.0] * 6, qty=500.0), NERVOUS).told["odds"]
    assert (won[8:] == NO_EVIDENCE).all()
    assert (lost[8:] > SUSPECT).all()


def test_a_key_that_loses_is_suspect_also_where_it_rests_and_the_thief_hits() -> None:
    odds = assessed(alternating([1.1, 1.0] * 6, qty=500.0, maker=True), NERVOUS).told["odds"]
    assert (odds[8:] > SUSPECT).all()


def test_a_gain_on_what_the_key_held_for_long_covers_nothing() -> None:
    held = fills([0], symbol="THIN", qty=20_000.0, price=1.0)
    sold = fills([9 * DAY + n * 100 for n in range(8)], symbol="THIN", side="sell", qty=2_500.0)
    for n, event in enumerate(sold):
        event |= {"event_id": f"s-{n}", "price": 2.0}
    bought = alternating([2.5], start=9 * DAY + 60_000, qty=90_000.0)
    assert assessed(held + sold + bought, NERVOUS).told["odds"][-1] > SUSPECT


def test_small_gains_given_to_a_key_do_not_cover_a_large_purchase() -> None:
    tape = alternating([1.0, 1.1] * 6, qty=5.0)
    tape += alternating([2.0], start=HOUR // 2, qty=90_000.0)
    assert assessed(tape, NERVOUS).told["odds"][-1] > SUSPECT


def test_gains_given_to_a_key_do_not_cover_a_purchase_that_closes_nothing() -> None:
    tape = alternating([1.0, 1.1] * 6, qty=500.0)
    tape += alternating([2.0], start=HOUR // 2, qty=5_000.0)
    assert assessed(tape, NERVOUS).told["odds"][-1] > SUSPECT


def test_an_old_position_sold_in_slices_at_a_loss_is_no_round_trip() -> None:
    held = fills([0], symbol="THIN", qty=1_000.0, price=2.0)
    slices = fills([DAY + n * 10_000 for n in range(10)], symbol="THIN", side="sell", qty=100.0)
    for n, event in enumerate(slices):
        event |= {"event_id": f"s-{n}", "price": 1.0 - 0.01 * n}
    odds = assessed(held + slices, NERVOUS).told["odds"]
    assert (odds[1:] == NO_EVIDENCE).all()


def test_the_sales_of_a_sweep_make_neither_the_thiefs_network_nor_its_app_usual() -> None:
    calm = fills([n * HOUR for n in range(60)], app="x", network="home")
    sweep = fills([60 * HOUR + n * 1_000 for n in range(9)], side="sell", app="y", network="tor")
    for n, event in enumerate(sweep):
        event |= {"event_id": f"s-{n}", "symbol": f"HELD{n}"}
    bought = fills([60 * HOUR + 20_000], symbol="THIN", app="y", network="tor")
    bought[0]["event_id"] = "b"
    features = named(FEATURES, assessed(calm + sweep + bought).told["features"][-1])
    assert features["network_novelty"] > 3.0
    assert features["app_change"] > 3.0


def test_to_sell_elsewhere_what_is_bought_is_a_hedge_and_no_sweep() -> None:
    calm = fills([n * HOUR for n in range(60)])
    last = 60 * HOUR
    for symbols, swept in ((["THIN"] * 6, False), ([f"HELD{n}" for n in range(6)], True)):
        sales = fills([last + n * 1_000 for n in range(6)], side="sell")
        for n, (event, symbol) in enumerate(zip(sales, symbols, strict=True)):
            event |= {"event_id": f"s-{n}", "venue": f"venue-{n}", "symbol": symbol}
        bought = fills([last + 20_000], symbol="THIN")
        bought[0]["event_id"] = "b"
        features = named(FEATURES, assessed(calm + sales + bought).told["features"][-1])
        assert (features["sweep_breadth"] > 3.0) == swept
        assert (features["sweep_funding"] > 0.0) == swept


def test_a_key_is_fresh_on_its_first_day_and_never_again() -> None:
    rows = assessed(fills([0, HOUR, 3 * DAY, 3 * DAY + HOUR, 40 * DAY]))
    assert rows.told["fresh"].tolist() == [True, True, False, False, False]
