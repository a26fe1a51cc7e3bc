from datetime import timedelta

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.kafka.broker import TOPIC_LIMITS, EmbeddedBroker
from streams.settings import Settings
from streams.topics import (
    TopicError,
    TopicSpec,
    changelog_spec,
    ensure_topics,
    every_spec,
    hook_group,
    topic_specs,
    worker_group,
)


def test_every_named_topic_has_one_specification() -> None:
    names = Settings(orders_topic="exchange.orders").topics
    specified = [spec.name for spec in topic_specs(names)]
    assert sorted(specified) == sorted(getattr(names, field) for field in names.__slots__)


def test_what_workers_share_has_the_asked_partitions() -> None:
    names = Settings().topics
    partitions = {spec.name: spec.partitions for spec in topic_specs(names, 12)}
    assert partitions[names.orders] == partitions[names.keys] == 12
    assert partitions[names.alerts] == 1


def test_audit_and_alerts_are_kept_for_ever() -> None:
    names = Settings().topics
    config = {spec.name: spec.config for spec in topic_specs(names)}
    assert config[names.freezes]["retention.ms"] == config[names.alerts]["retention.ms"] == "-1"


def test_a_changelog_is_compacted_and_without_a_time_limit() -> None:
    spec = changelog_spec("roguekey.worker", "rows", 4)
    assert spec.name == "roguekey.worker-rows-changelog"
    assert spec.config["cleanup.policy"] == "compact"
    assert "retention.ms" not in spec.config


def test_every_topic_of_an_app_has_one_specification_and_changelogs_fit_their_stages() -> None:
    topics = Settings().topics
    specs = {spec.name: spec for spec in every_spec(topics, "desk", 12)}
    assert (
        len(specs)
        == len(every_spec(Settings().topics, "desk", 12))
        == len(Settings().topic_names()) + 4
    )
    assert specs["desk.worker-market-changelog"].partitions == 12
    assert specs["desk.worker-keys-changelog"].partitions == 12
    assert specs["desk.worker-alerts-changelog"].partitions == 1
    assert specs["desk.dead.replayed"].cleanup == "compact"


def test_groups_bear_the_name_of_the_app() -> None:
    assert worker_group("desk-1") == "desk-1.worker"
    assert hook_group("desk-1") == "desk-1.freeze-hook"


def test_missing_topics_are_made_once(broker: EmbeddedBroker) -> None:
    specs = topic_specs(Settings().topics, 3)
    created = ensure_topics([broker.address], specs, limits=TOPIC_LIMITS)
    assert created == sorted(spec.name for spec in specs)
    assert ensure_topics([broker.address], specs) == []
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    described = {t["name"]: len(t["partitions"]) for t in admin.describe_topics(created)}
    admin.close()
    assert described == {spec.name: spec.partitions for spec in specs}


def test_limits_override_what_a_topic_asks_for(broker: EmbeddedBroker) -> None:
    spec = TopicSpec("orders", 1, "", "", retention=timedelta(days=7))
    ensure_topics([broker.address], [spec], limits={"retention.ms": "1000"})
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "orders")])
    admin.close()
    assert "1000" in str(found)


def test_another_number_of_partitions_is_an_error_and_makes_nothing(
    broker: EmbeddedBroker,
) -> None:
    ensure_topics([broker.address], [TopicSpec("orders", 2, "", "")])
    with pytest.raises(TopicError, match=r"topic orders has 2 partitions; must have 3"):
        ensure_topics(
            [broker.address], [TopicSpec("alerts", 1, "", ""), TopicSpec("orders", 3, "", "")]
        )
    assert ensure_topics([broker.address], [TopicSpec("alerts", 1, "", "")]) == ["alerts"]
