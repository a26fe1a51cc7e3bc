"""Which partition an event lies in: of orders by its symbol, of the internal keys topic by its key.

Symbols are placed by Kafka's own murmur2, so that any producer agrees.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from aiokafka.partitioner import DefaultPartitioner

from models.orders.batch import Int32s, Int64s, OrderBatch, venue_and_symbol
from models.rows import Rows, owners

_choose = DefaultPartitioner()


@cache
def _numbers(partitions: int) -> Sequence[int]:
    return range(partitions)


def partition_of(symbol: bytes, partitions: int) -> int:
    """Give the partition, as any Kafka producer chooses it that uses the symbol as key."""
    numbers = _numbers(partitions)
    chosen: int = _choose(symbol, numbers, numbers)
    return chosen


def by_partition(batch: OrderBatch, partitions: int) -> list[tuple[int, OrderBatch]]:
    """Divide a batch as its events would lie on the topic, each part in order."""
    if partitions == 1:
        return [(0, batch)]
    symbols = [venue_and_symbol(market)[1].encode() for market in batch.markets.strings]
    homes: Int32s = np.array([partition_of(symbol, partitions) for symbol in symbols], np.int32)
    return [(home, batch.take(rows)) for home, rows in route(homes[batch.market])]


def by_key(rows: Rows, partitions: int) -> list[tuple[int, Rows]]:
    """Divide rows by the partition of keys that each belongs to; without a key, by its account."""
    homes: Int32s = (owners(rows) % np.uint64(partitions)).astype(np.int32)
    parts = route(homes)
    return [
        (home, rows if len(chosen) == len(rows) else rows.take(chosen)) for home, chosen in parts
    ]


def route(destination: Int32s) -> list[tuple[int, Int64s]]:
    """Give each destination that occurs, rising, with its rows of `destination` (n,) in order."""
    order = np.argsort(destination, kind="stable")
    found, starts = np.unique(destination[order], return_index=True)
    return list(zip(found.tolist(), np.split(order, starts[1:]), strict=True)) if len(order) else []
