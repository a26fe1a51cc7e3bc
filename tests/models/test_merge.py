import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.market.state import TOLD
from models.merge import Merge
from models.rows import LONG_AGO, NEVER, owners
from tests.factories import TS, Event, bare_order, numbered, rows_at, rows_of

MARKETS = 6


@st.composite
def keyed_tapes(draw: st.DrawFn) -> list[Event]:
    """Events of few keys in few markets, often at the same time."""
    steps = draw(st.lists(st.integers(0, 2), max_size=40))
    times = np.cumsum([TS, *steps])[1:].tolist()
    return [
        bare_order(
            event_id=f"e-{n}",
            ts=ts,
            symbol=f"S{draw(st.integers(0, MARKETS - 1))}",
            api_key=draw(st.sampled_from(["k1", "k2", "k3"])),
        )
        for n, ts in enumerate(times)
    ]


def released(merge: Merge) -> list[str]:
    ready = merge.ready()
    return [] if ready is None else ready.orders.event_id


def all_at_once(tape: list[Event]) -> list[str]:
    merge = Merge(1)
    merge.add(0, rows_of(tape) if tape else None, NEVER)
    return released(merge)


@given(keyed_tapes(), st.integers(1, 8), st.data())
def test_the_order_depends_neither_on_the_number_of_sources_nor_on_how_they_are_cut(
    tape: list[Event], sources: int, data: st.DataObject
) -> None:
    source_of = data.draw(st.lists(st.integers(0, sources - 1), min_size=8, max_size=8))
    queues: list[list[Event]] = [[] for _ in range(sources)]
    for event in tape:
        queues[source_of[int(event["symbol"][1:])]].append(event)
    merge = Merge(sources)
    order: list[str] = []
    ended: set[int] = set()
    while len(ended) < sources:
        source = data.draw(st.sampled_from([n for n in range(sources) if n not in ended]))
        queue = queues[source]
        if not queue:
            merge.idle(source)
            ended.add(source)
        else:
            cut = data.draw(st.integers(1, len(queue)))
            chunk, queues[source] = queue[:cut], queue[cut:]
            # What has been passed: the last event, or any time up to the next one.
            until = queues[source][0]["ts"] if queues[source] else chunk[-1]["ts"]
            merge.add(
                source, rows_of(chunk), data.draw(st.integers(chunk[-1]["ts"], max_value=until))
            )
        if data.draw(st.booleans()):
            order += released(merge)
        given = [event for event in tape if all(event not in queue for queue in queues)]
        waiting = [event["ts"] for event in given if event["event_id"] not in order]
        assert (merge.held, merge.earliest) == (len(waiting), min(waiting, default=NEVER))
    order += released(merge)
    assert order == all_at_once(tape)
    assert merge.late == 0


@given(keyed_tapes())
def test_events_come_out_by_time_and_as_they_came_within_one_market_and_key(
    tape: list[Event],
) -> None:
    order = [tape[int(event_id[2:])] for event_id in all_at_once(tape)]
    assert [event["ts"] for event in order] == [event["ts"] for event in tape]
    for name in {(event["symbol"], event["api_key"]) for event in tape}:
        came = [e for e in tape if (e["symbol"], e["api_key"]) == name]
        assert [e for e in order if (e["symbol"], e["api_key"]) == name] == came


def at(ts: int) -> int:
    return TS + ts


@given(st.lists(st.tuples(*[st.integers(0, most) for most in (30, 2, 2, 2)]), min_size=1))
def test_events_of_one_time_are_ordered_by_market_and_owner_and_else_stay_as_they_came(
    events: list[tuple[int, int, int, int]],
) -> None:
    rows = rows_of(
        [
            bare_order(event_id=f"e-{n}", symbol=f"S{market}", api_key=f"k{key}")
            for n, (_, _, market, key) in enumerate(events)
        ]
    )
    passed, times = (np.array(column) for column in list(zip(*events, strict=True))[:2])
    rows = rows_at(rows.orders, passed - times, TOLD, merge_time=passed)
    markets, owner = rows.orders.markets.hashes[rows.orders.market], owners(rows)
    merge = Merge(1)
    merge.add(0, rows, NEVER)
    assert released(merge) == [
        f"e-{n}"
        for n in sorted(
            range(len(events)), key=lambda n: (passed[n], rows.time[n], markets[n], owner[n])
        )
    ]


