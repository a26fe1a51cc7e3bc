import json

import pytest

from benchmarks.skew import skewed
from tests.factories import TS, encode, order

BASE = [
    encode(order(event_id=f"e{n}", ts=TS + n, symbol="HOT" if n % 3 else f"C{n}"))
    for n in range(60)
]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_one_symbol_has_its_share_of_new_events_in_order_of_time(share: float) -> None:
    events = [json.loads(event) for event in skewed(BASE, 2000, share)]
    assert sum(event["symbol"] == "HOT" for event in events) == pytest.approx(2000 * share, rel=0.2)
    assert len({event["event_id"] for event in events}) == 2000
    times = [event["ts"] for event in events]
    assert times == sorted(times)
