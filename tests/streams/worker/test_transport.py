import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import faust
import pytest
from faust.streams import Stream
from faust.types import TP, EventT, StreamT

from streams.kafka.broker import EmbeddedBroker
from streams.topics import TopicSpec, changelog_spec, ensure_topics
from streams.worker.runs import Run
from streams.worker.runtime import build_app
from streams.worker.transport import Consumer, RawSchema, coalesced_topic, rest
from tests.patience import PATIENCE_S
from tests.streams.conftest import Committed, Produce, Running

# Reads with late acks; checkpoints the count of each partition, with the offset up to which it
# counts, every few runs; is killed without warning after a while.
CHECKPOINTING = """
import os, signal, sys
from faust.types import TP
from streams.worker.runtime import build_app, run_worker
from streams.worker.transport import coalesced_topic

app = build_app([sys.argv[1]], commit_seconds=0.05)
rows = app.Table("rows", partitions=4, key_type=bytes, value_type=bytes)
topic = coalesced_topic(app, "orders", max_records=50)
deadly = int(sys.argv[2])

@app.agent(topic)
async def count(stream):
    waiting, totals, seen, read = {}, {}, {}, 0
    async for event in stream.noack().events():
        partition, run = event.message.partition, event.value
        for each in range(4) if not totals else ():  # nothing more may come of one that was done
            totals[each] = [int(x) for x in (rows.get(b"%d" % each) or b"0 0").split()]
            seen[each] = await app.consumer.committed(TP("orders", each)) or 0
        total, end = totals[partition]
        fresh = run.offsets >= end
        totals[partition] = [total + int(fresh.sum()), max(end, run.end)]
        waiting.setdefault(partition, []).append(event)
        seen[partition] = run.end  # in this life: what came again must be acked again, too
        read += 1
        if read == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(waiting[partition]) == 3 or totals[partition][0] == 1000:
            rows[b"%d" % partition] = b"%d %d" % tuple(totals[partition])
            await app.producer.flush()
            for done in waiting.pop(partition):
                await stream.ack(done)
        if sum(seen.values()) == 4000:
            print(sorted(totals.items()), flush=True)
            os.kill(os.getpid(), signal.SIGTERM)

sys.exit(run_worker(app))
"""


def values(partition: int, count: int) -> list[bytes]:
    return [b"%d:%d" % (partition, number) for number in range(count)]


class Collector:
    """Gathers runs by partition until all are there; acks them only when it is told to."""

    def __init__(self, app: faust.App, expected: int, *, max_records: int = 100) -> None:
        self.runs: defaultdict[int, list[Run]] = defaultdict(list)
        self.events: defaultdict[int, list[EventT[Any]]] = defaultdict(list)
        self.complete = asyncio.Event()
        self.expected = expected
        app.agent(coalesced_topic(app, "orders", max_records=max_records))(self.collect)

    async def collect(self, stream: StreamT[Any]) -> None:
        assert isinstance(stream, Stream)
        self.stream = stream
        async for event in stream.noack().events():
            self.runs[event.message.partition].append(event.value)
            self.events[event.message.partition].append(event)
            if sum(len(run) for runs in self.runs.values() for run in runs) >= self.expected:
                self.complete.set()

    async def ack_all(self) -> None:
        await self.complete.wait()
        for event in [event for events in self.events.values() for event in events]:
            await self.stream.ack(event)

    def read(self, partition: int) -> tuple[list[bytes], list[int]]:
        runs = self.runs[partition]
        return (
            [value for run in runs for value in run.values],
            [offset for run in runs for offset in run.offsets.tolist()],
        )


def test_a_partition_at_rest_is_left_alone_and_then_read_on_without_a_loss(
    broker: EmbeddedBroker, orders: str, produce: Produce, running: Running
) -> None:
    app = build_app([broker.address], commit_seconds=0.05)
    collector = Collector(app, expected=2000, max_records=10)
    resting: set[TP] = set()
    rest(app, lambda: resting)

    async def until_read(partition: int, count: int) -> None:
        while len(collector.read(partition)[0]) < count:
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        async with running(app):
            produce(orders, 0, values(0, 500))
            produce(orders, 1, values(1, 500))
            await until_read(0, 500)
            await until_read(1, 500)
            resting.add(TP(orders, 0))
            produce(orders, 1, [b"1:500"])
            await until_read(1, 501)  # by a fetch that may still have asked for both
            produce(orders, 0, [b"0:%d" % n for n in range(500, 1000)])
            produce(orders, 1, [b"1:%d" % n for n in range(501, 1000)])
            await until_read(1, 1000)
            assert len(collector.read(0)[0]) == 500
            resting.clear()
            await collector.complete.wait()

    asyncio.run(scenario())
    assert collector.read(0) == (values(0, 1000), list(range(1000)))


