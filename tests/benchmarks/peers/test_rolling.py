import json
from math import isfinite

from benchmarks.peers.rolling import (
    Order,
    is_keyed_fill,
    measure_key,
    new_key,
    new_market,
    observe_market,
)
from models.keys.state import FEATURES
from tests.factories import TS, order


def orders() -> list[Order]:
    return [
        order(
            event_id=f"e{number}",
            ts=TS + 1000 * number,
            price=8.0 + 0.01 * (number % 7),
            side="sell" if number % 3 == 0 else "buy",
            app=f"app{number % 2}",
            counterparty=f"a-{number % 9}",
        )
        for number in range(200)
    ]


def test_the_peers_measure_as_many_features_as_ours() -> None:
    market, key = new_market(), new_key()
    for event in orders():
        features = measure_key(key, event, observe_market(market, event))
        assert len(features) == len(FEATURES)
        assert all(isfinite(value) for value in features)


def test_state_survives_being_written_as_json_between_any_two_events() -> None:
    market, key = new_market(), new_key()
    kept_market, kept_key = json.dumps(market), json.dumps(key)
    for event in orders():
        told = observe_market(market, event)
        measured = measure_key(key, event, told)
        again_market, again_key = json.loads(kept_market), json.loads(kept_key)
        told_again = observe_market(again_market, event)
        assert told_again == told
        assert measure_key(again_key, event, told_again) == measured
        kept_market, kept_key = json.dumps(again_market), json.dumps(again_key)


def test_only_fills_of_api_keys_are_measured() -> None:
    assert is_keyed_fill(order())
    assert not is_keyed_fill(order(api_key=None))
    assert not is_keyed_fill(order(status="canceled"))
    assert observe_market(new_market(), order(status="canceled")) == []
