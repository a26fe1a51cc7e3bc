from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaAdminClient

from models.score.artifact import Manifest, save_artifact
from streams.doctor import Check, Outcome, examine
from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings
from streams.topics import FRAME_BYTES, ensure_topics, every_spec


def by_subject(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.subject: check for check in checks}


def settings_for(broker: EmbeddedBroker, model: Path, partitions: int = 2) -> Settings:
    return Settings(brokers=broker.address, model=model, partitions=partitions)


def make_topics(broker: EmbeddedBroker, limits: dict[str, str] | None = None) -> None:
    ensure_topics([broker.address], every_spec(Settings().topics, "roguekey", 2), limits=limits)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    manifest = Manifest(features=("size",), training_data_sha256="ab" * 32)
    save_artifact(directory, {"path": np.arange(3.0)}, manifest)
    return directory


def test_nothing_is_wrong_where_everything_is_there(broker: EmbeddedBroker, model: Path) -> None:
    make_topics(broker)
    checks = examine(settings_for(broker, model))
    assert {check.outcome for check in checks} == {Outcome.OK}
    assert len(checks) == 1 + len(every_spec(Settings().topics, "roguekey")) + 1


def test_brokers_that_are_not_set_fail_with_how_to_set_them(model: Path) -> None:
    unset = by_subject(examine(Settings(model=model)))["brokers"]
    assert (unset.outcome, unset.finding) == (Outcome.FAILED, "not set")
    assert "ROGUEKEY_BROKERS" in unset.advice


def test_brokers_that_do_not_answer_are_each_named(model: Path) -> None:
    settings = Settings(brokers="127.0.0.1:1,[::1]:1", model=model)
    check = by_subject(examine(settings))["brokers"]
    assert check.outcome is Outcome.FAILED
    assert check.finding.startswith("127.0.0.1:1: Connection refused, [::1]:1: ")


def test_one_silent_broker_of_several_is_a_warning(broker: EmbeddedBroker, model: Path) -> None:
    make_topics(broker)
    settings = Settings(brokers=f"127.0.0.1:1,{broker.address}", model=model, partitions=2)
    checks = by_subject(examine(settings))
    assert checks["brokers"].outcome is Outcome.WARNING
    assert checks["brokers"].finding == "127.0.0.1:1: Connection refused"
    assert checks["topic orders"].outcome is Outcome.OK


def test_a_missing_topic_fails_with_how_to_make_it(broker: EmbeddedBroker, model: Path) -> None:
    check = by_subject(examine(settings_for(broker, model)))["topic orders"]
    assert (check.outcome, check.finding) == (Outcome.FAILED, "does not exist")
    wanted = ("2 partitions", "cleanup.policy=delete", "retention.ms=604800000")
    assert all(part in check.advice for part in wanted)


def test_a_wrong_number_of_partitions_fails(broker: EmbeddedBroker, model: Path) -> None:
    make_topics(broker)
    checks = by_subject(examine(settings_for(broker, model, partitions=3)))
    assert checks["topic orders"].finding == "has 2 partitions, must have 3"
    assert checks["topic orders"].outcome is Outcome.FAILED
    assert checks["topic alerts"].outcome is Outcome.OK


def test_a_topic_that_is_compacted_by_mistake_fails(broker: EmbeddedBroker, model: Path) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics({"alerts": {"num_partitions": 1, "configs": {"cleanup.policy": "compact"}}})
    admin.close()
    make_topics(broker)
    check = by_subject(examine(settings_for(broker, model)))["topic alerts"]
    assert check.outcome is Outcome.FAILED
    assert check.finding == "has cleanup.policy=compact, must have delete"


def make_by_hand(broker: EmbeddedBroker, name: str, partitions: int, **configs: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics({name: {"num_partitions": partitions, "configs": configs}})
    admin.close()


def test_a_changelog_that_is_not_compacted_fails(broker: EmbeddedBroker, model: Path) -> None:
    changelog = "roguekey.worker-keys-changelog"
    make_by_hand(broker, changelog, 2, **{"cleanup.policy": "delete"})
    make_topics(broker)
    check = by_subject(examine(settings_for(broker, model)))[f"topic {changelog}"]
    assert check.outcome is Outcome.FAILED
    assert check.finding == "has cleanup.policy=delete, must have compact"


def test_what_a_topic_has_of_its_brokers_counts_like_what_was_set_for_it(
    broker: EmbeddedBroker, model: Path
) -> None:
    changelog = "roguekey.worker-keys-changelog"
    for name, partitions in ((changelog, 2), ("alerts", 1), ("roguekey.keys", 2)):
        make_by_hand(broker, name, partitions)
    make_topics(broker)
    checks = by_subject(examine(settings_for(broker, model)))
    assert checks[f"topic {changelog}"].finding == "has cleanup.policy=delete, must have compact"
    assert checks["topic alerts"].finding == "keeps records for 168 h only"
    assert f"must have {FRAME_BYTES}" in checks["topic roguekey.keys"].finding


def test_an_internal_topic_with_too_little_room_for_a_frame_fails(
    broker: EmbeddedBroker, model: Path
) -> None:
    make_by_hand(broker, "roguekey.keys", 2, **{"max.message.bytes": "1048576"})
    make_topics(broker)
    check = by_subject(examine(settings_for(broker, model)))["topic roguekey.keys"]
    assert check.outcome is Outcome.FAILED
    assert check.finding == f"has max.message.bytes=1048576, must have {FRAME_BYTES}"


def test_records_that_are_kept_too_briefly_are_a_warning(
    broker: EmbeddedBroker, model: Path
) -> None:
    make_topics(broker, limits={"retention.ms": "3600000"})
    check = by_subject(examine(settings_for(broker, model)))["topic alerts"]
    assert (check.outcome, check.finding) == (Outcome.WARNING, "keeps records for 1 h only")
    assert check.advice == "set retention.ms=-1 on it"


def test_fewer_copies_than_the_setting_are_a_warning(broker: EmbeddedBroker, model: Path) -> None:
    make_topics(broker)
    settings = Settings(brokers=broker.address, model=model, partitions=2, replication_factor=3)
    check = by_subject(examine(settings))["topic orders"]
    assert check.outcome is Outcome.WARNING
    assert check.finding == "has 1 copies of a partition; replication_factor is 3"


def test_a_missing_model_fails_with_how_to_train_one(tmp_path: Path) -> None:
    check = by_subject(examine(Settings(model=tmp_path / "none")))["model"]
    assert check.outcome is Outcome.FAILED
    assert check.finding.endswith("none/manifest.json: No such file or directory")
    assert check.advice.startswith("train one: roguekey train --input")


def test_a_model_whose_parts_do_not_fit_together_fails(model: Path) -> None:
    np.savez(model / "arrays.npz", path=np.zeros(3))
    assert by_subject(examine(Settings(model=model)))["model"].outcome is Outcome.FAILED
    (model / "manifest.json").write_text("no JSON")
    assert by_subject(examine(Settings(model=model)))["model"].outcome is Outcome.FAILED
