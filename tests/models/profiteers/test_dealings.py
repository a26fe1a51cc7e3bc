from models.market.state import HOUR
from models.profiteers.dealings import WINDOW_MS, Dealings
from tests.models.profiteers.sprees import MINUTE, offer, purchase

DAYS = 4
ELSEWHERE = "binance\x1fELSEWHERE"


def busy(every_ms: int, **changes: str) -> Dealings:
    """One key that is never quiet for days, alerted, in markets and from accounts that change."""
    dealings = Dealings()
    for n in range(DAYS * WINDOW_MS // every_ms):
        own = {"key": "k", "market": f"binance\x1fS{n}"} | changes
        bought = purchase(n * every_ms // MINUTE, **own)
        dealings.buy(bought)
        dealings.sell(offer("maker"), bought)
        dealings.sell(offer(f"s{n}"), bought)
        dealings.alert("k", bought.account, bought.time)
    return dealings


def test_a_key_that_is_never_quiet_is_remembered_for_two_days_at_most() -> None:
    every_ms = 10 * MINUTE
    dealings = busy(every_ms)
    of_two_days = 2 * WINDOW_MS // every_ms + HOUR // every_ms
    assert len(dealings.sprees) <= 3
    assert max(len(spree.sales) for spree in dealings.sprees.values()) <= of_two_days
    assert len(dealings.markets) <= 2 * of_two_days
    assert len(dealings.sellers) <= 2 * of_two_days


def test_a_seller_who_never_leaves_is_remembered_by_the_markets_of_the_last_days() -> None:
    every_ms = 10 * MINUTE
    dealings = busy(every_ms)
    assert len(dealings.sellers["maker"].selling) <= 3 * WINDOW_MS // every_ms
    settled = busy(every_ms, market="binance\x1fTHIN")
    assert list(settled.sellers["maker"].selling) == ["binance\x1fTHIN"]


def test_accounts_whose_own_keys_are_suspect_are_remembered_for_a_day() -> None:
    dealings = Dealings()
    for n in range(2 * DAYS * WINDOW_MS // HOUR):
        bought = purchase(n * 60, account=f"u{n}")
        dealings.buy(bought)
        dealings.alert(bought.key, bought.account, bought.time)
    assert len(dealings.buyers) <= WINDOW_MS // HOUR + 2
    settled = Dealings()
    for n in range(2 * DAYS * WINDOW_MS // HOUR):
        settled.buy(purchase(n * 60, account="u", market=f"binance\x1fS{n}"))
    assert len(settled.buyers["u"].buying) <= WINDOW_MS // HOUR + 2


def test_a_sale_told_late_is_of_the_spree_that_its_purchase_was_of() -> None:
    dealings = Dealings()
    early, later = purchase(0, key="k"), purchase(40, key="k", market=ELSEWHERE)
    dealings.buy(early)
    dealings.buy(later)
    assert dealings.sell(offer(), early) is dealings.sprees[early.spree]
    assert dealings.sprees[later.spree].sales == {}
    assert dealings.sellers["thief"].sprees == [early.spree]


def test_a_sale_told_when_its_spree_is_forgotten_is_of_none() -> None:
    dealings = Dealings()
    early = purchase(0, key="k")
    dealings.buy(early)
    dealings.buy(purchase(120, key="k", market=ELSEWHERE))
    assert dealings.sell(offer(), early) is None
    assert dealings.sellers == {}
