"""Looks at what a worker needs, brokers, topics and model, and says what to do about what is wrong.

It changes nothing. A warning is what works but loses something; a failure keeps a worker from
running as it should.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from models.score.artifact import MANIFEST, ArtifactError, Manifest, load_artifact
from streams.kafka.access import greet
from streams.kafka.clients import connect
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.topics import MEBIBYTE, TopicSpec, described_topics, every_spec

CONNECT_MS: Final = 5000


class Outcome(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it."""

    subject: str
    outcome: Outcome
    finding: str
    advice: str = ""


def examine(settings: Settings) -> list[Check]:
    """Check brokers, topics and model against the settings."""
    return [*_brokers_and_topics(settings), _model(settings.model)]


def _brokers_and_topics(settings: Settings) -> list[Check]:
    if not settings.brokers:
        advice = "set --brokers or ROGUEKEY_BROKERS to host:port of a Kafka broker"
        return [Check("brokers", Outcome.FAILED, "not set", advice)]
    greetings = greet(settings)
    shut = [greeting for greeting in greetings if not greeting.welcome]
    open_to_us = [greeting.server for greeting in greetings if greeting.welcome]
    if not open_to_us:
        advice = "start the broker, or correct --brokers or ROGUEKEY_BROKERS"
        if not all(greeting.silent for greeting in shut):
            advice = "correct security_protocol, and what the broker is told with it"
        return [Check("brokers", Outcome.FAILED, ", ".join(map(str, shut)), advice)]
    try:
        admin = connect(
            KafkaAdminClient,
            bootstrap_servers=open_to_us,
            bootstrap_timeout_ms=CONNECT_MS,
            **kafka_security(settings),
        )
    except KafkaError as error:
        advice = "see that it is a Kafka broker, and that its advertised addresses lead there"
        return [Check("brokers", Outcome.FAILED, f"{settings.brokers}: {error}", advice)]
    try:
        names = settings.topics
        specs = every_spec(names, settings.app_id, settings.partitions)
        found = _topics(admin, [spec.name for spec in specs])
        checks = [_topic(spec, settings.replication_factor, found.get(spec.name)) for spec in specs]
    except KafkaError as error:
        advice = "see that the broker is healthy and lets this user describe topics"
        return [Check("brokers", Outcome.FAILED, f"{settings.brokers}: {error}", advice)]
    finally:
        admin.close()
    if shut:
        finding, advice = ", ".join(map(str, shut)), "start it, or take it out of the setting"
        return [Check("brokers", Outcome.WARNING, finding, advice), *checks]
    finding = f"{settings.brokers} answers, over {settings.security_protocol}"
    return [Check("brokers", Outcome.OK, finding), *checks]


@dataclass(frozen=True, slots=True)
class _Topic:
    partitions: int
    copies: int
    config: Mapping[str, Any]


def _topics(admin: KafkaAdminClient, names: list[str]) -> dict[str, _Topic]:
    described = described_topics(admin, names)
    if not described:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic["name"]) for topic in described]
    # All, and not only what was set for the topic: a broker's defaults count as well.
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        topic["name"]: _Topic(
            len(topic["partitions"]),
            min((len(partition["replica_nodes"]) for partition in topic["partitions"]), default=0),
            {option: entry["value"] for option, entry in configs.get(topic["name"], {}).items()},
        )
        for topic in described
    }


def _topic(spec: TopicSpec, copies: int, found: _Topic | None) -> Check:
    subject = f"topic {spec.name}"
    if found is None:
        policy = " ".join(f"{option}={value}" for option, value in spec.config.items())
        advice = f"the first worker makes it; or make it, {spec.partitions} partitions, {policy}"
        return Check(subject, Outcome.FAILED, "does not exist", advice)
    if found.partitions != spec.partitions:
        finding = f"has {found.partitions} partitions, must have {spec.partitions}"
        advice = "change the setting partitions, or move the data to a new topic"
        return Check(subject, Outcome.FAILED, finding, advice)
    wrong = _misconfigured(spec, found)
    if wrong is not None:
        return wrong
    if found.copies < copies:
        finding = f"has {found.copies} copies of a partition; replication_factor is {copies}"
        return Check(subject, Outcome.WARNING, finding, "reassign its partitions to more brokers")
    return Check(subject, Outcome.OK, f"{found.partitions} partitions, cleanup {spec.cleanup}")


def _misconfigured(spec: TopicSpec, found: _Topic) -> Check | None:
    subject = f"topic {spec.name}"
    if not found.config:
        finding = f"has {found.partitions} partitions; its configuration may not be read"
        return Check(subject, Outcome.WARNING, finding, "let this user describe its configuration")
    cleanup = found.config.get("cleanup.policy", spec.cleanup)
    if cleanup != spec.cleanup:
        finding = f"has cleanup.policy={cleanup}, must have {spec.cleanup}"
        return Check(subject, Outcome.FAILED, finding, f"set cleanup.policy={spec.cleanup} on it")
    most = int(found.config.get("max.message.bytes", spec.max_bytes))
    if most < spec.max_bytes and spec.max_bytes > MEBIBYTE:
        finding = f"has max.message.bytes={most}, must have {spec.max_bytes}"
        return Check(
            subject, Outcome.FAILED, finding, f"set max.message.bytes={spec.max_bytes} on it"
        )
    wanted = int(spec.config.get("retention.ms", -1))
    kept = int(found.config.get("retention.ms", wanted))
    if kept >= 0 and (wanted < 0 or kept < wanted) and spec.cleanup == "delete":
        finding = f"keeps records for {kept / 3_600_000:.0f} h only"
        return Check(subject, Outcome.WARNING, finding, f"set retention.ms={wanted} on it")
    return None


def _model(directory: Path) -> Check:
    try:
        # Its own features: whether they are the detector's is for the worker to say.
        features = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest).features
        _, manifest = load_artifact(directory, features=features)
    except OSError as error:
        finding = f"{error.filename}: {error.strerror}"
    except (ArtifactError, msgspec.MsgspecError) as error:
        finding = f"{directory}: {error}"
    else:
        return Check("model", Outcome.OK, f"{directory} holds model {manifest.model_id}, whole")
    advice = f"train one: roguekey train --input orders.jsonl --model {directory}"
    return Check("model", Outcome.FAILED, finding, advice)