def test_only_a_coalesced_broker_can_coalesce() -> None:
    app = faust.App("other", broker="kafka://127.0.0.1:9092", autodiscover=False)
    with pytest.raises(TypeError, match=r"must be coalesced://"):
        coalesced_topic(app, "orders")


def test_a_run_of_nothing_is_refused() -> None:
    app = build_app(["127.0.0.1:9092"])
    with pytest.raises(ValueError, match="max_records of topic orders is 0; must be > 0"):
        coalesced_topic(app, "orders", max_records=0)


def test_everything_arrives_once_in_order_in_bounded_runs_and_is_committed(
    broker: EmbeddedBroker, orders: str, produce: Produce, committed: Committed, running: Running
) -> None:
    for partition in range(3):  # the fourth stays empty
        produce(orders, partition, values(partition, 1000 + partition))

    async def scenario() -> Collector:
        app = build_app([broker.address])
        collector = Collector(app, 3003, max_records=256)
        async with running(app):
            await collector.ack_all()
            await app.commit({orders})
        return collector

    collector = asyncio.run(scenario())
    for partition in range(3):
        read, offsets = collector.read(partition)
        assert read == values(partition, 1000 + partition)
        assert offsets == list(range(1000 + partition))
        assert max(len(run) for run in collector.runs[partition]) <= 256
        assert len(collector.runs[partition]) < 20
    assert committed() == {0: 1000, 1: 1001, 2: 1002}


def test_the_commit_is_the_end_of_the_longest_finished_prefix(
    broker: EmbeddedBroker, orders: str, produce: Produce, committed: Committed, running: Running
) -> None:
    produce(orders, 1, values(1, 500))
    seen: list[dict[int, int]] = []

    async def scenario() -> list[Run]:
        app = build_app([broker.address], commit_seconds=60)
        collector = Collector(app, 500)
        async with running(app):
            await collector.complete.wait()
            events = collector.events[1]
            for finished in (2, 0, 1, 4):
                await collector.stream.ack(events[finished])
                await app.commit({orders})
                seen.append(await asyncio.to_thread(committed))
        return collector.runs[1]

    runs = asyncio.run(scenario())
    assert seen == [{}, {1: runs[0].end}, {1: runs[2].end}, {1: runs[2].end}]
    assert committed() == {1: runs[2].end}


def test_stopping_commits_what_was_acked_and_the_next_worker_reads_on_from_there(
    broker: EmbeddedBroker, orders: str, produce: Produce, committed: Committed, running: Running
) -> None:
    produce(orders, 0, values(0, 300))

    async def first() -> int:
        app = build_app([broker.address], commit_seconds=60)
        collector = Collector(app, 300)
        async with running(app):
            await collector.complete.wait()
            await collector.stream.ack(collector.events[0][0])
        return collector.runs[0][0].end

    async def second(expected: int) -> Collector:
        app = build_app([broker.address])
        collector = Collector(app, expected)
        async with running(app):
            await collector.complete.wait()
        return collector

    end = asyncio.run(first())
    assert committed() == {0: end}
    broker.restart()
    again = asyncio.run(second(300 - end))
    assert again.read(0) == (values(0, 300)[end:], list(range(end, 300)))


