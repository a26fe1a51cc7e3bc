"""The topics as data: names, partitions, retention, key, and what each carries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError, TopicAuthorizationFailedError

from streams.kafka.clients import connect
from streams.settings import DEFAULT_PARTITIONS, TopicNames

MEBIBYTE: Final = 1 << 20
FRAME_BYTES: Final = 8 * MEBIBYTE  # most that one frame or state row may take
UNKNOWN_TOPIC: Final = 3  # Kafka's error code


class TopicError(ValueError):
    """A topic of the broker does not fit its specification."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic: `retention` None keeps for ever, `key` says what partitions it."""

    name: str
    partitions: int
    key: str
    carries: str
    cleanup: Literal["delete", "compact"] = "delete"
    retention: timedelta | None = None
    max_bytes: int = MEBIBYTE

    @property
    def config(self) -> dict[str, str]:
        """Topic configuration as the broker takes it."""
        config = {"cleanup.policy": str(self.cleanup), "max.message.bytes": str(self.max_bytes)}
        if self.cleanup == "delete":
            kept = -1 if self.retention is None else int(self.retention.total_seconds() * 1000)
            config["retention.ms"] = str(kept)
        return config


def topic_specs(names: TopicNames, partitions: int = DEFAULT_PARTITIONS) -> list[TopicSpec]:
    """Specifications of all named topics; `partitions` bounds how many workers share the load."""
    week, day = timedelta(days=7), timedelta(days=1)
    return [
        TopicSpec(names.orders, partitions, "symbol", "order events, JSON", retention=week),
        TopicSpec(names.alerts, 1, "subject of the alert", "alerts, CloudEvents 1.0 in JSON"),
        TopicSpec(names.dispositions, 1, "alert id", "what analysts decided: labels for tuning"),
        TopicSpec(names.freezes, 1, "API key", "audit of freezes, refusals, approvals, unfreezes"),
        TopicSpec(names.requests, 1, "none", "approvals and other requests to the freeze hook"),
        TopicSpec(names.lifecycle, 1, "API key", "inactive-key notices, confirmations, removals"),
        TopicSpec(
            names.dead,
            1,
            "none",
            "order events that could not be read, unchanged, the reason in the headers",
            retention=timedelta(days=30),
            max_bytes=FRAME_BYTES,  # with the reason, a letter is larger than its event
        ),
        TopicSpec(
            names.keys,
            partitions,
            "API key; partition set by the sender",
            "columnar frames from the market stage to the key stage",
            retention=day,
            max_bytes=FRAME_BYTES,
        ),
        TopicSpec(
            names.suspects,
            1,
            "none",
            "columnar frames from the key stage to the alert stage",
            retention=day,
            max_bytes=FRAME_BYTES,
        ),
        TopicSpec(names.triage, 1, "alert id", "who has an alert, and what is put off"),
    ]


def changelog_spec(group: str, table: str, partitions: int) -> TopicSpec:
    """Specification of the changelog of one table, which nobody else creates."""
    name = f"{group}-{table}-changelog"
    return TopicSpec(
        name,
        partitions,
        "header, or part of a checkpoint",
        f"checkpoints of the {table} stage",
        cleanup="compact",
        max_bytes=FRAME_BYTES,
    )


def changelog_specs(group: str, partitions: int) -> list[TopicSpec]:
    """Specifications of the changelogs of the three stages of a group of workers."""
    sizes = {"market": partitions, "keys": partitions, "alerts": 1}
    return [changelog_spec(group, table, count) for table, count in sizes.items()]


def worker_group(app_id: str) -> str:
    """Consumer group of the workers."""
    return f"{app_id}.worker"


def hook_group(app_id: str) -> str:
    """Consumer group of the freeze hook."""
    return f"{app_id}.freeze-hook"


def put_back_spec(app_id: str) -> TopicSpec:
    """Specification of the topic that remembers which dead letters were put back."""
    return TopicSpec(
        f"{app_id}.dead.replayed",
        1,
        "topic:partition:offset of the event",
        "which dead letters were put back on the orders topic",
        cleanup="compact",
    )


def every_spec(
    names: TopicNames, app_id: str, partitions: int = DEFAULT_PARTITIONS
) -> list[TopicSpec]:
    """Specifications of all topics, also of those whose names follow from `app_id`."""
    own = [*changelog_specs(worker_group(app_id), partitions), put_back_spec(app_id)]
    return [*topic_specs(names, partitions), *own]


def ensure_topics(
    brokers: list[str],
    specs: Iterable[TopicSpec],
    *,
    replication: int = 1,
    limits: Mapping[str, str] | None = None,
    client: Mapping[str, Any] | None = None,
) -> list[str]:
    """Create the topics that are missing and give their names; `TopicError` on a misfit.

    `brokers` are `host:port` each,
    `limits` overrides retention and segment configuration (`streams.kafka.broker.TOPIC_LIMITS`),
    `client` holds further settings of the Kafka client, such as credentials.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = connect(KafkaAdminClient, bootstrap_servers=brokers, **(client or {}))
    try:
        _check_partitions(admin, wanted)
        missing = sorted(set(wanted) - _partitions(admin, wanted).keys())
        for name in missing:
            _create(admin, wanted[name], replication, limits or {})
        _check_partitions(admin, wanted)
    finally:
        admin.close()
    return missing


def described_topics(admin: KafkaAdminClient, names: Iterable[str]) -> list[dict[str, Any]]:
    """Describe those of the topics that exist, as the broker does.

    Raises
    ------
    KafkaError
        If the broker does not say; it hides topics that this user may not see.
    """
    found = []
    for topic in admin.describe_topics(list(names)):
        if topic["error_code"] == UNKNOWN_TOPIC:
            continue
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise TopicAuthorizationFailedError(f"this user may not see topic {topic['name']}")
        found.append(topic)
    return found


def _partitions(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    topics = described_topics(admin, names)
    return {topic["name"]: len(topic["partitions"]) for topic in topics}


def _check_partitions(admin: KafkaAdminClient, wanted: Mapping[str, TopicSpec]) -> None:
    for name, partitions in _partitions(admin, wanted).items():
        if partitions != wanted[name].partitions:
            raise TopicError(
                f"topic {name} has {partitions} partitions; must have {wanted[name].partitions}: "
                "change the setting, or move the data to a new topic"
            )


def _create(
    admin: KafkaAdminClient, spec: TopicSpec, replication: int, limits: Mapping[str, str]
) -> None:
    limited = {k: v for k, v in limits.items() if k != "retention.ms" or k in spec.config}
    topic = {
        "num_partitions": spec.partitions,
        "replication_factor": replication,
        "configs": {**spec.config, **limited},
    }
    try:
        admin.create_topics({spec.name: topic})
    except TopicAlreadyExistsError:  # somebody else was quicker; the partitions are checked after
        return