def test_nothing_is_released_that_a_source_may_still_come_before() -> None:
    merge = Merge(2)
    merge.add(0, rows_of([numbered(0, 5), numbered(1, 7)]), at(7))
    assert merge.ready() is None
    merge.add(1, None, at(5))  # it may still come at 5 itself
    assert merge.ready() is None
    merge.add(1, None, at(6))
    assert released(merge) == ["e-0"]
    merge.idle(1)
    assert merge.ready() is None
    merge.idle(0)
    assert released(merge) == ["e-1"]
    assert merge.ready() is None


def test_the_watermark_is_what_all_sources_that_are_not_idle_have_passed() -> None:
    merge = Merge(3)
    assert merge.watermark == np.iinfo(np.int64).min
    for source, passed in enumerate([30, 10, 20]):
        merge.add(source, None, passed)
    assert merge.watermark == 10
    merge.idle(1)
    assert merge.watermark == 20
    merge.add(1, None, 15)  # it goes on
    assert merge.watermark == 15
    for source in range(3):
        merge.idle(source)
    assert merge.watermark == NEVER


def test_a_late_event_is_used_on_arrival_and_counted() -> None:
    merge = Merge(2)
    merge.add(0, rows_of([numbered(0, 5), numbered(1, 9)]), at(9))
    merge.idle(1)
    assert released(merge) == ["e-0"]
    merge.add(1, rows_of([numbered(2, 3, "S1"), numbered(3, 8, "S1")]), at(8))
    assert merge.late == 0
    assert released(merge) == ["e-2"]
    assert merge.late == 1
    merge.idle(1)
    merge.idle(0)
    assert released(merge) == ["e-3", "e-1"]
    assert merge.late == 1


def test_events_of_one_release_are_in_order_though_the_first_of_them_is_late() -> None:
    merge = Merge(1)
    merge.add(0, rows_of([numbered(0, 5)]), NEVER)
    merge.ready()
    merge.add(0, rows_of([numbered(1, 7), numbered(2, 4)]), NEVER)
    assert released(merge) == ["e-2", "e-1"]


def test_after_a_leap_that_the_clock_of_the_partition_awaits_time_decides() -> None:
    tape = [numbered(0, 1, "S0"), numbered(1, 9, "S1"), numbered(2, 5, "S2"), numbered(3, 1, "S3")]
    rows = rows_of(tape)
    waiting = rows_at(rows.orders, rows.time, TOLD, merge_time=at(1))
    merge = Merge(1)
    merge.add(0, waiting, NEVER)
    assert released(merge)[2:] == ["e-2", "e-1"]


def test_what_is_held_for_a_partition_that_lags_is_not_touched_until_it_is_due() -> None:
    merge = Merge(2)
    parts = [rows_of([numbered(2 * n, 2 * n), numbered(2 * n + 1, 2 * n + 1)]) for n in range(20)]
    for n, part in enumerate(parts):
        merge.add(0, part, at(2 * n + 1))
        assert merge.ready() is None
    order: list[str] = []
    for ts in range(1, 42, 3):  # behind the last of one part, or behind the first of the next
        merge.add(1, None, at(ts))
        order += released(merge)
    merge.idle(0)
    order += released(merge)
    assert order == [f"e-{n}" for n in range(40)]
    assert merge.late == 0


def had_again(merge: Merge, source: int, events: list[Event], data: st.DataObject) -> None:
    """Give a merge a source's events again, in whatever parts."""
    start = 0
    while start < len(events):
        part = events[start : start + data.draw(st.integers(1, 9))]
        if not merge.is_whole:
            assert merge.ready() is None
        merge.resume(source, start, rows_of(part), seen=NEVER, origin=99)
        start += len(part)


