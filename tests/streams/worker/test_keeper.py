import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from aiokafka import TopicPartition
from faust.types import TP
from kafka import KafkaAdminClient

from models.score.model import Model
from streams.kafka.broker import TOPIC_LIMITS, EmbeddedBroker
from streams.settings import Settings
from streams.topics import TopicSpec, changelog_specs, ensure_topics, topic_specs, worker_group
from streams.worker.checkpoints import Message, StateError
from streams.worker.stages import KeyPartition
from streams.worker.warmup import Stages
from streams.worker.worker import Worker
from tests.factories import TS, encode, order
from tests.patience import PATIENCE_S
from tests.streams.conftest import Committed, Produce, Trained

SETTINGS = Settings(partitions=1, checkpoint_interval_ms=50)


@pytest.fixture
def topics(broker: EmbeddedBroker) -> EmbeddedBroker:
    specs = topic_specs(Settings().topics, 1) + changelog_specs(worker_group(SETTINGS.app_id), 1)
    ensure_topics([broker.address], specs, limits=TOPIC_LIMITS)
    return broker


async def until(worker: Worker, committed: Committed, offset: int) -> None:
    """Run a worker until it has committed so far, or has crashed."""
    async with asyncio.timeout(PATIENCE_S):
        await worker.app.start()
        try:
            while worker.app.crash_reason is None and (
                worker.counts()["events"] < offset
                or (await asyncio.to_thread(committed)).get(0, 0) < offset
            ):
                await asyncio.sleep(0.02)
        finally:
            await worker.app.stop()


async def wait_until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.01)


def live(
    broker: EmbeddedBroker, committed: Committed, model: Model, offset: int, **changes: object
) -> Worker:
    worker = Worker(SETTINGS.model_copy(update=changes), [broker.address], Stages(model))
    asyncio.run(until(worker, committed, offset))
    broker.restart()
    return worker


def test_a_state_outlives_its_worker_and_stays_with_its_model(
    topics: EmbeddedBroker, produce: Produce, committed: Committed, trained: Trained
) -> None:
    events = [encode(order(event_id=f"e{n}", ts=TS + n)) for n in range(9)]
    produce("orders", 0, events[:5])
    live(topics, committed, trained.model, 5)
    produce("orders", 0, [*events[:5], *events[5:]])  # the first of them once more
    second = live(topics, committed, trained.model, 14)
    assert second.counts()["duplicates"] == 5
    other = replace(trained.model, id="othermodel")
    refused = live(topics, committed, other, 15).app.crash_reason
    assert isinstance(refused, StateError)
    assert "the worker has othermodel: start it with --adopt-state true" in str(refused)
    adopting = live(topics, committed, other, 14, adopt_state=True)
    assert adopting.counts()["events"] == 14


def test_no_checkpoint_is_complete_before_what_came_of_it_lies_with_the_brokers(
    topics: EmbeddedBroker, produce: Produce, committed: Committed, trained: Trained
) -> None:
    """What comes of that which was heard ahead of a topic belongs to no run that was read."""
    worker = Worker(SETTINGS, [topics.address], Stages(trained.model))
    keys = TP(Settings().topics.keys, 0)

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await worker.app.start()
            try:
                await wait_until(lambda: keys in worker._keeper._owned and worker.is_recovered())
                owned = worker._keeper._owned[keys]
                promise = worker._keeper.owe(keys)
                produce("orders", 0, [encode(order())])
                await wait_until(lambda: owned.busy.locked() and not owned.owed)
                assert owned.partition is not None
                assert owned.saved < owned.partition.end
                promise.set_result([])
                await wait_until(lambda: owned.saved > 0)
            finally:
                await worker.app.stop()

    asyncio.run(scenario())
    assert committed() == {0: 1}


