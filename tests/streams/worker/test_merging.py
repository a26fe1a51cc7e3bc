from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.market.stage import MarketStage
from models.score.model import Model
from streams.worker.stages import MarketPartition, Part, frames_of
from tests.factories import NOW_MS
from tests.streams.worker.sources import (
    again,
    keys_of,
    market,
    orders_run,
    quiet_of,
    run_of,
    sent_to,
    values_of,
)


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
        self._note(self.keys.go_on())

    def read(self, count: int) -> None:
        """Read on in the topic."""
        until = min(len(self.frames), self._read + count)
        if until > self._read:
            run = run_of(self.frames[self._read : until], self._read)
            self._note(self.keys.assess(run, all_due=self._draw(st.booleans())))
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


def test_what_frames_make_due_that_hold_nothing_new_may_wait_until_all_goes_on(
    model: Model,
) -> None:
    source, other, keys = market(0), market(1), keys_of(model, 2)
    heard = source.observe(orders_run(4), NOW_MS)[0][0]
    keys.hear(heard.word, heard.rows)
    echo = [frame for _, frame in frames_of([heard])]
    told = [*quiet_of(source, NOW_MS), *quiet_of(other, NOW_MS)]
    keys.assess(run_of([*echo, *told]), all_due=False)
    assert keys.held == 4
    new = [*sent_to(source, orders_run(4, 4)), *quiet_of(source, NOW_MS)]
    keys.assess(run_of(new, 3), all_due=False)
    assert keys.received == 8
    assert keys.held < 4
    keys.go_on()
    assert keys.held == 0


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
