"""Who sold what leaked keys bought: tallies by incident of a key and by seller, for a day."""

from dataclasses import dataclass, field
from math import log
from typing import Final

from models.alerts.envelope import Severity
from models.alerts.incidents import QUIET_MS, Sighting
from models.market.clocks import decay
from models.market.state import DAY, HOUR, MINUTE
from models.profiteers.matching import Offer, Purchase

WINDOW_MS: Final = DAY
LEVELS: Final = 64  # prices remembered of a seller in one market, at most
SIGHTINGS: Final = 40  # fills remembered of a seller, at most
OWN_PRICE_MS: Final = 10.0 * MINUTE  # how long a purchase says at what price an account buys


@dataclass(slots=True)
class Sales:
    """What one account sold to one key in one market."""

    count: int = 0
    notional: float = 0.0  # USD


@dataclass(slots=True)
class Spree:
    """What one key bought in one incident, and from whom."""

    key: str
    account: str  # of the key
    last: int  # time of the last purchase, ms
    began: int = 0  # ms
    rank: float = 0.0  # highest of its purchases
    alerted: bool = False
    notional: float = 0.0  # USD
    fills: dict[str, int] = field(default_factory=dict)  # by market
    sales: dict[str, dict[str, Sales]] = field(default_factory=dict)  # by account and market


@dataclass(slots=True)
class Selling:
    """What one account sold in one market to suspect keys, alerted or not."""

    usual_share: float  # when it was first met there
    recent: float = 0.0  # USD, decayed over an hour
    sold: float = 0.0  # the same to whomever
    last: int = 0  # ms
    gain: float = 0.0  # USD by which it sold dearer than it had bought there itself just before
    levels: list[float] = field(default_factory=list)  # prices, each once


@dataclass(slots=True)
class Seller:
    """One account that sold to suspect keys."""

    last: int = 0  # ms
    selling: dict[str, Selling] = field(default_factory=dict)  # by market
    minutes: int = 0  # in which it sold to suspect keys
    fills: int = 0  # that it sold to suspect keys
    due: int = 0  # fills from which it is to be judged again
    sprees: list[int] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)  # the latest
    told: Severity | None = None
    told_notional: float = 0.0  # USD that the last alert named
    news: int = 0  # keys that were alerted since it was judged


@dataclass(slots=True)
class Buying:
    """What the suspect keys of one account bought in one market."""

    last: int  # ms
    notional: float = 0.0  # USD, decayed over OWN_PRICE_MS
    priced: float = 0.0  # the same, each purchase times the logarithm of its price


@dataclass(slots=True)
class Buyer:
    """An account whose own keys are under suspicion."""

    last: int = 0  # ms
    is_alerted: bool = False  # a key of it was alerted
    buying: dict[str, Buying] = field(default_factory=dict)  # by market


@dataclass(slots=True)
class Market:
    """What suspect keys bought in one market."""

    rogue: int = 0  # fills of alerted sprees within the window
    recent: float = 0.0  # USD that is credited to sellers, decayed over an hour
    sold: float = 0.0  # the same of all that was sold there
    last: int = 0  # ms


