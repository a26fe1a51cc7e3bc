from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.alerts.stage import AlertStage
from models.market.stage import MarketStage
from models.rows import NEVER
from models.score.model import Model
from streams.worker.partitions import LostRunError, Partition, Reader
from streams.worker.row_frames import pack_words, unpack_rows
from streams.worker.runs import Run
from streams.worker.stages import AlertPartition, KeyPartition, MarketPartition, Part, frames_of
from streams.worker.warmup import Stages
from tests.factories import NOW_MS, TS, encode, order
from tests.streams.conftest import Trained

P = TypeVar("P", bound=Partition)


def run_of(values: list[bytes], first: int = 0) -> Run:
    offsets = np.arange(first, first + len(values))
    return Run(values, offsets, np.zeros(len(values), np.int64))


def orders_run(count: int, first: int = 0, source: str = "e") -> Run:
    numbers = range(first, first + count)
    return run_of([encode(order(event_id=f"{source}{n}", ts=TS + n)) for n in numbers], first)


@pytest.fixture
def model(trained: Trained) -> Model:
    return trained.model


def market(number: int = 0, targets: int = 1, patience_ms: int = 0) -> MarketPartition:
    return MarketPartition(number, targets, MarketStage(), born=1, patience_ms=patience_ms)


def keys_of(model: Model, sources: int) -> KeyPartition:
    return KeyPartition(0, sources, Stages(model).key(0), born=1)


def alerts_of(model: Model, keys: int, orders: int) -> AlertPartition:
    return AlertPartition(keys, orders, AlertStage(model), born=1)


def sent_to(partition: MarketPartition, run: Run, now_ms: int = NOW_MS) -> list[bytes]:
    """Frames that a partition of orders sends to the first of keys."""
    parts = partition.observe(run, now_ms)[0]
    return [frame for target, frame in frames_of(parts) if target == 0]


def quiet_of(partition: MarketPartition, since_ms: int) -> list[bytes]:
    return [pack_words([word]) for target, word in partition.words(since_ms) if target == 0]


def again(partition: P, fresh: P) -> P:
    """Give a new partition the state of another, as after a crash."""
    snapshot = partition.snapshot()
    records = {name: kept.array.copy() for name, kept in snapshot.records.items()}
    fresh.restore(records, snapshot.values)
    return fresh


def test_what_was_read_before_is_left_out() -> None:
    reader = Reader()
    assert reader.unread(run_of([b"0", b"1", b"2"])) is not None
    more = reader.unread(run_of([b"1", b"2", b"3"], 1))
    assert more is not None
    assert (more.values, more.offsets.tolist()) == ([b"3"], [3])
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


def test_nothing_passes_before_every_source_was_heard_of(model: Model) -> None:
    first, second = market(0), market(1)
    keys = keys_of(model, 2)
    keys.assess(run_of(sent_to(first, orders_run(5))))
    assert keys.again_from == 0  # some of it is held
    assert keys.end == 1
    keys.assess(run_of(quiet_of(second, NOW_MS), 1))
    assert keys.again_from == 0  # the last events may not be all at their time
    keys.assess(run_of(quiet_of(first, NOW_MS), 2))
    assert keys.again_from == keys.end == 3
    assert keys.late == 0


def test_an_event_waits_for_a_source_until_that_was_quiet_after_it_was_read(model: Model) -> None:
    active, resting = market(0, patience_ms=20), market(1)
    keys = keys_of(model, 2)
    frames = sent_to(active, orders_run(1), NOW_MS) + sent_to(active, orders_run(1, 1), NOW_MS)
    keys.assess(run_of(frames))
    keys.assess(run_of(quiet_of(resting, NOW_MS + 19), 2))  # it may say so however long ago
    assert keys.again_from == 0
    keys.assess(run_of(quiet_of(resting, NOW_MS + 20), 3))
    assert keys.again_from == 1


def test_quietness_goes_through_to_the_alert_stage(model: Model) -> None:
    source, keys, alerts = market(), keys_of(model, 1), alerts_of(model, 1, 1)
    assert keys.assess(run_of(sent_to(source, orders_run(5)))) == []  # no suspects
    assert alerts.judge(run_of([pack_words(keys.words())])) == []
    assert keys.words() == []
    assert keys.assess(run_of(quiet_of(source, NOW_MS), 1)) == []
    [word] = keys.words()
    assert word.quiet[0] == NOW_MS
    assert word.passed == (TS + 4, NEVER)  # nothing is held


