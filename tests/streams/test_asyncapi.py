from pathlib import Path
from typing import Any

import msgspec
import yaml

from models.alerts.envelope import Envelope
from models.orders.decode import _Order
from streams.asyncapi import ALERT, ORDER, as_yaml, document
from streams.settings import Settings
from streams.topics import every_spec

WRITTEN = Path(__file__).parents[2] / "deploy" / "asyncapi.yaml"


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [value["$ref"]] if "$ref" in value else []
        return found + [each for part in value.values() for each in references(part)]
    return [each for part in value for each in references(part)] if isinstance(value, list) else []


def test_the_written_document_is_what_the_code_says() -> None:
    assert WRITTEN.read_text() == as_yaml(document()), "make asyncapi"


def test_it_reads_as_yaml_with_all_that_was_meant() -> None:
    assert yaml.safe_load(WRITTEN.read_text()) == document()


def test_every_topic_is_described_with_what_the_broker_is_told() -> None:
    channels = {channel["address"]: channel for channel in document()["channels"].values()}
    specs = every_spec(Settings().topics, "roguekey")
    assert channels.keys() == {spec.name for spec in specs}
    for spec in specs:
        bound = channels[spec.name]["bindings"]["kafka"]
        assert bound["partitions"] == spec.partitions
        told = bound["topicConfiguration"]
        assert told["cleanup.policy"] == [spec.config["cleanup.policy"]]
        assert str(told["retention.ms"]) == spec.config.get("retention.ms", "-1")
        assert str(told["max.message.bytes"]) == spec.config["max.message.bytes"]


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    for reference in references(whole):
        found = whole
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_an_order_event_is_described_as_it_is_read() -> None:
    required = [field for field in msgspec.structs.fields(_Order) if field.required]
    assert ORDER["required"] == [field.name for field in required]
    assert ORDER["properties"].keys() == set(_Order.__struct_fields__)


def test_an_alert_is_described_as_it_is_written() -> None:
    assert ALERT["required"] == list(ALERT["properties"]) == list(Envelope.__struct_fields__)