@dataclass(slots=True)
class Dealings:
    """Sprees and sellers of the last day."""

    sprees: dict[int, Spree] = field(default_factory=dict)
    sellers: dict[str, Seller] = field(default_factory=dict)
    buyers: dict[str, Buyer] = field(default_factory=dict)  # by account
    current: dict[str, int] = field(default_factory=dict)  # the spree that a key is on
    markets: dict[str, Market] = field(default_factory=dict)
    number: int = 0
    swept: int = 0  # ms

    def buy(self, purchase: Purchase) -> None:
        """Count a noteworthy purchase, and say of it which spree it is of."""
        if abs(purchase.time - self.swept) > HOUR:
            self._sweep(purchase.time)
        self._note_price(purchase)
        spree = self._spree(purchase)
        purchase.spree = self.current[purchase.key]
        spree.last = max(spree.last, purchase.time)
        spree.rank = max(spree.rank, purchase.sighting.rank)
        spree.notional += purchase.notional
        spree.fills[purchase.market] = spree.fills.get(purchase.market, 0) + 1
        market = self.markets.setdefault(purchase.market, Market())
        market.rogue += spree.alerted

    def sell(self, offer: Offer, purchase: Purchase) -> Spree | None:
        """Credit a purchase to the account that sold; gives its spree, if that is remembered.

        A sale may be told long after its purchase, when the key is on another spree.
        """
        spree = self.sprees.get(purchase.spree)
        if spree is None:
            return None
        is_new = offer.account not in spree.sales
        tally = spree.sales.setdefault(offer.account, {}).setdefault(purchase.market, Sales())
        tally.count += 1
        tally.notional += purchase.notional
        seller = self.sellers.setdefault(offer.account, Seller())
        if is_new:
            seller.sprees.append(purchase.spree)
        seller.fills += 1
        seller.minutes += purchase.time // MINUTE > seller.last // MINUTE
        seller.last = max(seller.last, purchase.time)
        seller.sightings.append(purchase.sighting)
        del seller.sightings[:-SIGHTINGS]
        selling = seller.selling.setdefault(purchase.market, Selling(offer.usual_share))
        kept = decay(1.0, float(purchase.time - selling.last), HOUR)
        selling.recent = selling.recent * kept + purchase.notional
        selling.sold = offer.sold_1h + purchase.notional
        selling.last = max(selling.last, purchase.time)
        selling.gain += self._gain(offer.account, purchase)
        market = self.markets[purchase.market]
        kept = decay(1.0, float(purchase.time - market.last), HOUR)
        market.recent = market.recent * kept + purchase.notional
        market.sold = offer.all_sold_1h + purchase.notional
        market.last = max(market.last, purchase.time)
        if len(selling.levels) < LEVELS and purchase.price not in selling.levels:
            selling.levels.append(purchase.price)
        return spree

    def alert(self, key: str, account: str, time: int) -> list[str]:
        """Note that a key is alerted; gives the accounts that sold to it, if that is news."""
        buyer = self.buyers.setdefault(account, Buyer())
        buyer.last, buyer.is_alerted = max(buyer.last, time), True
        number = self.current.get(key)
        if number is None or self.sprees[number].alerted:
            return []
        spree = self.sprees[number]
        spree.alerted = True
        for market, count in spree.fills.items():
            self.markets[market].rogue += count
        return list(spree.sales)

    def _note_price(self, purchase: Purchase) -> None:
        """Remember at what price the buyer's account buys."""
        now = purchase.time
        buyer = self.buyers.setdefault(purchase.account, Buyer())
        buyer.last = max(buyer.last, now)
        buying = buyer.buying.setdefault(purchase.market, Buying(now))
        kept = decay(1.0, float(now - buying.last), OWN_PRICE_MS)
        buying.notional = buying.notional * kept + purchase.notional
        buying.priced = buying.priced * kept + purchase.notional * log(purchase.price)
        buying.last = max(buying.last, now)

    def _gain(self, account: str, purchase: Purchase) -> float:
        """USD by which an account sells dearer than its own suspect keys buy there."""
        buyer = self.buyers.get(account)
        buying = None if buyer is None else buyer.buying.get(purchase.market)
        if buying is None:
            return 0.0
        return purchase.notional * (log(purchase.price) - buying.priced / buying.notional)

    def _spree(self, purchase: Purchase) -> Spree:
        key, time = purchase.key, purchase.time
        number = self.current.get(key)
        spree = None if number is None else self.sprees.get(number)
        if spree is None or time - spree.last > QUIET_MS or time - spree.began > WINDOW_MS:
            self.number += 1
            self.current[key] = self.number
            spree = self.sprees[self.number] = Spree(key, purchase.account, time, time)
        return spree

    def _sweep(self, now: int) -> None:
        """Forget what is older than the window, and what never came to an alert when it is over."""
        start, quiet = now - WINDOW_MS, now - QUIET_MS
        self.sprees = {
            number: spree
            for number, spree in self.sprees.items()
            if spree.last > (start if spree.alerted else quiet)
        }
        self.current = {k: number for k, number in self.current.items() if number in self.sprees}
        bought = {market for spree in self.sprees.values() for market in spree.fills}
        self.markets = {market: self.markets[market] for market in self.markets if market in bought}
        for market in self.markets.values():
            market.rogue = 0
        for spree in self.sprees.values():
            for name, count in spree.fills.items():
                self.markets[name].rogue += count * spree.alerted
        for name, seller in self.sellers.items():
            seller.sprees = [number for number in seller.sprees if number in self.sprees]
            met = {market for n in seller.sprees for market in self.sprees[n].sales[name]}
            seller.selling = {
                market: selling
                for market, selling in seller.selling.items()
                if selling.last > start or market in met
            }
        self.sellers = {name: seller for name, seller in self.sellers.items() if seller.sprees}
        self.buyers = {name: buyer for name, buyer in self.buyers.items() if buyer.last > start}
        for buyer in self.buyers.values():
            buyer.buying = {m: b for m, b in buyer.buying.items() if b.last > start}
        self.swept = now
