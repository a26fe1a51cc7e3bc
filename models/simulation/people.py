"""Who trades: API keys with their accounts, apps, strategies and habits, and people without keys.

An actor is a key, or an account without one (web, mobile). Attack and look-alike alike draw their
cast from the same actors; nobody exists for the sake of an attack.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.orders.batch import Bools, Float64s, Int32s, Int64s
from models.simulation.draws import (
    DAY,
    HOUR,
    Rng,
    hash_uniform,
    log_normals,
    log_uniform,
    log_uniforms,
    mix,
)
from models.simulation.market import Markets
from models.simulation.regimes import Regime

WEB: Final = "web"
HOMES: Final = 24  # most markets that an actor calls its own
_NEVER: Final = np.iinfo(np.int64).max // 4
_RATES: Final[dict[str, tuple[float, float]]] = {  # trades a day: median, sigma
    "maker": (250.0, 0.9),
    "grid": (18.0, 1.1),
    "dca": (2.0, 1.2),
    "trend": (5.0, 1.2),
    "arbitrage": (40.0, 1.0),
    "follower": (1.5, 0.8),
    "copier": (2.0, 0.8),
    "human": (2.5, 1.3),
    "gambler": (1.2, 0.8),
    "rebalancer": (1.0, 0.7),
    "scalper": (60.0, 1.0),
    "sleeper": (3.0, 1.0),
    "unused": (0.0, 0.0),
    WEB: (0.0, 0.0),
}


@dataclass(slots=True)
class People:
    """A actors, those with keys first; columns of shape (A,)."""

    kinds: list[str]  # names of the strategies
    kind: Int32s
    n_keys: int
    account: Int32s
    app: Int32s  # -1: the owner's own program
    later_app: Int32s  # taken up at app_moves
    app_moves: Int64s
    venue: Int32s
    rate: Float64s  # own trades a day
    size: Float64s  # usual order, USD
    spread_of_sizes: Float64s
    round_sizes: Bools
    wealth: Float64s  # USD
    homes: Int32s  # markets it trades, shape (A, HOMES), the first n_homes count
    n_homes: Int32s
    phase: Float64s  # hours by which its day is shifted
    human_hours: Bools
    born: Int64s  # no own trade before
    stops: Int64s  # and none from here on
    network_period: Int64s  # ms after which its network may change
    network_choices: Int32s  # how many it changes between
    new_network: Int64s  # from here on it has yet another one

    def __len__(self) -> int:
        return len(self.kind)

    def of_kind(self, *kinds: str) -> Int64s:
        """Give the actors that follow any of the strategies, shape (k,)."""
        codes = [self.kinds.index(kind) for kind in kinds]
        return np.flatnonzero(np.isin(self.kind, codes))

    def usual_markets(self, actor: int) -> Int32s:
        """Markets that the actor calls its own, shape (k,)."""
        return np.unique(self.homes[actor, : self.n_homes[actor]])

    def pick_homes(self, rng: Rng, actors: Int64s) -> Int32s:
        """Draw one of each actor's own markets, the first ones more often, shape (n,)."""
        place = (self.n_homes[actors] * rng.random(len(actors)) ** 1.6).astype(np.int64)
        return self.homes[actors, place]

    def draw_sizes(self, rng: Rng, actors: Int64s) -> Float64s:
        """Draw each actor's next order size by its habit, USD, shape (n,)."""
        size = self.size[actors] * np.exp(
            self.spread_of_sizes[actors] * rng.standard_normal(len(actors))
        )
        digit = 10.0 ** np.floor(np.log10(size))
        rounded = np.maximum(1.0, np.round(2 * size / digit) / 2) * digit
        drawn: Float64s = np.maximum(np.where(self.round_sizes[actors], rounded, size), 1.0)
        return drawn

    def app_at(self, actors: Int64s, ts: Int64s) -> Int32s:
        """App of each actor at each time, shape (n,)."""
        app: Int32s = np.where(
            ts >= self.app_moves[actors], self.later_app[actors], self.app[actors]
        )
        return app


def draw_people(rng: Rng, regime: Regime, markets: Markets, start: int) -> People:
    """Draw everybody, with habits spread widely within each strategy."""
    n_keys, n_web = regime.n_keys, max(40, int(regime.n_keys * regime.web_per_key))
    kinds = [*regime.traders, WEB]
    shares = np.array(list(regime.traders.values())) * rng.gamma(8.0, 0.125, len(regime.traders))
    kind = np.r_[
        rng.choice(len(regime.traders), n_keys, p=shares / shares.sum()),
        np.full(n_web, len(kinds) - 1),
    ].astype(np.int32)
    n = len(kind)
    named = np.array(kinds)[kind]
    venue = _venues(rng, n, regime.n_venues)
    account = _accounts(rng, venue, n_keys)
    medians, sigmas = np.array([_RATES[k] for k in kinds]).T
    rate = medians[kind] * np.exp(sigmas[kind] * rng.standard_normal(n))
    size = log_normals(rng, log_uniform(rng, 35.0, 110.0), 1.2, n)
    size *= np.where(named == "maker", 3.0, 1.0)
    settled = rng.random(n) < rng.uniform(0.35, 0.85)
    length = regime.days * DAY
    late = start + (rng.random(n) * length).astype(np.int64)
    born = np.where(rng.random(n) < 0.12, late, start)
    homes, n_homes = _homes(rng, markets, venue, named, size * (10 + rate))
    return People(
        kinds=kinds,
        kind=kind,
        n_keys=n_keys,
        account=account,
        app=_apps(rng, regime, kind, n_keys),
        later_app=np.full(n, -1, np.int32),
        app_moves=np.full(n, _NEVER),
        venue=venue,
        rate=rate,
        size=np.maximum(size, 5.0),
        spread_of_sizes=np.where(rng.random(n) < 0.35, 0.02, log_uniforms(rng, 0.1, 0.9, n)),
        round_sizes=rng.random(n) < 0.35,
        wealth=size * log_normals(rng, 40.0, 1.1, n),
        homes=homes,
        n_homes=n_homes,
        phase=rng.choice([0.0, 5.0, 8.0, 12.0, 17.0], n) + rng.normal(0, 1.5, n),
        human_hours=(named == "human") | (named == "gambler") | (named == WEB),
        born=born,
        stops=np.where(
            rng.random(n) < 0.05, born + (rng.random(n) * length).astype(np.int64), _NEVER
        ),
        network_period=(log_uniforms(rng, 3.0, 24.0 * 30, n) * HOUR).astype(np.int64),
        network_choices=np.where(settled, 1, 1 + rng.geometric(0.3, n)).astype(np.int32),
        new_network=np.full(n, _NEVER),
    )


