import pytest

from models.profiteers import matching
from models.profiteers.matching import Matching, Trade
from tests.factories import TS
from tests.models.profiteers.sprees import MARKET, offer, purchase

TRADE: Trade = (MARKET, TS, 40.0)


def test_a_purchase_and_its_sale_find_each_other_whichever_comes_first() -> None:
    first, second = Matching(), Matching()
    assert first.offer_for(TRADE, purchase(0)) is None
    assert first.purchase_for(TRADE, offer()) == purchase(0)
    assert second.purchase_for(TRADE, offer()) is None
    assert second.offer_for(TRADE, purchase(0)) == offer()


def test_each_side_is_used_once() -> None:
    pairs = Matching()
    pairs.offer_for(TRADE, purchase(0))
    pairs.purchase_for(TRADE, offer())
    assert pairs.purchase_for(TRADE, offer()) is None


@pytest.mark.parametrize("other", [("m", TS, 40.0), (MARKET, TS + 1, 40.0), (MARKET, TS, 40.5)])
def test_another_market_time_or_size_is_another_trade(other: Trade) -> None:
    pairs = Matching()
    pairs.offer_for(TRADE, purchase(0))
    assert pairs.purchase_for(other, offer()) is None


def test_what_has_waited_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "HELD", 2)
    pairs = Matching()
    for qty in (1.0, 2.0, 3.0):
        pairs.offer_for((MARKET, TS, qty), purchase(0))
    assert pairs.purchase_for((MARKET, TS, 1.0), offer()) is None
    assert pairs.purchase_for((MARKET, TS, 3.0), offer()) is not None