@pytest.mark.parametrize("cut", range(1, 6))
def test_rows_that_come_again_in_other_cuts_change_nothing(model: Model, cut: int) -> None:
    once = market()
    before = sent_to(once, orders_run(4))
    after = sent_to(once, orders_run(2, 4))
    repeated = market()
    frames = [*before, *sent_to(repeated, orders_run(cut)), *sent_to(repeated, orders_run(6))]
    plain, disturbed = keys_of(model, 1), keys_of(model, 1)
    plain.assess(run_of([*before, *after]))
    disturbed.assess(run_of([*frames, *after]))
    assert values_of(plain) == values_of(disturbed)


def values_of(partition: KeyPartition) -> Any:
    """All that the key stage has learned."""
    records = partition.snapshot().records
    return {name: kept.array.tobytes() for name, kept in records.items()}


def test_what_follows_a_lost_frame_waits_until_all_of_it_comes_again(model: Model) -> None:
    whole, broken = market(), market()
    keys, undisturbed = keys_of(model, 1), keys_of(model, 1)
    undisturbed.assess(run_of([*sent_to(whole, orders_run(6)), *quiet_of(whole, NOW_MS)]))
    lost = [sent_to(broken, orders_run(2, first)) for first in (0, 2, 4)]
    keys.assess(run_of([*lost[0], *lost[2], *quiet_of(broken, NOW_MS)]))
    assert keys.holes == 2
    reborn = market()
    keys.assess(run_of([*sent_to(reborn, orders_run(6)), *quiet_of(reborn, NOW_MS)], 3))
    assert values_of(keys) == values_of(undisturbed)


def test_frames_that_were_deleted_unread_are_gone_and_the_next_ones_are_used(model: Model) -> None:
    source, keys = market(), keys_of(model, 1)
    keys.assess(run_of([*sent_to(source, orders_run(2)), *quiet_of(source, NOW_MS)]))
    sent_to(source, orders_run(2, 2))  # the topic's time limit came before the worker
    after = again(keys, keys_of(model, 1))
    after.expect_gap()
    after.assess(run_of([*sent_to(source, orders_run(2, 4)), *quiet_of(source, NOW_MS)], 9))
    assert (after.received, after.holes) == (2, 0)
    sent_to(source, orders_run(2, 6))
    after.assess(run_of(sent_to(source, orders_run(2, 8)), 20))  # what is missing now comes again
    assert (after.received, after.holes) == (2, 1)


def test_a_source_that_began_anew_is_heard_from_its_beginning(model: Model) -> None:
    keys = keys_of(model, 1)
    keys.assess(run_of(sent_to(market(), orders_run(6))))
    anew = MarketPartition(0, 1, MarketStage(), born=2)
    keys.assess(run_of(sent_to(anew, orders_run(3, source="f")), 1))
    assert keys.received == 9
    keys.assess(run_of(sent_to(market(), orders_run(8)), 2))  # the old one is not heard any more
    assert keys.received == 9


Feed = Callable[[Any, Run], Any]


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


class Topic:
    """The topic of keys with what two sources send, and the key stage that reads it."""

    def __init__(self, model: Model, data: st.DataObject) -> None:
        self._model, self._data = model, data
        self.frames: list[bytes] = []
        self._read = 0
        self._safe = 0  # frames that were read at any time: those are with the brokers
        self.keys = keys_of(model, 2)
        self.suspects: dict[int, str] = {}  # event ids by number
        self.restart()

    def restart(self) -> None:
        """Let both sources send all of it once more, in whatever cuts."""
        self._markets = [market(0), market(1)]

    def send(self, number: int, until: int, *, ahead: bool) -> None:
        """Let a source send what comes up to an event; the key stage may hear of it at once."""
        source = self._markets[number]
        if until > source.end:
            run = orders_run(until - source.end, source.end, source=f"s{number}-")
            parts, _ = source.observe(run, NOW_MS)
            self.frames += [frame for _, frame in frames_of(parts)]
            if ahead:
                for part in parts:
                    self.keys.hear(part.word, part.rows)
                self._note(self.keys.go_on())

    def end(self) -> None:
        for number, source in enumerate(self._markets):
            self.send(number, EACH, ahead=self._draw(st.booleans()))
            self.frames += quiet_of(source, NOW_MS)
        self.read(len(self.frames))

    def read(self, count: int) -> None:
        """Read on in the topic."""
        until = min(len(self.frames), self._read + count)
        if until > self._read:
            run = run_of(self.frames[self._read : until], self._read)
            self._note(self.keys.assess(run))
            self._read = until
            self._safe = max(self._safe, until)

    def crash(self) -> None:
        """Lose what was not with the brokers yet, and go on from the state at this moment."""
        lost = self._draw(st.integers(0, len(self.frames) - self._safe))
        del self.frames[len(self.frames) - lost :]
        self.move()
        self.restart()

    def move(self) -> None:
        """Let another worker go on with the key stage; its sources send nothing again."""
        self.keys = again(self.keys, keys_of(self._model, 2))
        self._read = self.keys.again_from

    def _note(self, suspects: list[Part]) -> None:
        for part in suspects:
            ids = part.rows.orders.event_id
            self.suspects |= dict(enumerate(ids, part.word.first))

    def _draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self._data.draw(strategy)


