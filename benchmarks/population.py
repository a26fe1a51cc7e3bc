"""Batches of fills by as many keys in as many markets as one likes, without any JSON."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from models.orders.batch import (
    BUY,
    MARKET_SEPARATOR,
    NONE,
    SELL,
    Int32s,
    Int64s,
    Names,
    OrderBatch,
    Status,
    UInt64s,
)

BATCH: Final = 4096
EVENTS_PER_MS: Final = 100
START_MS: Final = 1_670_562_611_123
MIX: Final = np.uint64(0x9E3779B97F4A7C15)
SEED: Final = 20180307


class Population:
    """Keys that each trade one market, and all of which trade alike; seeded."""

    def __init__(self, keys: int, markets: int) -> None:
        self._keys, self._markets = keys, markets
        self._random = np.random.default_rng(SEED)
        self._price = 10.0 ** self._random.uniform(-3.0, 4.0, markets)
        self._events = 0

    def everyone(self) -> Iterator[OrderBatch]:
        """Give a fill of every key, in an order that has nothing to do with anything."""
        keys = self._random.permutation(self._keys)
        for start in range(0, self._keys, BATCH):
            yield self._fills(keys[start : start + BATCH])

    def batches(self, count: int) -> Iterator[OrderBatch]:
        """Give batches of fills by keys at random."""
        for _ in range(count):
            yield self._fills(self._random.integers(self._keys, size=BATCH))

    def _fills(self, keys: Int64s) -> OrderBatch:
        n, random = len(keys), self._random
        events = np.arange(self._events, self._events + n)
        self._events += n
        market, key = keys % self._markets, keys
        price = self._price[market] * np.exp(random.normal(0.0, 1e-4, n))
        notional = np.exp(random.normal(5.0, 1.0, n))
        unknown = np.full(n, NONE, np.int32)
        key_codes, key_names = _named("k", key, 2)
        market_codes, market_names = _named(f"venue{MARKET_SEPARATOR}S", market, 3)
        account_codes, account_names = _named("a", key, 4)
        app_codes, app_names = _named("app", key % 20, 5)
        network_codes, network_names = _named("AS", key % 500, 6)
        return OrderBatch.of(
            [f"e{event}" for event in events.tolist()],
            [market_names, key_names, account_names, app_names, network_names],
            event_hash=_hashes(events, 1),
            ts=START_MS + events // EVENTS_PER_MS,
            market=market_codes,
            key=key_codes,
            account=account_codes,
            app=app_codes,
            counterparty=unknown,
            network=network_codes,
            order_hash=_hashes(events, 7),
            side=np.where(random.random(n) < 0.5, BUY, SELL).astype(np.int8),
            status=np.full(n, Status.FILLED, np.int8),
            is_market=np.ones(n, np.bool_),
            maker=random.random(n) < 0.5,
            price=price,
            qty=notional / price,
            notional=notional,
            arrival=price,
            partition=np.zeros(n, np.int32),
            offset=events,
        )


def _named(prefix: str, numbers: Int64s, salt: int) -> tuple[Int32s, Names]:
    """Give the codes of numbered things, and their names."""
    distinct, codes = np.unique(numbers, return_inverse=True)
    names = Names([f"{prefix}{number}" for number in distinct.tolist()], _hashes(distinct, salt))
    return codes.astype(np.int32), names


def _hashes(numbers: Int64s, salt: int) -> UInt64s:
    """Spread numbers over 64 bits (the finaliser of splitmix64)."""
    mixed = (numbers.astype(np.uint64) + np.uint64(salt << 40)) * MIX
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(31))