@given(keyed_tapes(), st.integers(1, 4), st.data())
def test_a_restored_merge_goes_on_as_if_nothing_had_happened(
    tape: list[Event], sources: int, data: st.DataObject
) -> None:
    queues: list[list[Event]] = [[] for _ in range(sources)]
    for one in tape:
        queues[int(one["symbol"][1:]) % sources].append(one)
    merge, order = Merge(sources), []
    for source, queue in enumerate(queues):
        start = 0
        while start < len(queue):
            chunk = queue[start : start + data.draw(st.integers(1, 9))]
            merge.hold(rows_of(chunk), source=source, first=start, origin=start)
            merge.hear(source, [chunk[-1]["ts"]], [LONG_AGO])
            start += len(chunk)
            order += released(merge)
            if data.draw(st.booleans()):
                saved, merge = merge.save(), Merge(sources)
                merge.restore(saved)
                for number, earlier in enumerate(queues[: source + 1]):
                    had_again(merge, number, earlier[: start if number == source else None], data)
                assert merge.is_whole
                assert merge.give_up() == 0
        merge.idle(source)
    assert order + released(merge) == all_at_once(tape)


def test_what_was_held_and_is_not_had_again_is_given_up() -> None:
    merge = Merge(1)
    merge.hold(rows_of([numbered(0, 5), numbered(1, 7)]), origin=3)
    merge.hear(0, [at(7)], [LONG_AGO])
    assert released(merge) == ["e-0"]
    again = Merge(1)
    again.restore(merge.save())
    assert again.origin == 3
    assert not again.is_whole
    assert again.give_up() == 1
    assert again.origin is None


def test_what_was_held_of_a_source_that_began_anew_is_not_waited_for() -> None:
    merge = Merge(2)
    merge.hold(rows_of([numbered(0, 5)]), source=1)
    again = Merge(2)
    again.restore(merge.save())
    again.forget(0)
    assert not again.is_whole
    again.forget(1)
    assert again.is_whole


def test_an_event_waits_until_every_source_has_passed_it_or_was_quiet_late_enough() -> None:
    merge = Merge(2)
    merge.hold(rows_of([numbered(0, 5)]), seen=100)
    merge.hold(rows_of([numbered(1, 6)]), seen=200)
    merge.hear(0, [at(6)], [LONG_AGO])
    merge.hear(1, [LONG_AGO], [99])
    assert merge.ready() is None
    merge.hear(1, [LONG_AGO], [100])
    assert released(merge) == ["e-0"]
    merge.hear(1, [LONG_AGO], [99])  # heard again, long after: it was quiet at 100, too
    merge.hear(0, [at(6)], [200])
    assert merge.ready() is None
    merge.hear(1, [LONG_AGO], [200])
    assert released(merge) == ["e-1"]
    assert merge.late == 0


def test_nothing_overtakes_an_earlier_event_that_is_still_held() -> None:
    merge = Merge(2)
    merge.hold(rows_of([numbered(0, 5)]), seen=300)
    merge.hold(rows_of([numbered(1, 9, "S1")]), seen=100)
    for source in (0, 1):
        merge.hear(source, [at(5)], [200])
    assert merge.ready() is None  # the second waits for nobody, but for the first
    merge.hear(0, [at(7)], [200])
    merge.hear(1, [at(7)], [200])
    assert released(merge) == ["e-0", "e-1"]


def test_a_source_that_merges_others_speaks_for_each_and_of_what_it_holds() -> None:
    inner = Merge(2)
    inner.hold(rows_of([numbered(0, 5)]), seen=100)
    inner.hear(0, [at(9)], [LONG_AGO])
    inner.hear(1, [at(3)], [50])
    assert inner.lanes() == ([at(9), at(3), at(5)], [LONG_AGO, 50, LONG_AGO])
    outer = Merge(1, lanes=3)
    outer.hold(rows_of([numbered(1, 2), numbered(2, 4), numbered(3, 6)]), seen=50)
    outer.hear(0, *inner.lanes())
    assert released(outer) == ["e-1", "e-2"]  # the third comes behind what is held there
    inner.hear(1, [at(3)], [100])
    assert released(inner) == ["e-0"]
    outer.hear(0, *inner.lanes())
    assert released(outer) == ["e-3"]


def test_a_source_that_began_anew_is_waited_for_again() -> None:
    merge = Merge(1)
    merge.hear(0, [at(9)], [500])
    merge.forget(0)
    merge.hold(rows_of([numbered(0, 5)]), seen=100)
    assert merge.ready() is None