def test_stopping_commits_also_what_was_acked_while_a_commit_was_under_way(
    broker: EmbeddedBroker,
    orders: str,
    produce: Produce,
    committed: Committed,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A worker stopped in the midst of a periodic commit left the last acks out: its partition's
    # offset stayed at 900 of 1,000.
    produce(orders, 0, values(0, 300))

    async def scenario() -> int:
        app = build_app([broker.address], commit_seconds=60)
        collector = Collector(app, 300)
        under_way, stopping = asyncio.Event(), asyncio.Event()
        async with running(app):
            await collector.complete.wait()
            consumer = app.consumer
            assert isinstance(consumer, Consumer)
            commit, finish = consumer._commit, consumer.commit_and_end_transactions

            async def held_up(offsets: Mapping[TP, int]) -> bool:
                under_way.set()
                await stopping.wait()
                return await commit(offsets)

            async def told() -> None:
                stopping.set()
                await finish()

            monkeypatch.setattr(consumer, "_commit", held_up)
            monkeypatch.setattr(consumer, "commit_and_end_transactions", told)
            events = collector.events[0]
            await collector.stream.ack(events[0])
            earlier = asyncio.ensure_future(app.commit({orders}))
            await under_way.wait()
            for event in events[1:]:
                await collector.stream.ack(event)
        await earlier
        return len(events)

    assert asyncio.run(scenario()) > 1
    assert committed() == {0: 300}


def test_holes_in_the_offsets_neither_lose_nor_hold_up_anything(
    broker: EmbeddedBroker, orders: str, produce: Produce, committed: Committed, running: Running
) -> None:
    produce(orders, 0, values(0, 60), commit_every=20)  # each transaction ends in a hole

    async def scenario() -> Collector:
        app = build_app([broker.address])
        collector = Collector(app, 60, max_records=7)
        async with running(app):
            await collector.ack_all()
        return collector

    read, offsets = asyncio.run(scenario()).read(0)
    assert read == values(0, 60)
    assert offsets == [*range(20), *range(21, 41), *range(42, 62)]
    assert committed() == {0: 62}


def test_what_was_finished_when_the_app_stops_is_committed_though_faust_seeks(
    broker: EmbeddedBroker, orders: str, produce: Produce, committed: Committed, running: Running
) -> None:
    produce(orders, 0, values(0, 60))

    async def scenario() -> None:
        app = build_app([broker.address], commit_seconds=3600.0)
        collector = Collector(app, 60, max_records=7)
        async with running(app):
            await collector.ack_all()
            app.consumer.stop_flow()
            stopping = asyncio.create_task(app.stop())
            await asyncio.sleep(0)  # until it has begun
            await app.consumer.perform_seek()  # as for a fetch that comes back while flow has ended
            await stopping

    asyncio.run(scenario())
    assert committed() == {0: 60}


def test_a_record_larger_than_a_fetch_arrives_with_its_neighbours(
    broker: EmbeddedBroker, orders: str, produce: Produce, running: Running
) -> None:
    sent = [b"small", b"x" * 900_000, b"small too"]
    produce(orders, 2, sent)

    async def scenario() -> list[bytes]:
        app = build_app([broker.address], consumer_max_fetch_size=65536)
        collector = Collector(app, 3)
        async with running(app):
            await collector.complete.wait()
        return collector.read(2)[0]

    assert asyncio.run(scenario()) == sent


def test_other_topics_of_the_same_app_come_record_by_record(
    broker: EmbeddedBroker, orders: str, produce: Produce, running: Running
) -> None:
    ensure_topics([broker.address], [TopicSpec("notes", 1, "", "")])
    produce("notes", 0, [b"a", b"b", b"c"])
    produce(orders, 0, values(0, 10))

    async def scenario() -> list[bytes]:
        app = build_app([broker.address])
        collector, notes, complete = Collector(app, 10), [], asyncio.Event()

        @app.agent(app.topic("notes", schema=RawSchema()))
        async def gather(stream: StreamT[bytes]) -> None:
            async for note in stream:
                notes.append(note)
                if len(notes) == 3:
                    complete.set()

        async with running(app):
            await collector.complete.wait()
            await complete.wait()
        return notes

    assert asyncio.run(scenario()) == [b"a", b"b", b"c"]


@pytest.mark.slow
def test_a_worker_killed_between_checkpoints_counts_every_event_once(
    broker: EmbeddedBroker, orders: str, produce: Produce, committed: Committed
) -> None:
    ensure_topics([broker.address], [changelog_spec("roguekey.worker", "rows", 4)])
    for partition in range(4):
        produce(orders, partition, values(partition, 1000))

    def work(deadly: int) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-c", CHECKPOINTING, broker.address, str(deadly)]
        done = subprocess.run(  # noqa: S603 - our own script
            arguments, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        broker.restart()
        return done

    assert work(deadly=41).returncode == -9
    assert 0 < sum(committed().values()) < 4000
    last = work(deadly=0)
    assert last.returncode == 0, last.stderr
    assert last.stdout.strip() == str([(p, [1000, 1000]) for p in range(4)])
    assert committed() == dict.fromkeys(range(4), 1000)


def test_a_message_that_finds_room_is_handed_over_before_other_work_has_its_turn() -> None:
    async def hand_over() -> None:
        consumer = build_app(["127.0.0.1:1"]).consumer
        assert isinstance(consumer, Consumer)
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        other = asyncio.ensure_future(asyncio.sleep(0))
        suspended = asyncio.Event()
        await consumer.wait_first(queue.put("first"), suspended.wait())
        assert queue.full()
        assert not other.done()
        waiting = asyncio.ensure_future(consumer.wait_first(queue.put("second"), suspended.wait()))
        await other
        assert not waiting.done()
        assert await queue.get() == "first"
        await asyncio.wait_for(waiting, PATIENCE_S)
        assert await queue.get() == "second"

    asyncio.run(hand_over())


def test_a_suspension_takes_back_a_message_that_found_no_room() -> None:
    async def hand_over() -> None:
        consumer = build_app(["127.0.0.1:1"]).consumer
        assert isinstance(consumer, Consumer)
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        queue.put_nowait("first")
        suspended = asyncio.Event()
        waiting = asyncio.ensure_future(consumer.wait_first(queue.put("second"), suspended.wait()))
        suspended.set()
        await asyncio.wait_for(waiting, PATIENCE_S)
        assert await queue.get() == "first"
        assert queue.empty()

    asyncio.run(hand_over())
