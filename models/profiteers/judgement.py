"""How unlikely it is that an account met the purchases of leaked keys by chance.

Of N rogue fills in a market, an honest account is met by its usual share of the selling. What n of
them says is the Poisson tail of n where N times that share is expected, over all markets together.
Fills at one price may come of one resting order, which many meet: a price counts once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma, log
from typing import Final

from models.alerts.envelope import Reason, digits
from models.profiteers.dealings import Dealings, Market, Selling

PRECISION: Final = 1e-9
BY_ACCIDENT: Final = 0.2  # rogue fills that anybody may meet in a market
THRESHOLD: Final = 2.0  # decades, of the count or of all together, from which one is alerted
LEAST: Final = 0.2  # share of its sales that must have gone to keys under suspicion
CRUMBS: Final = 0.02  # of what the keys spent: who received less did not take the money
DOUBTFUL: Final = 0.7  # decades above the alerts' threshold up to which a key proves nothing
CERTAIN: Final = 1.4  # and beyond that, from which the keys are misused without doubt
DOMINANT: Final = 0.5  # share of all sales there from which on the keys' part adds to that
PER_DOMINANCE: Final = 3.0  # decades per unit of that share
PER_CERTAINTY: Final = 2.0  # decades of an account per decade of its keys
PER_KEY: Final = 2.0  # and for each key beyond the first: they are hardly all honest
LIFT: Final = 3.0  # times what is expected that an account must have met
# What is enough of a stranger, who has hardly sold there before: count and keys together.
STRANGE: Final = 8.0  # times what is expected that it must have met
FEW: Final = 1.5  # decades that the count must have: two meetings
TOGETHER: Final = 3.0  # decades
GOOD_PART: Final = 0.15  # of what one of the keys spent, on average
# What shows a thief where the keys may be honest: its share of sales that went to them, by itself
# or as times the share of all sales there; its part of what they spent, with the one and with the
# other; minutes in which it sold.
MOST: Final = 0.6
FAR_MORE: Final = 4.0
PART: Final = 0.15
LITTLE: Final = 0.08
LONG: Final = 15
OFTEN: Final = 2  # rogue fills in a market; one alone says nothing


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What an account received from alerted keys, and what that says."""

    account: str
    received: float  # USD
    keys: list[str]  # from which most came first
    fills: int
    counted: int  # of the fills, those that count
    of: int  # rogue fills in those markets
    expected: float  # of the fills, by its usual share
    devotion: float  # share of its recent sales there that went to suspect keys
    surrounding: float  # the same share of all sales there
    certainty: float  # decades by which the keys are beyond doubt, summed
    part: float  # of what the keys spent, what the account received
    minutes: int  # in which it sold to suspect keys
    chance: float  # -log10 that an honest account meets so many

    @property
    def score(self) -> float:
        """Decades of the count and of the keys together."""
        further = max(0, len(self.keys) - 1)
        return self.chance + PER_CERTAINTY * self.certainty + PER_KEY * further

    @property
    def convicts(self) -> bool:
        """Whether this is worth an alert.

        Who received no more than crumbs had resting orders that a theft ran over. Where the keys
        are misused beyond doubt, the count is enough; that the market and the account live on them
        alone removes doubt, that others buy there adds to it. Otherwise it takes what only a thief
        does: for long, and far more than others there, to live on a good part of what they spend,
        and no doubt of one of them. Of a stranger with a good part of what one of them spends,
        less is enough, where the keys are beyond doubt or several.
        """
        if self.devotion < LEAST or self.part < CRUMBS:
            return False
        is_strange = self.chance >= FEW and self.counted >= STRANGE * self.expected
        is_sure = self.certainty > 0.0 or len(self.keys) > 1
        takes = self.part * len(self.keys) >= GOOD_PART
        if is_strange and is_sure and takes and self.score >= TOGETHER:
            return True
        if self.chance < THRESHOLD or self.counted < LIFT * self.expected:
            return False
        far_more = self.devotion >= FAR_MORE * self.surrounding
        is_devoted = far_more or self.devotion >= MOST
        bleeds = is_devoted and self.part >= (LITTLE if far_more else PART)
        dominance = PER_DOMINANCE * (min(self.surrounding, self.devotion) - DOMINANT)
        drains = bleeds and self.minutes >= LONG and self.certainty > 0.0
        return drains or self.certainty + dominance >= CERTAIN


