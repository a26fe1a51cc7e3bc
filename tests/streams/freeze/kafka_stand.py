"""What tests need around the freeze hook on a broker."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from kafka import KafkaProducer

from streams.exchange.mock import MockExchange, MockServer
from streams.freeze.actions import Entry, decode_entry
from streams.kafka.clients import reading
from streams.settings import Settings
from tests.streams.freeze.stand import SECRET


def put(broker: str, values: Iterable[bytes], topic: str = "alerts") -> None:
    producer = KafkaProducer(bootstrap_servers=broker)
    for value in values:
        producer.send(topic, value, partition=0)
    producer.flush()
    producer.close()


def audit(broker: str, topic: str = "freeze.actions") -> list[bytes]:
    """All that lies on the audit topic."""
    return asyncio.run(_audit(broker, TopicPartition(topic, 0)))


async def _audit(broker: str, place: TopicPartition) -> list[bytes]:
    values: list[bytes] = []
    async with reading([broker], {"auto_offset_reset": "earliest"}) as reader:
        reader.assign([place])
        end = (await reader.end_offsets([place]))[place]
        while await reader.position(place) < end:
            found = await reader.getmany(place, timeout_ms=100)
            values += [record.value for record in found.get(place, ())]
    return values


def entries(broker: str) -> list[Entry]:
    return [decode_entry(value) for value in audit(broker)]


@contextmanager
def exchange(state: Path | None = None) -> Iterator[tuple[MockExchange, str]]:
    """A mock exchange behind HTTP, and its address."""
    mock = MockExchange(SECRET, state)
    with MockServer(mock) as server:
        yield mock, server.url
    mock.close()


def settings_for(broker: str, url: str, folder: Path, **policy: Any) -> Settings:
    """Settings of a hook whose policy is written into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text(SECRET)
    lines = [f"{name} = {toml(value)}\n" for name, value in policy.items()]
    (folder / "freeze.toml").write_text("".join(lines))
    return Settings(
        brokers=broker,
        freeze_policy=str(folder / "freeze.toml"),
        freeze_folder=folder / "hook",
        exchange_url=url,
        exchange_secret_file=str(folder / "secret"),
    )


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(part)}" for name, part in value.items()) + "}"
    return json.dumps(value)
