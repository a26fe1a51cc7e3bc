"""Consumer groups as the brokers know them: how far each is behind, and who is in it."""

from collections.abc import Iterable
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from streams.dashboard.alert_views import Json
from streams.kafka.clients import connect
from streams.settings import Settings
from streams.topics import hook_group, worker_group

CONNECT_MS: Final = 2000


def groups_of(settings: Settings) -> dict[str, str]:
    """Give the groups by what reads in them; only workers join theirs, the others just commit."""
    return {"worker": worker_group(settings.app_id), "freeze-hook": hook_group(settings.app_id)}


def ask_groups(settings: Settings, client: dict[str, Any]) -> dict[str, Json]:
    """Ask the brokers about each group; `KafkaError` where nobody answers."""
    common = {
        "bootstrap_servers": settings.bootstrap_servers(),
        "bootstrap_timeout_ms": CONNECT_MS,
        "request_timeout_ms": CONNECT_MS,
        **client,
    }
    groups = groups_of(settings)
    admin = connect(KafkaAdminClient, **common)
    try:
        found = {name: admin.list_group_offsets(group)[group] for name, group in groups.items()}
        described = admin.describe_groups([groups["worker"]])
    finally:
        admin.close()
    offsets = {
        name: {at: one.offset for at, one in committed.items() if one.offset >= 0}
        for name, committed in found.items()
    }
    consumer = connect(KafkaConsumer, **common, group_id=None)
    try:
        ends = _ends(consumer, {at for committed in offsets.values() for at in committed})
    finally:
        consumer.close()
    told: dict[str, Json] = {
        name: {"topics": _behind(committed, ends)} for name, committed in offsets.items()
    }
    told["worker"]["members"] = len(described[groups["worker"]]["members"])
    return told


def _ends(consumer: Any, places: Iterable[Any]) -> dict[Any, int]:
    wanted = {at: TopicPartition(at.topic, at.partition) for at in places}
    if not wanted:
        return {}
    ends = consumer.end_offsets(list(wanted.values()), timeout_ms=CONNECT_MS)
    return {at: ends[place] for at, place in wanted.items()}


def _behind(committed: dict[Any, int], ends: dict[Any, int]) -> list[Json]:
    """Sum over the partitions of each topic how many records are not done yet."""
    by_topic: dict[str, int] = {}
    for at, offset in committed.items():
        by_topic[at.topic] = by_topic.get(at.topic, 0) + max(0, ends[at] - offset)
    return [{"topic": topic, "behind": lag} for topic, lag in sorted(by_topic.items())]
