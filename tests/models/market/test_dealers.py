from typing import Any

import numpy as np
import pytest

from models.market.dealers import MORE, UNKNOWN
from models.market.stage import MarketStage
from models.market.state import ALL_SOLD_1H, DAY, HOUR, MINUTE, SOLD_1H, USUAL_SHARE
from models.orders.batch import NONE
from models.rows import Rows
from tests.factories import TS, Event, bare_order, batch_of

LATEST = TS + 400 * DAY
WEEK = 7 * DAY


def trade(number: int, ts: int, **changes: Any) -> Event:
    """A purchase of 100 USD by a key."""
    usual = {"event_id": f"e-{number}", "ts": ts, "price": 10.0, "qty": 10.0, "account": "buyer"}
    return bare_order(**(usual | changes))


def told(tape: list[Event]) -> Rows:
    return MarketStage().observe(batch_of(tape, LATEST))


def dealing(tape: list[Event]) -> np.ndarray:
    """What the last event of a tape is told of who sells."""
    dealt: np.ndarray = told(tape).told["dealer"][-1]
    return dealt


def past(sellers: list[str], days: int = 3) -> list[Event]:
    """Some days of trade every ten minutes, the sellers in turn."""
    return [
        trade(n, TS + n * 10 * MINUTE, counterparty=sellers[n % len(sellers)])
        for n in range(days * 144)
    ]


def test_a_usual_seller_is_expected_at_a_multiple_of_its_share_and_a_stranger_hardly() -> None:
    tape = past(["a", "a", "b", "b", "b", "c", "c", "c", "c", "c"])
    after = TS + 3 * DAY
    of_a = dealing([*tape, trade(10_000, after, counterparty="a")])
    of_new = dealing([*tape, trade(10_000, after, counterparty="new")])
    unknown = UNKNOWN / (WEEK * (1 - np.exp(-3 * DAY / WEEK)))
    assert of_a[USUAL_SHARE] == pytest.approx(MORE * 0.2 + unknown, rel=0.02)
    assert of_new[USUAL_SHARE] == pytest.approx(unknown, rel=0.02)


def test_a_burst_does_not_make_its_seller_usual() -> None:
    burst = [trade(1000 + n, TS + 3 * DAY + n * 1000, counterparty="new") for n in range(100)]
    dealt = dealing([*past(["a", "b"]), *burst])
    assert dealt[USUAL_SHARE] < 0.02
    assert dealt[SOLD_1H] == pytest.approx(9_900, rel=0.02)
    assert dealt[ALL_SOLD_1H] > dealt[SOLD_1H]


def test_in_a_market_without_a_past_anybody_may_be_the_usual_seller() -> None:
    assert dealing([trade(0, TS, counterparty="a")])[USUAL_SHARE] == 1.0


def test_a_sale_that_both_sides_report_counts_once_whichever_comes_first() -> None:
    sold = {"account": "a", "side": "sell", "api_key": None}
    both = [
        trade(0, TS, counterparty="a", qty=3.0),
        trade(1, TS, **sold, qty=3.0),
        trade(2, TS + 1, **sold, qty=4.0),
        trade(3, TS + 1, counterparty="a", qty=4.0),
        trade(4, TS + 2, counterparty="a"),
    ]
    assert dealing(both)[SOLD_1H] == pytest.approx(70.0, rel=1e-4)


def test_offers_are_repeated_sales_of_strangers_into_a_stirred_market_without_counterparty() -> (
    None
):
    start = TS + 3 * DAY
    stir = [trade(1000 + n, start + n, notional=5_000.0) for n in range(5)]
    sold = {"side": "sell", "api_key": None}
    tail = [
        trade(2000, start + 10, **sold, account="new"),
        trade(2001, start + 11, **sold, account="new"),
        trade(2002, start + 12, **sold, account="new", counterparty="buyer"),
        trade(2003, start + 13, **sold, account="a"),
    ]
    rows = told([*past(["a", "b"]), *stir, *tail])
    offers = [rows.orders.event_id[row] for row in np.flatnonzero(rows.told["offer"])]
    assert offers == ["e-2001"]
    assert rows.orders.key[rows.told["offer"]].tolist() == [NONE]
    calm = told([*past(["a", "b"]), *[e | {"ts": e["ts"] + HOUR} for e in tail]])
    assert not calm.told["offer"].any()
