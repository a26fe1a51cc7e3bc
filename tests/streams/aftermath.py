"""What is left when workers have lived and died: their alerts, commits and states."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from aiokafka import TopicPartition
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from models.alerts.stage import AlertStage
from models.market.stage import MarketStage
from models.score.model import Model
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.tapes.produce import produce
from streams.topics import changelog_specs, ensure_topics, topic_specs, worker_group
from streams.worker.changelog import Changelog
from streams.worker.checkpoints import Identity, find, layout_of
from streams.worker.stages import AlertPartition, KeyPartition, MarketPartition
from streams.worker.warmup import Stages
from tests.patience import PATIENCE_S, wait_until
from tests.streams.conftest import values_on

if TYPE_CHECKING:
    from streams.worker.partitions import Partition


State = dict[str, dict[str, Any]]  # by stage and partition: records by name, and the values


def make_topics(
    settings: Settings, limits: dict[str, str] | None = None, *, replication: int = 1
) -> None:
    """Make all topics of a worker, and its changelogs."""
    specs = topic_specs(settings.topics, settings.partitions)
    specs += changelog_specs(worker_group(settings.app_id), settings.partitions)
    client = kafka_security(settings)
    servers = settings.bootstrap_servers()
    ensure_topics(servers, specs, replication=replication, limits=limits, client=client)


def put(settings: Settings, tape: Path) -> int:
    """Put a tape on the topic of orders; gives the number of its events."""
    asyncio.run(produce([tape], settings.bootstrap_servers(), settings.orders_topic))
    return len(tape.read_bytes().splitlines())


def committed(settings: Settings) -> int:
    """Count the events that the group has committed; 0 while its coordinator is not there."""
    group = worker_group(settings.app_id)
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers())
    try:
        offsets = admin.list_group_offsets(group).get(group, {})
    except KafkaError:
        return 0
    finally:
        admin.close()
    topic = settings.orders_topic
    return sum(max(found.offset, 0) for tp, found in offsets.items() if tp.topic == topic)


def alerts_on(settings: Settings) -> list[bytes]:
    """Give all alerts, each as often as it was written."""
    return values_on(settings, settings.alerts_topic)


def wait_for(settings: Settings, events: int, alerts: set[bytes]) -> None:
    """Wait until so many events are committed and all of these alerts are there."""
    wait_until(
        lambda: committed(settings) >= events and alerts <= set(alerts_on(settings)),
        lambda: (committed(settings), events),
        seconds=2 * PATIENCE_S,
    )


def saved_state(settings: Settings, model: Model) -> State:
    """Read what all partitions of all stages have saved last, without what counts records."""
    n = settings.partitions
    blank: dict[str, Partition] = {
        "market": MarketPartition(0, n, MarketStage()),
        "keys": KeyPartition(0, n, Stages(model).key(0)),
        "alerts": AlertPartition(n, n, AlertStage(model)),
    }
    found: State = {}
    specs = changelog_specs(worker_group(settings.app_id), n)
    for (kind, partition), spec in zip(blank.items(), specs, strict=True):
        snapshot = partition.snapshot()
        identity = Identity(model.id, n, kind, layout_of(snapshot.records))
        for number in range(spec.partitions):
            contents = asyncio.run(_contents(settings, TopicPartition(spec.name, number)))
            state = find(contents, identity, snapshot)
            assert state is not None
            _, _, values, _ = msgspec.msgpack.decode(state.values)
            found[f"{kind} {number}"] = {**state.records, "values": values}
    return found


async def _contents(settings: Settings, tp: TopicPartition) -> dict[bytes, bytes]:
    contents, _ = await Changelog(settings.bootstrap_servers(), {}).read(tp)
    return contents


def assert_same(one: State, other: State) -> None:
    """Compare states byte by byte."""
    assert one.keys() == other.keys()
    for name, state in one.items():
        for part, records in state.items():
            np.testing.assert_array_equal(records, other[name][part], err_msg=f"{name} {part}")
