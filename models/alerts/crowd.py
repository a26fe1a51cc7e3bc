"""Who else does the same: suspects of one market, and of one app in that market, at one time.

Thefts come in crowds, and so do honest followers of a signal. What tells them apart is not how many
buy, but how many of those who buy look rogue each by itself: n expected rogue buyers among N count
for log(1 + n) n / (N + 1/2). A buyer is judged by its company only as far as it shows something
itself (`models.score.parts.standing`): a bystander whom a theft's price meets does not. Sales have
no part in it: a group that stops out loses all together. Nor have resting bids that others hit: who
quotes, or waits for a dip, chose neither the time nor the company; but a bid far above the market
is a thief's own way to be hit, and the trades rise to it. Nor have followers: keys that are used to
such company (`models.alerts.followers`).

A theft is of one app's keys, mostly, and its price meets everybody. So those of the market's lead
app, of which most of its rogue buyers are, speak against one another, and against no key of another
app. A key's app is its home, whatever tag its orders bear: that is the thief's choice. A key that
never bought before may be of any.
"""

from collections.abc import Iterator, Sequence
from math import log
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numba import njit

from models.alerts.followers import FOLLOWERS, follows
from models.entities import Record, Table, find_or_add, joint_hash, new_table, with_room
from models.keys.state import F_PAY_UP
from models.market.clocks import decay
from models.market.state import ADVERSE_MOVE, APP_BUYERS, BUYERS, CROWD_MS
from models.orders.batch import BUY, Events, Float32s, Hashes, Int64s, hash_at
from models.rows import Rows, Told
from models.score.evidence import chance
from models.score.parts import standing

MAX_ENTITIES: Final = 1_000_000
PAID: Final = 1.5  # surprise at its price from which a resting bid, hit above, waits for no dip

# A market, an app in a market, or a key in a market: the rogue buyers that one must expect there.
SUSPECTS: Final = np.dtype(
    [
        ("hash", "u8"),
        ("time", "i8"),
        ("expected", "f4"),
        ("unusual", "f4"),  # of them, those for whom it is not usual
        ("lead", "u8"),  # of a market: the app that most of them are of
        ("led", "f4"),  # and how many are
        ("buyers", "f4"),  # of an app: all who bought through it
    ],
    align=True,
)


Pair: TypeAlias = Sequence[float]  # two numbers that tell of those around a fill


class Company(NamedTuple):
    """Others around one fill: in the market, and of the fill's app there."""

    weight: Pair  # of the two, as evidence
    rogue: Pair  # rogue buyers that one must expect among them
    besides: Pair  # once it is counted: rogue buyers not of the lead app; honest buyers


class Around(NamedTuple):
    """Others around n fills: in the market, and of the fill's app there."""

    weight: Float32s  # (n, 2), as evidence
    rogue: Float32s  # (n, 2), rogue buyers that one must expect among them
    share: Float32s  # (n,), of that evidence which counts for the fill, 0 to 1
    besides: Float32s  # (n, 2), once it is counted: those not of the lead app; honest buyers
    own: Float32s  # (n,), what its key itself adds to the rogue buyers then

    def each(self, rows: Int64s) -> Iterator[Company]:
        """Give those around some fills, one after the other."""
        columns = (column[rows].tolist() for column in (self.weight, self.rogue, self.besides))
        return map(Company, *columns)


class Crowd:
    """Suspects of the last minutes, by market, by app and market, and by key and market."""

    def __init__(self, followers: Table | None = None) -> None:
        self._markets = new_table(SUSPECTS, 256)
        self._app_markets = new_table(SUSPECTS, 256)
        self._pairs = new_table(SUSPECTS, 1024)
        self._followers = new_table(FOLLOWERS, 1024) if followers is None else followers

    @property
    def followers(self) -> Table:
        """Keys that are used to the company of others of their app."""
        return self._followers

    def meet(self, rows: Rows) -> Around:
        """Tell each fill of the others around it, then count it."""
        n, orders = len(rows), rows.orders
        self._markets = with_room(self._markets, n, MAX_ENTITIES)
        self._app_markets = with_room(self._app_markets, n, MAX_ENTITIES)
        self._pairs = with_room(self._pairs, n, MAX_ENTITIES)
        self._followers = with_room(self._followers, n, MAX_ENTITIES)
        share = standing(rows).astype(np.float32)
        weight, rogue, besides = (np.zeros((n, 2), np.float32) for _ in range(3))
        around = Around(weight, rogue, share, besides, np.zeros(n, np.float32))
        _meet(
            self._markets,
            self._app_markets,
            self._pairs,
            self._followers,
            orders.events,
            orders.hashes,
            rows.told,
            around,
        )
        return around


