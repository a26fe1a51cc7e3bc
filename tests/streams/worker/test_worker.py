import asyncio
import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faust.types import TP

from streams.kafka.broker import EmbeddedBroker
from streams.replay.replay import AlertFile, replay
from streams.settings import Settings
from streams.tapes.intake import Intake
from streams.worker.runtime import build_app
from streams.worker.warmup import Stages, warm_stages
from streams.worker.worker import Worker
from tests.streams.conftest import (
    Committed,
    Produce,
    Running,
    Trained,
    everything_on,
    put_on_topic,
)

FOUR = Settings(partitions=4)


async def records_on(broker: EmbeddedBroker, topic: str, count: int) -> list[ConsumerRecord]:
    """Wait for so many records of a topic of one partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest")
    await consumer.start()
    records: list[ConsumerRecord] = []
    try:
        consumer.assign([TopicPartition(topic, 0)])
        while len(records) < count:
            for found in (await consumer.getmany(timeout_ms=1000)).values():
                records += found
    finally:
        await consumer.stop()
    return records


async def until_committed(committed: Committed, events: int) -> None:
    while sum((await asyncio.to_thread(committed)).values()) < events:
        await asyncio.sleep(0.02)


def run_until(
    worker: Worker, running: Running, broker: EmbeddedBroker, topic: str, count: int
) -> list[ConsumerRecord]:
    async def scenario() -> list[ConsumerRecord]:
        async with running(worker.app):
            return await records_on(broker, topic, count)

    return asyncio.run(scenario())


@pytest.mark.parametrize("partitions", [1, 4])
def test_live_alerts_are_those_of_a_replay_byte_for_byte(
    trained: Trained,
    broker: EmbeddedBroker,
    running: Running,
    committed: Committed,
    replayed: list[bytes],
    partitions: int,
) -> None:
    put_on_topic(broker, trained.tape, partitions)
    events = len(trained.tape.read_bytes().splitlines())

    async def scenario() -> None:
        settings = Settings(partitions=partitions, batch_events=1000)
        worker = Worker(settings, [broker.address], Stages(trained.model))
        async with running(worker.app):
            await records_on(broker, "alerts", len(replayed))
            await until_committed(committed, events)

    asyncio.run(scenario())
    alerts = everything_on(broker.address, "alerts")
    assert Counter(alerts) == Counter(replayed)
    if partitions == 1:
        assert alerts == replayed
    assert sum(committed().values()) == events


def test_rows_go_on_when_all_that_was_fetched_is_read_without_a_last_resort(
    trained: Trained,
    broker: EmbeddedBroker,
    running: Running,
    replayed: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.worker.worker.GO_ON_AT_LAST_S", 1e9)
    put_on_topic(broker, trained.tape, 4)
    worker = Worker(FOUR, [broker.address], Stages(trained.model))
    alerts = run_until(worker, running, broker, "alerts", len(replayed))
    assert Counter(alert.value for alert in alerts) == Counter(replayed)


def test_partitions_that_are_ahead_rest_while_too_much_waits_for_others_and_nothing_changes(
    trained: Trained,
    broker: EmbeddedBroker,
    running: Running,
    committed: Committed,
    replayed: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.worker.worker.HELD_ROWS", 100)
    monkeypatch.setattr(
        "streams.worker.worker.build_app", partial(build_app, broker_max_poll_records=8)
    )
    put_on_topic(broker, trained.tape, 4)
    rested = set[TP]()

    async def scenario() -> None:
        settings = Settings(partitions=4, batch_events=50)
        worker = Worker(settings, [broker.address], Stages(trained.model))

        async def look() -> None:
            while True:
                rested.update(worker.places.resting)
                await asyncio.sleep(0.001)

        async with running(worker.app):
            looking = asyncio.create_task(look())
            await records_on(broker, "alerts", len(replayed))
            await until_committed(committed, len(trained.tape.read_bytes().splitlines()))
            looking.cancel()
            assert not worker.places.resting

    asyncio.run(scenario())
    assert rested
    assert Counter(everything_on(broker.address, "alerts")) == Counter(replayed)


def test_an_alert_says_beside_its_body_where_its_evidence_lies(
    trained: Trained, broker: EmbeddedBroker, running: Running
) -> None:
    put_on_topic(broker, trained.tape, 1)
    worker = Worker(Settings(partitions=1), [broker.address], Stages(trained.model))
    [first, *_] = run_until(worker, running, broker, "alerts", 1)
    body, headers = json.loads(first.value), dict(first.headers)
    assert first.key.decode() == body["subject"]
    assert headers["content-type"] == b"application/cloudevents+json"
    places = json.loads(headers["roguekey-places"])
    lines = trained.tape.read_bytes().splitlines()
    lying_there = [json.loads(lines[event["offset"]])["event_id"] for event in places["events"]]
    assert places["topic"] == "orders"
    assert lying_there == body["data"]["evidence"]["event_ids"]


def test_what_is_refused_becomes_a_dead_letter_byte_for_byte(
    trained: Trained,
    broker: EmbeddedBroker,
    produce: Produce,
    running: Running,
    committed: Committed,
) -> None:
    refused = [b"\xff{\n", b"", b'{"event_id":"1"}']
    put_on_topic(broker, trained.tape, 1)
    before = len(trained.tape.read_bytes().splitlines())
    produce("orders", 0, refused)
    worker = Worker(Settings(partitions=1), [broker.address], Stages(trained.model))
    letters = run_until(worker, running, broker, "orders.dead", 3)
    assert [letter.value for letter in letters] == refused
    headers = [dict(letter.headers) for letter in letters]
    assert [h["roguekey-offset"] for h in headers] == [b"%d" % (before + n) for n in range(3)]
    assert headers[2]["roguekey-field"] == b"ts"
    assert headers[2]["roguekey-reason"].startswith(b"ts is missing; must be whole milliseconds")
    assert (headers[0]["roguekey-topic"], headers[0]["roguekey-partition"]) == (b"orders", b"0")


@pytest.mark.slow
def test_the_next_worker_goes_on_behind_what_was_committed(
    trained: Trained,
    broker: EmbeddedBroker,
    produce: Produce,
    running: Running,
    committed: Committed,
    replayed: list[bytes],
) -> None:
    put_on_topic(broker, trained.tape, 4)
    events = len(trained.tape.read_bytes().splitlines())

    async def until_all_is_read(count: int) -> None:
        worker = Worker(FOUR, [broker.address], Stages(trained.model))
        async with running(worker.app):
            await until_committed(committed, count)
            await records_on(broker, "alerts", len(replayed))  # through the inner topics, too

    asyncio.run(until_all_is_read(events))
    alerts = everything_on(broker.address, "alerts")
    broker.restart()
    produce("orders", 2, [b"bad"])
    asyncio.run(until_all_is_read(events + 1))
    assert everything_on(broker.address, "alerts") == alerts
    assert everything_on(broker.address, "orders.dead") == [b"bad"]


def test_a_warmed_worker_is_a_warmed_replay(
    trained: Trained, broker: EmbeddedBroker, running: Running, tmp_path: Path
) -> None:
    lines = trained.tape.read_bytes().splitlines(keepends=True)
    history, tape = tmp_path / "history.jsonl", tmp_path / "tape.jsonl"
    history.write_bytes(b"".join(lines[: len(lines) // 2]))
    tape.write_bytes(b"".join(lines[len(lines) // 2 :]))
    with AlertFile(tmp_path / "alerts.jsonl") as alerts:
        replay([tape], trained.model, alerts, Intake(), warmup=[history])
    expected = (tmp_path / "alerts.jsonl").read_bytes().splitlines()
    assert expected
    put_on_topic(broker, tape, 4)
    stages = warm_stages(trained.model, [history], 4)
    run_until(Worker(FOUR, [broker.address], stages), running, broker, "alerts", len(expected))
    assert Counter(everything_on(broker.address, "alerts")) == Counter(expected)
