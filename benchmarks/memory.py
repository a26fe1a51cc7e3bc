"""Memory per key and pair: `python -m benchmarks.memory` feeds a million keys, one pair each."""

import argparse
import resource
from dataclasses import replace

import numpy as np

from models.merge import Merge
from models.orders.batch import Names, OrderBatch
from streams.kernel_cache import use_fresh_kernels

BATCH = 4096


def batch_of_new_keys(template: OrderBatch, first: int) -> OrderBatch:
    """Give the template's fills, each of a key and an event never seen before."""
    n = len(template)
    numbers = np.arange(first, first + n).astype(np.uint64)
    hashes = numbers * np.uint64(0x9E3779B97F4A7C15)
    return replace(
        template,
        event_hash=hashes,
        ts=template.ts + first,
        key=np.arange(n, dtype=np.int32),
        keys=Names([f"k{number}" for number in numbers.tolist()], hashes),
    )


def main() -> None:
    """Print resident memory before and after, and bytes per key with its pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    keys = parser.parse_args().keys
    use_fresh_kernels()
    from models.keys.stage import KeyStage
    from models.market.stage import MarketStage
    from models.score.evidence import blank_scale
    from models.simulation import regime_of, simulate, to_orders

    orders = to_orders(simulate(regime_of((), 1.0, 400), 1))
    fills = orders.take(np.flatnonzero(orders.is_fill & (orders.key >= 0))[:BATCH])
    market, stage, merge = MarketStage(), KeyStage(blank_scale()), Merge(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for first in range(0, keys, len(fills)):
        merge.add(0, market.observe(batch_of_new_keys(fills, first)), market.clock)
        ready = merge.ready()
        if ready is not None:
            stage.assess(ready)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (after - before) * 1024
    print(f"{keys:,} keys with a pair each: {after / 1024**2:.2f} GiB at the highest,")
    print(f"{grown / 1024**3:.2f} GiB more than before them: {grown / keys:,.0f} bytes each")


if __name__ == "__main__":
    main()