def _venues(rng: Rng, n: int, n_venues: int) -> Int32s:
    share = np.maximum(rng.dirichlet(np.full(n_venues, 2.0)), 0.08)
    return rng.choice(n_venues, n, p=share / share.sum()).astype(np.int32)


def _accounts(rng: Rng, venue: Int32s, n_keys: int) -> Int32s:
    """One account each, but some keys share that of an earlier key of their venue."""
    account = np.arange(len(venue), dtype=np.int32)
    for actor in np.flatnonzero(rng.random(n_keys) < 0.1):
        other = int(rng.integers(0, actor + 1))
        if venue[other] == venue[actor]:
            account[actor] = account[other]
    return account


def _apps(rng: Rng, regime: Regime, kind: Int32s, n_keys: int) -> Int32s:
    """Apps of Zipf sizes, each with a leaning to some strategies."""
    sizes = 1.0 / np.arange(1, regime.n_apps + 1) ** regime.app_skew
    leaning = rng.gamma(0.5, 2.0, (int(kind.max()) + 1, regime.n_apps)) + 0.02
    app = np.full(len(kind), -1, np.int32)
    for code in np.unique(kind[:n_keys]):
        members = np.flatnonzero(kind[:n_keys] == code)
        weights = sizes * leaning[code]
        app[members] = rng.choice(regime.n_apps, len(members), p=weights / weights.sum())
    app[:n_keys][rng.random(n_keys) < regime.appless] = -1
    return app


def _homes(
    rng: Rng, markets: Markets, venue: Int32s, named: np.ndarray, daily: Float64s
) -> tuple[Int32s, Int32s]:
    """Draw markets of each actor's venue by liquidity, few where its `daily` USD would rule."""
    n = len(venue)
    n_homes = np.clip(rng.geometric(0.22, n), 1, HOMES).astype(np.int32)
    few = np.isin(named, ["dca", "grid", "scalper"])
    n_homes[few] = np.clip(rng.geometric(0.45, n), 1, HOMES)[few]
    homes = np.zeros((n, HOMES), np.int32)
    taste = np.where(named == "maker", 0.1, rng.uniform(0.1, 0.9, n))
    for rows in np.array_split(np.arange(n), 1 + n // 2_000):
        for v in np.unique(venue[rows]):
            some = rows[venue[rows] == v]
            listed = np.flatnonzero(markets.venue == v)
            adv = markets.adv[listed]
            weights = adv ** taste[some, None] / (1 + (6 * daily[some, None] / adv) ** 1.5)
            reach = weights.cumsum(axis=1)
            drawn = rng.random((len(some), HOMES)) * reach[:, -1:]
            place = (reach[:, None, :] < drawn[:, :, None]).sum(axis=2)
            homes[some] = listed[np.minimum(place, len(listed) - 1)]
    return homes, n_homes


def networks_of(people: People, actors: Int64s, ts: Int64s, app: np.ndarray) -> Int64s:
    """Network of each order as a number below 2^20: the app's servers, or the owner's own.

    Hosted apps send from a few addresses of theirs; other actors from their own, which changes now
    and then, among shared address blocks, so that one block serves many.
    """
    hosted = (app >= 0) & (hash_uniform(app, 77) < 0.75)
    servers = 1 + (hash_uniform(app, 78) ** 2 * 12).astype(np.int64)
    # some apps deal their keys out to their servers anew every so often
    turn = (DAY * (0.1 + 8 * hash_uniform(app, 83) ** 2)).astype(np.int64)
    deal = np.where(hash_uniform(app, 84) < 0.6, ts // turn, 0)
    server = (hash_uniform(actors, app, deal, 79) * servers).astype(np.int64)
    epoch = ts // people.network_period[actors]
    choice = (hash_uniform(actors, epoch, 80) ** 3 * people.network_choices[actors]).astype(
        np.int64
    )
    choice += 100 * (ts >= people.new_network[actors])
    n_blocks = 200 + len(people) // 4
    # a few large providers, a long tail of small ones
    block = (hash_uniform(actors, choice, 81) ** 2.5 * n_blocks).astype(np.int64)
    own = 50_000 + block
    app_server = (mix(app, server, 82) % np.uint64(40_000)).astype(np.int64)
    return np.where(hosted, app_server, own)
