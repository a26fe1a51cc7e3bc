import numpy as np
import pytest

from models.orders.batch import BUY, Int64s
from models.simulation.tape import Tape
from tests.models.simulation.worlds import attacked_tape


def rogue_rows(tape: Tape, name: str) -> Int64s:
    known = {(ts, usd) for ts, usd in tape.labels["leaked"][name]["rogue"]}
    rows = np.flatnonzero((tape.key == tape.keys.index(name)) & tape.is_fill)
    found = [(int(tape.ts[row]), float(tape.notional[row])) in known for row in rows.tolist()]
    rogue: Int64s = rows[np.array(found)]
    return rogue


def median_pay_up(tape: Tape, name: str) -> float:
    rows = rogue_rows(tape, name)
    rows = rows[~tape.maker[rows]]
    return float(np.median(tape.side[rows] * np.log(tape.price[rows] / tape.arrival[rows])))


def test_a_blitz_only_buys_and_lifts_the_price() -> None:
    tape = attacked_tape("blitz")
    lifts = []
    for incident in tape.labels["incidents"]:
        for name in incident["keys"]:
            rows = rogue_rows(tape, name)
            assert (tape.side[rows] == BUY).all()
        market = [
            m
            for m, symbol in enumerate(tape.symbols)
            if (tape.venues[m], symbol) == (incident["venue"], incident["symbol"])
        ]
        there = np.isin(tape.market, market) & tape.is_fill
        before = tape.price[there & (tape.ts < incident["ts"])][-15:]
        during = tape.price[there & (tape.ts >= incident["ts"]) & (tape.ts < incident["ts"] + 6e5)]
        if len(before) > 3:
            lifts.append(during.max() / np.median(before))
    assert len(lifts) >= 3
    assert np.median(lifts) > 1.1


def test_a_blitz_robs_several_keys_within_minutes() -> None:
    labels = attacked_tape("blitz").labels
    assert max(len(incident["keys"]) for incident in labels["incidents"]) >= 3
    for incident in labels["incidents"]:
        firsts = [labels["leaked"][name]["first_rogue_ts"] for name in incident["keys"]]
        assert max(firsts) - min(firsts) < 15 * 60_000


@pytest.mark.parametrize("seed", [1, 2])
def test_a_drip_buys_high_and_sells_low_while_the_price_stays(seed: int) -> None:
    tape = attacked_tape("drip", seed)
    drifts = []
    for name in tape.labels["leaked"]:
        rows = rogue_rows(tape, name)
        if len(rows) < 40:
            continue
        bought = tape.side[rows] == BUY
        assert 0.3 < bought.mean() < 0.7
        assert median_pay_up(tape, name) > 0
        for market in np.unique(tape.market[rows]):
            mids = tape.arrival[rows[tape.market[rows] == market]]
            if len(mids) > 40:
                drifts.append(abs(np.log(np.median(mids[-10:]) / np.median(mids[:10]))))
    assert len(drifts) > 3
    assert np.median(drifts) < 0.08


def test_a_drip_goes_to_few_sellers_nearly_always() -> None:
    tape = attacked_tape("drip")
    sellers = {name for incident in tape.labels["incidents"] for name in incident["sellers"]}
    codes = [tape.accounts.index(name) for name in sellers]
    for name in tape.labels["leaked"]:
        rows = rogue_rows(tape, name)
        # a stray order fills at many levels in one millisecond
        _, first = np.unique(tape.ts[rows], return_index=True)
        if len(first) > 40:
            assert np.isin(tape.counterparty[rows[first]], codes).mean() > 0.75


def test_no_key_is_robbed_twice() -> None:
    labels = attacked_tape("stealth", rate=20.0).labels
    named = [name for incident in labels["incidents"] for name in incident["keys"]]
    assert len(named) == len(set(named))