EACH = 12  # events of a source


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_what_is_heard_ahead_of_its_topic_changes_nothing_whoever_crashes_or_leaves(
    model: Model, data: st.DataObject
) -> None:
    undisturbed = Topic(model, data)
    for number in (0, 1):
        undisturbed.send(number, EACH, ahead=False)
    undisturbed.end()
    topic = Topic(model, data)
    for _ in range(data.draw(st.integers(1, 15))):
        what = data.draw(st.sampled_from(["send", "send ahead", "read", "crash", "move"]))
        if what in {"crash", "move"}:
            getattr(topic, what)()
        elif what == "read":
            topic.read(data.draw(st.integers(1, 4)))
        else:
            until = data.draw(st.integers(1, EACH))
            topic.send(data.draw(st.integers(0, 1)), until, ahead=what == "send ahead")
    topic.end()
    assert values_of(topic.keys) == values_of(undisturbed.keys)
    assert topic.suspects == undisturbed.suspects
    assert topic.keys.again_from == topic.keys.end == len(topic.frames)
    assert (topic.keys.held, topic.keys.late) == (0, 0)


def test_what_follows_a_gap_is_kept_until_the_topic_has_filled_it(model: Model) -> None:
    source, keys = market(), keys_of(model, 1)
    parts = [source.observe(orders_run(2, first), NOW_MS)[0][0] for first in (0, 2, 4)]
    keys.hear(parts[2].word, parts[2].rows)  # it was away when the others were sent
    assert (keys.received, keys.ahead) == (0, 2)
    frames = [frame for _, frame in frames_of(parts)]
    keys.assess(run_of(frames[:1]))
    assert keys.received == 2
    keys.assess(run_of(frames[1:2], 1))
    assert (keys.received, keys.ahead) == (6, 0)
    keys.assess(run_of(frames[2:], 2))
    assert (keys.received, keys.holes, keys.end) == (6, 0, 3)


def test_what_filled_a_gap_within_a_run_is_had_again_by_the_next_worker(model: Model) -> None:
    source, keys = market(), keys_of(model, 2)  # nothing is heard of the other one: all is held
    parts = [source.observe(orders_run(2, first), NOW_MS)[0][0] for first in (0, 2)]
    keys.hear(parts[1].word, parts[1].rows)
    frames = [frame for _, frame in frames_of(parts)]
    keys.assess(run_of(frames))
    assert (keys.held, keys.again_from) == (4, 0)
    moved = again(keys, keys_of(model, 2))
    moved.assess(run_of(frames))
    assert moved.held == 4
    assert moved._merge.is_whole


def test_what_waits_for_the_topic_is_bounded(model: Model) -> None:
    source, keys = market(), keys_of(model, 1)
    lost, *parts = [source.observe(orders_run(1, first), NOW_MS)[0][0] for first in range(258)]
    for part in parts:
        keys.hear(part.word, part.rows)
    keys.assess(run_of([frame for _, frame in frames_of([lost])]))
    assert keys.received == 1  # of what waited nothing is left
    keys.assess(run_of([frame for _, frame in frames_of(parts)], 1))
    assert keys.received == 258


def test_what_a_merge_held_is_had_again_after_a_crash(model: Model) -> None:
    sources = [market(0), market(1)]
    frames = [
        *sent_to(sources[0], orders_run(6)),
        *sent_to(sources[1], orders_run(3, source="f")),
        *sent_to(sources[0], orders_run(6, 6)),
        *quiet_of(sources[1], NOW_MS),
        *quiet_of(sources[0], NOW_MS),
    ]
    undisturbed = keys_of(model, 2)
    undisturbed.assess(run_of(frames))
    for crash in range(1, 5):
        keys = keys_of(model, 2)
        keys.assess(run_of(frames[:crash]))
        start = keys.again_from
        keys = again(keys, keys_of(model, 2))
        assert keys.again_from == start
        for offset in range(start, 5):
            keys.assess(run_of([frames[offset]], offset))
        assert values_of(keys) == values_of(undisturbed)
        assert keys.again_from == keys.end == 5