def test_a_state_that_begins_while_its_partition_is_taken_away_says_nothing(
    topics: EmbeddedBroker, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next owner may not have seen it, and begin another; listeners would hear of both."""
    worker = Worker(SETTINGS, [topics.address], Stages(trained.model))
    keeper, orders = worker._keeper, TP(Settings().topics.orders, 0)
    write = keeper._changelog.write

    async def revoked_meanwhile(log: TopicPartition, records: Sequence[Message]) -> int | None:
        await keeper._on_revoked(worker.app, {orders})
        return await write(log, records)

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S):
            with monkeypatch.context() as patch:
                patch.setattr(keeper._changelog, "write", revoked_meanwhile)
                await worker.app.start()
                await wait_until(lambda: orders in keeper._owned and keeper._owned[orders].is_gone)
            try:
                assert not keeper.recovered(orders.topic)
                await keeper._on_assigned(worker.app, set(keeper._owned))
                await wait_until(worker.is_recovered)
                assert keeper.recovered(orders.topic)
            finally:
                await worker.app.stop()

    asyncio.run(scenario())


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(
    topics: EmbeddedBroker, produce: Produce, committed: Committed, trained: Trained
) -> None:
    produce("orders", 0, [encode(order(event_id=f"e{n}", ts=TS + n)) for n in range(5)])
    live(topics, committed, trained.model, 5)
    make_anew(topics, topic_specs(Settings().topics, 1)[0])
    produce("orders", 0, [encode(order(event_id="f", ts=TS))])
    refused = live(topics, committed, trained.model, 6).app.crash_reason
    assert isinstance(refused, StateError)
    assert "orders[0] ends at offset 1, but the state" in str(refused)


def test_what_went_on_without_more_input_is_saved_before_it_is_committed(
    topics: EmbeddedBroker, produce: Produce, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker that starts again finds more committed than its state contains."""
    settings = SETTINGS.model_copy(update={"checkpoint_interval_ms": 3_600_000})
    worker = Worker(settings, [topics.address], Stages(trained.model))
    keeper, keys = worker._keeper, TP(Settings().topics.keys, 0)

    async def scenario() -> int:
        async with asyncio.timeout(PATIENCE_S):
            await worker.app.start()
            try:
                await wait_until(lambda: keys in keeper._owned and worker.is_recovered())
                owned = keeper._owned[keys]
                produce("orders", 0, [encode(order())])
                partition = owned.partition
                assert isinstance(partition, KeyPartition)
                await wait_until(lambda: partition.again_from > 0 and bool(owned.waiting))
                end = partition.end
                with monkeypatch.context() as patch:
                    patch.setattr(KeyPartition, "end", end)  # nothing more is read meanwhile
                    with monkeypatch.context() as held:  # as if a row of the first frame were
                        held.setattr(KeyPartition, "again_from", 0)
                        await keeper._checkpoint(owned)
                    assert owned.waiting
                    saved: list[int] = []
                    patch.setattr(keeper, "_on_checkpoint", saved.append)
                    await keeper._checkpoint(owned)
                    assert all(done.end > end for done in owned.waiting)
                    return len(saved)
            finally:
                await worker.app.stop()

    assert asyncio.run(scenario()) == 1


def make_anew(broker: EmbeddedBroker, spec: TopicSpec) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.delete_topics([spec.name])
    admin.close()
    ensure_topics([broker.address], [spec])


def test_a_state_that_ends_before_what_was_committed_is_refused(
    topics: EmbeddedBroker, produce: Produce, committed: Committed, trained: Trained
) -> None:
    produce("orders", 0, [encode(order(event_id=f"e{n}", ts=TS + n)) for n in range(5)])
    live(topics, committed, trained.model, 5)
    make_anew(topics, changelog_specs(worker_group(SETTINGS.app_id), 1)[0])
    refused = live(topics, committed, trained.model, 6).app.crash_reason
    assert isinstance(refused, StateError)
    assert "has read orders[0] up to offset 5, but the state in its changelog ends at 0" in str(
        refused
    )


def test_what_a_group_has_forgotten_to_have_read_is_not_skipped_with_what_came_later(
    topics: EmbeddedBroker, produce: Produce, committed: Committed, trained: Trained
) -> None:
    """Brokers forget the offsets of a group that was away for a week."""
    events = [encode(order(event_id=f"e{n}", ts=TS + n)) for n in range(9)]
    produce("orders", 0, events[:5])
    live(topics, committed, trained.model, 5)
    forget_orders(topics)
    produce("orders", 0, events[5:])
    refused = live(topics, committed, trained.model, 9, auto_offset_reset="latest").app.crash_reason
    assert isinstance(refused, StateError)
    assert "would begin orders[0] at its end, but the state in its changelog ends at 5" in str(
        refused
    )
    worker = live(topics, committed, trained.model, 9)
    assert (worker.counts()["events"], worker.counts()["duplicates"]) == (9, 0)


def forget_orders(broker: EmbeddedBroker) -> None:
    """Have the group forget what it has read of orders, and that alone: else any may be refused."""
    group = worker_group(SETTINGS.app_id)
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    read = admin.list_group_offsets(group)[group]
    admin.delete_groups([group])
    others = {tp: found for tp, found in read.items() if tp.topic != "orders" and found.offset >= 0}
    admin.alter_group_offsets(group, others)
    admin.close()