def suspect(dealings: Dealings, account: str, threshold: float) -> Suspicion | None:
    """Judge an account by the markets in which alerted keys met it more than once.

    `threshold` is the rank from which keys are alerted. None if there is no such market, or where
    the account is robbed itself. A key of an account that was named already is no victim's: it
    buys back what it sold, and whoever sells to it may be whom it robs.
    """
    seller = dealings.sellers[account]
    found = [dealings.sprees[number] for number in seller.sprees if number in dealings.sprees]
    alerted = [spree for spree in found if spree.alerted and not _is_named(dealings, spree.account)]
    met: defaultdict[str, int] = defaultdict(int)
    for spree in alerted:
        for market, met_there in spree.sales[account].items():
            met[market] += met_there.count
    places = [market for market, count in met.items() if count >= OFTEN]
    if not places or _is_robbed(dealings, account, places):
        return None
    usd: dict[str, float] = {}
    certainty = spent = 0.0
    for spree in alerted:
        sales = spree.sales[account]
        received = sum(sales[market].notional for market in places if market in sales)
        if received > 0.0:
            usd[spree.key] = usd.get(spree.key, 0.0) + received
            spent += spree.notional
            certainty += max(spree.rank - threshold - DOUBTFUL, 0.0)
    selling = {market: seller.selling[market] for market in places}
    markets = {market: dealings.markets[market] for market in places}
    counted = sum(min(met[market], len(selling[market].levels)) for market in places)
    expected = sum(
        BY_ACCIDENT + selling[market].usual_share * markets[market].rogue for market in places
    )
    return Suspicion(
        account,
        sum(usd.values()),
        sorted(usd, key=lambda key: (-usd[key], key)),
        sum(met[market] for market in places),
        counted,
        sum(market.rogue for market in markets.values()),
        expected,
        _share(list(selling.values())),
        _share(list(markets.values())),
        certainty,
        sum(usd.values()) / max(spent, 1e-9),
        seller.minutes,
        poisson_tail(counted, expected),
    )


def _is_named(dealings: Dealings, account: str) -> bool:
    seller = dealings.sellers.get(account)
    return seller is not None and seller.told is not None


def _is_robbed(dealings: Dealings, account: str, places: Sequence[str]) -> bool:
    """Whether an account is a victim by what its own keys do, so that its sales prove nothing.

    Leaked keys sell, too, and a thief who buys back what he sold looks like one of them. It is not
    named once a key of it was alerted, unless it had been named before. Where its keys are under
    suspicion, alerted or not, it must sell dearer than it buys: a victim does the opposite.
    """
    buyer = dealings.buyers.get(account)
    if buyer is None:
        return False
    if buyer.is_alerted and not _is_named(dealings, account):
        return True
    selling = dealings.sellers[account].selling
    both = [selling[market].gain for market in places if market in buyer.buying]
    return bool(both) and sum(both) <= 0.0


def poisson_tail(count: int, expected: float) -> float:
    """-log10 of the Poisson chance of `count` or more where `expected` are usual.

    With e expected, it is the first term times 1 + e / (n + 1) + e^2 / ((n + 1) (n + 2)) + ...

    >>> round(poisson_tail(1, 0.1), 4)  # 1 - exp(-0.1)
    1.0215
    >>> poisson_tail(2, 3.0)
    0.0
    """
    if count <= expected:
        return 0.0
    total = term = 1.0
    place = count + 1
    while term > PRECISION * total:
        term *= expected / place
        total += term
        place += 1
    nats = count * log(expected) - expected - lgamma(count + 1) + log(total)
    return -nats / log(10.0)


def _share(sales: Sequence[Selling] | Sequence[Market]) -> float:
    """Share of recent sales that went to keys under suspicion."""
    recent = sum(one.recent for one in sales)
    return min(1.0, recent / max(sum(one.sold for one in sales), 1e-9))


def reasons_of(suspicion: Suspicion) -> list[Reason]:
    """Say what speaks against an account, strongest first."""
    count, keys = suspicion.fills, len(suspicion.keys)
    whose = "1 key that looks" if keys == 1 else f"{keys} keys that look"
    share = suspicion.devotion
    return [
        Reason(
            "rogue_fills",
            float(count),
            digits(suspicion.expected),
            0.7,
            f"Sold {suspicion.received:,.0f} USD to {whose} leaked: {count} of the {suspicion.of} "
            f"purchases of such keys there, where its usual share makes one expect at most "
            f"{suspicion.expected:.2g}.",
        ),
        Reason(
            "devotion",
            digits(share),
            digits(suspicion.expected / max(suspicion.of, 1)),
            0.3,
            f"{100 * share:.0f} % of what it sold there within the hour went to suspect keys.",
        ),
    ]
