from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rows import NEVER
from models.score.model import Model
from streams.worker.partitions import LostRunError, Reader
from streams.worker.row_frames import pack_words
from streams.worker.stages import Part, frames_of
from tests.factories import NOW_MS, TS, encode, order
from tests.streams.worker.sources import (
    again,
    alerts_of,
    keys_of,
    market,
    orders_run,
    quiet_of,
    run_of,
    sent_to,
    unpack_rows,
)


def test_what_was_read_before_is_left_out() -> None:
    reader = Reader()
    assert reader.unread(run_of([b"0", b"1", b"2"])) is not None
    more = reader.unread(run_of([b"1", b"2", b"3"], 1))
    assert more is not None
    assert list(more) == [(b"3", 3)]
    assert reader.unread(run_of([b"0", b"1"])) is None


def test_a_run_that_did_not_arrive_is_noticed_at_the_next() -> None:
    reader = Reader()
    reader.unread(run_of([b"0", b"1"]))
    assert reader.unread(replace(run_of([b"5"], 5), begin=2)) is not None  # a hole in the offsets
    with pytest.raises(LostRunError, match="read up to offset 6, the next run begins at 7"):
        reader.unread(replace(run_of([b"7"], 7), begin=7))


def test_every_partition_of_keys_hears_of_every_batch() -> None:
    partition = market(2, 3, patience_ms=40)
    assert [target for target, _ in partition.words()] == [0, 1, 2]  # that it is there
    [part], refused = partition.observe(orders_run(5), NOW_MS)
    assert refused == []
    [(_, frame)] = frames_of([part])
    found = unpack_rows(frame)
    assert len(found.rows or ()) == len(part.rows) == 5
    assert found.word == part.word
    assert (found.word.source, found.word.seen) == (2, NOW_MS + 40)
    words = partition.words()
    assert sorted([part.target, *(target for target, _ in words)]) == [0, 1, 2]
    said = [found.word, *(word for _, word in words)]
    assert {(word.passed, word.read) for word in said} == {((TS + 4,), 5)}
    assert partition.words() == []  # everybody knows


def test_what_is_delivered_again_gives_nothing() -> None:
    partition = market(0, 2)
    partition.observe(orders_run(5), NOW_MS)
    assert partition.observe(orders_run(5), NOW_MS) == ([], [])
    assert (partition.events, partition.duplicates) == (5, 0)


def test_a_partition_counts_what_it_took_refused_and_knew_already() -> None:
    partition = market(0, 2)
    partition.observe(orders_run(5), NOW_MS)
    partition.observe(orders_run(5, first=0), NOW_MS)
    more = [encode(order(event_id="e4", ts=TS + 4)), b"bad"]
    partition.observe(run_of(more, 5), NOW_MS)
    counts = (partition.events, partition.refused, partition.duplicates, partition.ahead)
    assert counts == (7, 1, 1, 0)


def test_a_quiet_partition_says_since_when_and_how_far_it_has_read() -> None:
    partition = market(1, 2)
    partition.observe(orders_run(3), NOW_MS)
    words = [word for _, word in partition.words(NOW_MS + 7)]
    assert len(words) == 2
    assert {(word.quiet, word.read, word.passed) for word in words} == {
        ((NOW_MS + 7,), 3, (TS + 2,))
    }
    assert sorted(word.first for word in words) == [0, 3]


def test_quietness_goes_through_to_the_alert_stage(model: Model) -> None:
    source, keys, alerts = market(), keys_of(model, 1), alerts_of(model, 1, 1)
    assert keys.assess(run_of(sent_to(source, orders_run(5)))) == []  # no suspects
    assert alerts.judge(run_of([pack_words(keys.words())])) == []
    assert keys.words() == []
    assert keys.assess(run_of(quiet_of(source, NOW_MS), 1)) == []
    [word] = keys.words()
    assert word.quiet[0] == NOW_MS
    assert word.passed == (TS + 4, NEVER)  # nothing is held


@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_partition_of_orders_goes_on_after_a_crash_as_if_nothing_had_happened(
    cuts: list[int],
) -> None:
    whole, crashing = market(0, 2), market(0, 2)
    expected = whole.observe(orders_run(30), NOW_MS)[0]
    frames: list[Part] = []
    first = 0
    for cut in cuts:
        frames += crashing.observe(orders_run(cut, first), NOW_MS)[0]
        first += cut
        crashing = again(crashing, market(0, 2))
    if first < 30:
        frames += crashing.observe(orders_run(30 - first, first), NOW_MS)[0]
    for target in (0, 1):
        assert ids_to(target, frames)[:30] == ids_to(target, expected)
    assert crashing.end == max(30, first)


def ids_to(target: int, parts: list[Part]) -> list[str]:
    rows = [part.rows for part in parts if part.target == target]
    return [event_id for part in rows for event_id in part.orders.event_id]
