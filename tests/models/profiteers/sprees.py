"""Purchases of suspect keys and who sold, as the profiteer stage tallies them."""

from typing import Any, Final

from models.alerts.envelope import Place
from models.alerts.incidents import Sighting
from models.profiteers.dealings import Dealings
from models.profiteers.matching import Offer, Purchase
from tests.factories import TS

MINUTE: Final = 60_000
MARKET: Final = "binance\x1fTHIN"
KEYS_THRESHOLD: Final = 3.0


def offer(account: str = "thief", **changes: float) -> Offer:
    """A sale by an account that never sold before."""
    usual = {"usual_share": 0.0005, "sold_1h": 0.0, "all_sold_1h": 0.0}
    return Offer(account, **(usual | changes))


def purchase(number: int, **changes: Any) -> Purchase:
    """A purchase of 100 USD, one a minute, each by another key at a higher price."""
    ts = TS + number * MINUTE
    rank = changes.pop("rank", KEYS_THRESHOLD + 2.0)
    said: dict[str, Any] = {
        "key": f"k{number}",
        "account": f"u{number}",
        "market": MARKET,
        "time": ts,
        "price": 8.0 + 0.01 * number,
        "notional": 100.0,
    }
    return Purchase(
        **(said | changes), sighting=Sighting(rank, ts, f"e-{number}", Place(0, number))
    )


def dealt(
    *,
    keys: int,
    fills: int = 1,
    others: int = 0,
    rise: float = 0.01,
    rank: float = KEYS_THRESHOLD + 2.0,
    offers: Offer | None = None,
) -> Dealings:
    """What is known after alerted keys bought from one account, and `others` from strangers."""
    dealings = Dealings()
    for number in range(keys * fills + others):
        of_thief = number < keys * fills
        key = f"k{number % keys}" if of_thief else f"o{number}"
        bought = purchase(number, key=key, price=8.0 + rise * number, rank=rank)
        dealings.buy(bought)
        dealings.sell((offers or offer()) if of_thief else offer(f"s{number}"), bought)
        dealings.alert(key, bought.account, bought.time)
    return dealings
