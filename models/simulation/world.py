"""One simulated world: its coins, markets and people, and what the programs of traders share."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.orders.batch import BUY, Float64s, Int32s, Int64s
from models.simulation.draws import DAY, HOUR, Rng, log_normals
from models.simulation.flow import MAKER, Flow
from models.simulation.labels import Labels
from models.simulation.market import Coins, Markets, draw_coins, draw_markets
from models.simulation.people import WEB, People, draw_people
from models.simulation.regimes import Regime


@dataclass(frozen=True, slots=True)
class Crowd:
    """Accounts without a key on one venue, the busiest first."""

    accounts: Int64s
    reach: Float64s  # cumulative share of the trade, shape (k,)


@dataclass(slots=True)
class World:
    """Everything that programs of traders, attacks and look-alikes read and write."""

    regime: Regime
    start: int  # ms since the epoch
    end: int
    coins: Coins
    markets: Markets
    people: People
    makers: list[Int64s]  # market makers of each market, by actor
    crowds: list[Crowd]  # of each venue
    flow: Flow = field(default_factory=Flow)
    labels: Labels = field(default_factory=Labels)

    def any_times(self, rng: Rng, n: int, low: int, high: int) -> Int64s:
        """Draw n times, evenly over [low, high), shape (n,)."""
        times: Int64s = rng.integers(low, max(high, low + 1), n)
        return times

    def habit_times(self, rng: Rng, actors: Int64s) -> Int64s:
        """Draw one time per entry of `actors` within its life, by its daily rhythm, shape (n,)."""
        people = self.people
        low = np.maximum(people.born[actors], self.start)
        high = np.maximum(np.minimum(people.stops[actors], self.end), low + 1)
        ts: Int64s = low + (rng.random(len(actors)) * (high - low)).astype(np.int64)
        human = np.flatnonzero(people.human_hours[actors])
        # the hours asleep are drawn again, once: a night is quiet, not dead
        hour = (ts[human] / HOUR + people.phase[actors[human]]) % 24
        asleep = human[(hour < 8) & (rng.random(len(human)) < 0.85)]
        span = (high - low)[asleep]
        ts[asleep] = low[asleep] + (rng.random(len(asleep)) * span).astype(np.int64)
        return ts

    def strangers(self, rng: Rng, venues: Int32s) -> Int64s:
        """Draw an account without a key on each venue; most are hardly ever seen, shape (n,)."""
        drawn = np.empty(len(venues), np.int64)
        for venue in np.unique(venues):
            rows = np.flatnonzero(venues == venue)
            crowd = self.crowds[int(venue)]
            place = np.searchsorted(crowd.reach, rng.random(len(rows)))
            drawn[rows] = crowd.accounts[np.minimum(place, len(crowd.accounts) - 1)]
        return drawn

    def rest(self, rng: Rng, ts: ArrayLike, market: Int32s, makers: Int64s, **columns: Any) -> None:
        """Add fills of resting orders: a stranger takes, on `side`, and `makers` make."""
        takers = self.strangers(rng, self.markets.venue[market])
        self.flow.add(ts=ts, market=market, taker=takers, maker=makers, owner=MAKER, **columns)

    def thin_market(
        self, rng: Rng, actor: int, low: float, high: float, *, new: bool = True
    ) -> int | None:
        """Choose a market of the actor's venue with a daily volume in [low, high] USD.

        `new` wants one that the actor does not call its own. Where few fit, the nearest do too.
        """
        venue = int(self.people.venue[actor])
        listed = np.flatnonzero(
            (self.markets.venue == venue) & (self.coins.listed[self.markets.coin] <= self.start)
        )
        if new:
            listed = np.setdiff1d(listed, self.people.usual_markets(actor))
        if not len(listed):
            return None
        adv = np.log(self.markets.adv[listed])
        beyond = np.maximum(np.log(low) - adv, 0) + np.maximum(adv - np.log(high), 0)
        # never too few to choose from, or the thinnest coins would be where all is staged
        near = np.argsort(beyond, kind="stable")[: max(int((beyond == 0).sum()), 3 + len(adv) // 8)]
        return int(listed[rng.choice(near)])

    def honest_keys(self, actors: Int64s | None = None) -> Int64s:
        """Give the keys among `actors`, or all, that are in no theft so far."""
        keys = np.arange(self.people.n_keys) if actors is None else actors
        robbed = np.array(sorted(self.labels.leaked), np.int64)
        honest: Int64s = keys[~np.isin(keys, robbed)]
        return honest

    def trend(self, market: Int32s, ts: Int64s, window: float) -> Float64s:
        """Log return of the fundamental price over the `window` ms before, shape (n,)."""
        coins = self.coins
        top = coins.log_price.shape[1] - 1
        now = np.clip((ts - self.start) / coins.grid_step, 0, top).astype(np.int64)
        then = np.maximum(now - int(max(1, window / coins.grid_step)), 0)
        coin = self.markets.coin[market]
        change: Float64s = coins.log_price[coin, now] - coins.log_price[coin, then]
        return change


def draw_world(rng: Rng, regime: Regime) -> World:
    """Draw a world without any trade."""
    start = _start(rng, regime)
    coins, adv = draw_coins(rng, regime, start)
    markets = draw_markets(rng, regime, coins, adv)
    people = draw_people(rng, regime, markets, start)
    return World(
        regime=regime,
        start=start,
        end=start + int(regime.days * DAY),
        coins=coins,
        markets=markets,
        people=people,
        makers=_rosters(rng, markets, people),
        crowds=[_crowd(rng, people, venue) for venue in range(regime.n_venues)],
    )


def _start(rng: Rng, regime: Regime) -> int:
    if regime.start:
        return int(np.datetime64(regime.start, "ms").astype(np.int64))
    first = int(np.datetime64("2018-01-01", "ms").astype(np.int64))
    return first + int(rng.integers(0, 8 * 365)) * DAY + int(rng.integers(0, DAY))


def _crowd(rng: Rng, people: People, venue: int) -> Crowd:
    web = people.of_kind(WEB)
    here = web[people.venue[web] == venue]
    here = here if len(here) else web
    busy = np.sort(log_normals(rng, 1.0, 1.7, len(here)))[::-1]
    return Crowd(rng.permutation(here), busy.cumsum() / busy.sum())


def _rosters(rng: Rng, markets: Markets, people: People) -> list[Int64s]:
    """Who makes each market: makers that call it theirs, and at least one of its venue."""
    candidates = people.of_kind("maker", "grid")
    if not len(candidates):
        candidates = np.arange(people.n_keys)
    rosters = []
    for market in range(len(markets)):
        near = candidates[people.venue[candidates] == markets.venue[market]]
        own = [a for a in near if market in people.homes[a, : people.n_homes[a]]]
        extra = rng.choice(near if len(near) else candidates, 1)
        rosters.append(np.unique(np.r_[np.array(own, np.int64), extra]))
    return rosters


def sides(rng: Rng, n: int, buys: float = 0.5) -> np.ndarray:
    """Draw n sides, shape (n,)."""
    return np.where(rng.random(n) < buys, BUY, -BUY).astype(np.int8)
