from dataclasses import replace

import numpy as np
import pytest

from models.orders.batch import Status
from models.simulation import REGIMES, simulate, to_orders
from models.simulation.tape import Tape
from tests.models.simulation.worlds import SMALL, small_tape


def columns_of(tape: Tape) -> dict[str, np.ndarray]:
    names = [name for name in tape.__slots__ if isinstance(getattr(tape, name), np.ndarray)]
    return {name: getattr(tape, name) for name in names}


def test_the_same_seed_gives_the_same_tape() -> None:
    one, other = simulate(SMALL, 7), simulate(SMALL, 7)
    assert one.labels == other.labels
    assert one.event_ids() == other.event_ids()
    for name, column in columns_of(one).items():
        np.testing.assert_array_equal(column, getattr(other, name), err_msg=name)


def test_another_seed_gives_another_tape() -> None:
    one, other = small_tape(1), small_tape(2)
    assert one.ts[0] != other.ts[0]
    assert one.symbols != other.symbols


@pytest.mark.parametrize("name", REGIMES)
def test_every_regime_gives_events_that_are_in_order_and_in_range(name: str) -> None:
    tape = simulate(replace(REGIMES[name], days=0.5, n_keys=120, events=5_000), 3)
    fill = tape.is_fill
    assert len(tape) > 1_000
    assert (np.diff(tape.ts) >= 0).all()
    assert len(set(tape.event_ids())) == len(tape)
    for column in (tape.price, tape.qty, tape.notional):
        assert ((column[fill] > 0) & (column[fill] < 1e12)).all()
    given = tape.arrival[np.isfinite(tape.arrival)]
    assert (given > 0).all()
    assert set(np.unique(tape.side)) <= {-1, 1}
    assert set(np.unique(tape.status)) <= {int(status) for status in Status}


@pytest.mark.parametrize("seed", range(3))
def test_every_rogue_fill_of_the_labels_is_on_the_tape(seed: int) -> None:
    tape = small_tape(seed)
    assert tape.labels["leaked"]
    for name, known in tape.labels["leaked"].items():
        rows = (tape.key == tape.keys.index(name)) & tape.is_fill
        fills = set(zip(tape.ts[rows].tolist(), tape.notional[rows].tolist(), strict=True))
        assert {(ts, usd) for ts, usd in known["rogue"]} <= fills
        assert known["first_rogue_ts"] == min(ts for ts, _ in known["rogue"])


def test_the_labels_name_each_leaked_key_in_exactly_its_incident() -> None:
    labels = small_tape().labels
    incidents = {incident["id"]: incident for incident in labels["incidents"]}
    assert len(incidents) == len(labels["incidents"])
    for name, known in labels["leaked"].items():
        assert name in incidents[known["incident"]]["keys"]
    named = [name for incident in incidents.values() for name in incident["keys"]]
    assert sorted(named) == sorted(labels["leaked"])
    for incident in incidents.values():
        firsts = [labels["leaked"][name]["first_rogue_ts"] for name in incident["keys"]]
        assert incident["ts"] == min(firsts)
        assert incident["sellers"]


def test_a_sweep_comes_before_the_first_rogue_trade_of_a_blitz() -> None:
    labels = small_tape().labels
    kinds = {incident["id"]: incident["kind"] for incident in labels["incidents"]}
    swept = [known for known in labels["leaked"].values() if "sweep_ts" in known]
    assert swept
    for known in swept:
        if kinds[known["incident"]] in {"blitz", "midcap"}:
            assert known["sweep_ts"] <= known["first_rogue_ts"]


def test_no_seller_is_the_account_of_a_key_robbed_in_the_same_incident() -> None:
    tape = small_tape()
    batch = to_orders(tape)
    for incident in tape.labels["incidents"]:
        rows = np.isin(batch.key, [tape.keys.index(name) for name in incident["keys"]])
        robbed = {tape.accounts[account] for account in np.unique(batch.account[rows])}
        assert not robbed & set(incident["sellers"])


def test_look_alikes_outnumber_leaked_keys_on_a_standard_tape() -> None:
    labels = simulate(replace(REGIMES["standard"], events=20_000), 2).labels
    assert len(labels["hard_negatives"]) > len(labels["leaked"])
    assert len({note["kind"] for note in labels["hard_negatives"]}) > 12


def test_without_attacks_nothing_is_leaked() -> None:
    labels = simulate(replace(SMALL, attacks={}), 4).labels
    assert not labels["leaked"]
    assert not labels["incidents"]


def test_a_venue_gives_a_field_on_all_of_its_events_or_on_none() -> None:
    tape = small_tape(5)
    venue = np.unique(np.array(tape.venues), return_inverse=True)[1][tape.market]
    fill = tape.is_fill
    for given in (tape.network >= 0, tape.order >= 0, np.isfinite(tape.arrival)):
        for v in np.unique(venue):
            assert given[venue == v].mean() in (0.0, 1.0)
    for v in np.unique(venue):
        assert (tape.counterparty[fill & (venue == v)] >= 0).mean() in (0.0, 1.0)
