"""Which partition of the orders topic a symbol's events lie in: Kafka's own murmur2 of its name."""

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from aiokafka.partitioner import DefaultPartitioner

from models.orders.batch import Int32s, OrderBatch, venue_and_symbol
from streams.frames import route

_choose = DefaultPartitioner()


@cache
def _numbers(partitions: int) -> Sequence[int]:
    return range(partitions)


def partition_of(symbol: bytes, partitions: int) -> int:
    """Give the partition, as any Kafka producer chooses it that uses the symbol as key."""
    numbers = _numbers(partitions)
    chosen: int = _choose(symbol, numbers, numbers)
    return chosen


def by_partition(batch: OrderBatch, partitions: int) -> Iterable[tuple[int, OrderBatch]]:
    """Divide a batch as its events would lie on the topic, each part in order."""
    if partitions == 1:
        return [(0, batch)]
    symbols = [venue_and_symbol(market)[1].encode() for market in batch.markets.strings]
    homes: Int32s = np.array([partition_of(symbol, partitions) for symbol in symbols], np.int32)
    return [(home, batch.take(rows)) for home, rows in route(homes[batch.market])]
