"""The other side of a fill where no counterparty is given: the sale of the same time and size."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from models.alerts.incidents import Sighting

HELD: Final = 8192  # fills and offers that wait for their other side, at most

T = TypeVar("T")
Trade: TypeAlias = tuple[str, int, float]  # market, event time (ms), quantity


@dataclass(frozen=True, slots=True)
class Offer:
    """A sale, and who sold."""

    account: str
    usual_share: float  # of the market's selling, that one must expect of the account
    sold_1h: float  # USD that it sold here before, decayed over an hour
    all_sold_1h: float  # the same, of all known sellers


@dataclass(slots=True)
class Purchase:
    """A noteworthy purchase by an API key."""

    key: str
    account: str  # of the key
    market: str
    time: int  # ms
    price: float
    notional: float  # USD
    sighting: Sighting
    spree: int = 0  # its number; 0 until it is counted (`models.profiteers.dealings`)


@dataclass(slots=True)
class Matching:
    """What still waits for its other side; whatever has waited longest is dropped."""

    purchases: dict[Trade, Purchase] = field(default_factory=dict)
    offers: dict[Trade, Offer] = field(default_factory=dict)

    def offer_for(self, trade: Trade, purchase: Purchase) -> Offer | None:
        """Give the sale that filled a purchase; without one, the purchase waits for it."""
        offer = self.offers.pop(trade, None)
        if offer is None:
            _hold(self.purchases, trade, purchase)
        return offer

    def purchase_for(self, trade: Trade, offer: Offer) -> Purchase | None:
        """Give the purchase that a sale filled; without one, the sale waits for it."""
        purchase = self.purchases.pop(trade, None)
        if purchase is None:
            _hold(self.offers, trade, offer)
        return purchase


def _hold(waiting: dict[Trade, T], trade: Trade, one: T) -> None:
    waiting[trade] = one
    if len(waiting) > HELD:
        del waiting[next(iter(waiting))]