@njit(cache=True)
def _enter(table: Table, name: np.uint64, now: int) -> int:
    """Row of an entity, decayed to the present."""
    row = find_or_add(table, name)
    entity = table.rows[row]
    if entity.time > 0:
        elapsed = float(now - entity.time)
        entity.expected = decay(entity.expected, elapsed, CROWD_MS)
        entity.unusual = decay(entity.unusual, elapsed, CROWD_MS)
        entity.led = decay(entity.led, elapsed, CROWD_MS)
        entity.buyers = decay(entity.buyers, elapsed, CROWD_MS)
    entity.time = now
    return row


def weight_of(rogue: float, others: float) -> float:
    """Evidence of so many rogue buyers among so many others."""
    return log(1.0 + rogue) * min(1.0, rogue / (others + 0.5))


_weight: Final = njit(cache=True)(weight_of)


@njit(cache=True)
def _tell(
    group: Record, own: Record, led: float, buyers: float, around: Around, i: int, which: int
) -> float:
    """Tell a fill of a group, but for its key, followers and the lead app's; gives the honest."""
    rogue = max(0.0, max(0.0, group.unusual - own.unusual) - led)
    honest = max(0.0, buyers - (group.expected - group.unusual))
    around.rogue[i, which] = rogue
    around.weight[i, which] = _weight(rogue, honest)
    return float(honest)


@njit(cache=True)
def _joins(event: Record, told: Record) -> bool:
    """Whether a fill is one of a crowd: a key's purchase, made or drawn by one who pays for it."""
    pays_up = told.surprises[F_PAY_UP] >= PAID and told.context[ADVERSE_MOVE] > 0.0
    return bool(event.key >= 0 and event.side == BUY and (not event.maker or pays_up))


@njit(cache=True)
def _meet(
    markets: Table,
    app_markets: Table,
    pairs: Table,
    followers: Table,
    events: Events,
    names: Hashes,
    rows: Told,
    around: Around,
) -> None:
    for i in range(len(events)):
        e, told = events[i], rows[i]
        if not _joins(e, told):
            around.share[i] = 0.0
            continue
        time, name, key = told.time, names.markets[e.market], names.keys[e.key]
        app, home = hash_at(names.apps, e.app), hash_at(names.apps, e.home)
        origin = home if home != 0 else app
        whole = markets.rows[_enter(markets, name, time)]
        own = pairs.rows[_enter(pairs, joint_hash(key, name), time)]
        more = max(0.0, chance(told.odds, told.surprises) - own.expected)
        unusual = more
        if origin != 0:
            fellows = app_markets.rows[_enter(app_markets, joint_hash(origin, name), time)]
            company = fellows.expected - own.expected
            if follows(followers, joint_hash(origin, key), told.merge_time, company):
                unusual = 0.0
            if app == origin:
                fellows.buyers = told.context[APP_BUYERS]  # of another tag it tells of others
            _tell(fellows, own, 0.0, fellows.buyers, around, i, 1)
            fellows.expected += more
            fellows.unusual += unusual
        led = 0.0 if told.stranger or origin == whole.lead else whole.led
        around.besides[i, 1] = _tell(whole, own, led, told.context[BUYERS], around, i, 0)
        own.expected += more
        own.unusual += unusual
        whole.expected += more
        whole.unusual += unusual
        if origin != 0 and (whole.lead == origin or fellows.unusual > whole.led):
            whole.lead = origin
            whole.led = fellows.unusual
        around.own[i] = own.unusual
        around.besides[i, 0] = max(0.0, whole.unusual - whole.led)
