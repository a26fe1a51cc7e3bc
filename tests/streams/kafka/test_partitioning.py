import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from kafka.partitioner.default import murmur2

from models.market.state import TOLD
from models.orders.batch import Int32s, venue_and_symbol
from streams.kafka.partitioning import by_key, by_partition, partition_of, route
from tests.factories import Event, batch_of, rows_at, tapes


@given(st.binary(min_size=1), st.integers(1, 64))
def test_another_client_chooses_the_same_partition(symbol: bytes, partitions: int) -> None:
    assert partition_of(symbol, partitions) == (murmur2(symbol) & 0x7FFFFFFF) % partitions


@given(tapes(), st.integers(1, 5))
def test_every_event_goes_where_its_symbol_belongs_in_order(
    tape: list[Event], partitions: int
) -> None:
    batch = batch_of(tape)
    parts = dict(by_partition(batch, partitions))
    assert sum(len(part) for part in parts.values()) == len(batch)
    for number, part in parts.items():
        assert (np.diff(part.offset) > 0).all()
        for market in part.markets.strings:
            assert partition_of(venue_and_symbol(market)[1].encode(), partitions) == number


@given(tapes(), st.integers(1, 5))
def test_a_key_has_one_home(tape: list[Event], partitions: int) -> None:
    batch = batch_of([event for event in tape if event["api_key"] is not None])
    rows = rows_at(batch, batch.ts, TOLD)
    homes = [(home, set(part.orders.keys.strings)) for home, part in by_key(rows, partitions)]
    names = [name for _, keys in homes for name in keys]
    assert len(names) == len(set(names)) == len(set(batch.keys.strings))
    assert all(0 <= home < partitions for home, _ in homes)


@given(arrays.arrays(np.int32, st.integers(0, 40), elements=st.integers(0, 5)))
def test_each_row_goes_to_its_destination_in_order(destination: Int32s) -> None:
    routed = route(destination)
    assert [partition for partition, _ in routed] == sorted(set(destination.tolist()))
    for partition, rows in routed:
        assert rows.tolist() == [n for n, to in enumerate(destination.tolist()) if to == partition]
