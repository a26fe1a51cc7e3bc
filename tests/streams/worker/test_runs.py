from dataclasses import replace
from typing import Any

import numpy as np
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.runs import Run


def record(offset: int, value: bytes | None = b"v") -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(
        topic="orders",
        partition=0,
        offset=offset,
        timestamp=1000 + offset,
        timestamp_type=0,
        key=None,
        value=value,
        checksum=None,
        serialized_key_size=-1,
        serialized_value_size=1,
        headers=(),
    )


def test_a_run_keeps_offsets_with_their_holes() -> None:
    run = Run.of([record(3), record(4), record(9)])
    assert list(run.values) == [b"v", b"v", b"v"]
    assert run.offsets.tolist() == [3, 4, 9]
    assert run.timestamps.tolist() == [1003, 1004, 1009]
    assert run.offsets.dtype == run.timestamps.dtype == np.int64
    assert run.end == 10


def test_a_record_without_a_value_counts_as_empty() -> None:
    assert list(Run.of([record(0, None), record(1)]).values) == [b"", b"v"]


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(1, 20))
def test_portions_follow_each_other_and_hold_so_many_bytes_or_one_record(
    sizes: list[int], most: int
) -> None:
    run = replace(Run.of([record(2 * n, b"v" * size) for n, size in enumerate(sizes)]), begin=0)
    portions = list(run.portions(most))
    assert [value for portion in portions for value in portion.values] == list(run.values)
    assert [portion.begin for portion in portions] == [0, *(p.end for p in portions[:-1])]
    assert portions[-1].end == run.end
    assert all(len(p) == 1 or sum(map(len, p.values)) <= most for p in portions)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(1, 20))
def test_a_run_that_is_divided_and_joined_again_is_the_same(steps: list[int], count: int) -> None:
    offsets = np.cumsum(steps).tolist()
    run = replace(Run.of([record(offset, b"%d" % offset) for offset in offsets]), begin=0)
    first, rest = run.divided(count)
    assert len(first) == min(count, len(run))
    assert rest is None or rest.begin == first.end
    whole = Run.joined([first, rest] if rest else [first])
    assert list(whole.values) == list(run.values)
    assert whole.offsets.tolist() == offsets
    assert whole.timestamps.tolist() == run.timestamps.tolist()
    assert whole.begin == 0
