import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from click.testing import CliRunner, Result
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.commands.dead import command, printable
from streams.dead.letters import Letter
from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings
from streams.topics import ensure_topics, topic_specs
from tests.factories import encode, order
from tests.patience import PATIENCE_S

WILD = b"\x1b[31m\xff\n"
GOOD = encode(order(api_key="abcdefghijklmnop"))
BAD_SIDE = encode(order(api_key="abcdefghijklmnop", side="up"))


def letter(value: bytes, offset: int, field: str = "") -> Letter:
    reason = f"{field} is odd; must be even" if field else "the event must be one JSON object"
    return Letter(value, reason, field, "orders", 2, offset)


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


class Desk:
    """Topics of a test's own with some letters on them, and the command."""

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.orders, self.dead = f"{name}.orders", f"{name}.dead"
        specs = topic_specs(Settings(orders_topic=self.orders, dead_topic=self.dead).topics, 4)
        ensure_topics([address], [spec for spec in specs if spec.name in {self.orders, self.dead}])
        self._flags = ["--brokers", address, "--dead-topic", self.dead]
        self._replay_flags = ["--orders-topic", self.orders, "--app-id", name]

    def put(self, letters: Sequence[Letter]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.address)
        for each in letters:
            headers = list(each.headers()) if each.topic else []
            producer.send(self.dead, each.value, headers=headers).get(timeout=PATIENCE_S)
        producer.close()

    def run(self, name: str, *arguments: str) -> Result:
        flags = self._flags + (self._replay_flags if name == "replay" else [])
        return CliRunner().invoke(command, [name, *flags, *arguments])

    def json(self, name: str, *arguments: str) -> dict[str, Any]:
        result = self.run(name, "--json", *arguments)
        assert result.exit_code == 0, result.output
        shown: dict[str, Any] = json.loads(result.stdout)
        return shown

    def on_orders(self) -> list[ConsumerRecord]:
        consumer = KafkaConsumer(
            bootstrap_servers=self.address, group_id=None, auto_offset_reset="earliest"
        )
        places = [TopicPartition(self.orders, number) for number in range(4)]
        consumer.assign(places)
        missing = sum(consumer.end_offsets(places).values())
        found: list[ConsumerRecord] = []
        while len(found) < missing:
            found += [r for records in consumer.poll(timeout_ms=500).values() for r in records]
        consumer.close()
        return found


@pytest.fixture
def desk(shared: EmbeddedBroker) -> Desk:
    return Desk(shared.address, f"t{secrets.token_hex(4)}")


def test_the_list_shows_the_newest_with_keys_masked(desk: Desk) -> None:
    desk.put([letter(WILD, 7), letter(BAD_SIDE, 8, "side"), letter(GOOD, 9, "ts")])
    listed = desk.json("list", "--limit", "2")
    assert (listed["matching"], listed["all"]) == (3, 3)
    first, second = listed["letters"]
    assert (first["offset"], first["topic"], first["partition"], first["source_offset"]) == (
        *(1, "orders", 2, 8),
    )
    assert (first["field"], first["reason"]) == ("side", "side is odd; must be even")
    assert (second["offset"], second["api_key"], second["bytes"]) == (2, "abcd…mnop", len(GOOD))
    text = desk.run("list").stdout
    assert "abcd…mnop" in text
    assert "abcdefgh" not in text
    assert "3 of 3 dead letters" in text


def test_the_list_can_be_limited_to_a_reason(desk: Desk) -> None:
    desk.put([letter(WILD, 7), letter(BAD_SIDE, 8, "side"), letter(GOOD, 9, "ts")])
    listed = desk.json("list", "--reason", "JSON Object")
    assert [found["offset"] for found in listed["letters"]] == [0]
    assert "1 of 1 dead letters that match, 3 in all" in desk.run("list", "--reason", "SIDE").stdout


def test_one_letter_is_shown_safely_or_byte_for_byte(desk: Desk) -> None:
    desk.put([letter(WILD, 7), letter(BAD_SIDE, 8, "side")])
    shown = desk.run("show", "0").stdout
    assert "\\x1b[31m\\xff\\n" in shown
    assert printable(shown.replace("\n", "").encode()) == shown.replace("\n", "")
    assert desk.run("show", "0", "--raw").stdout_bytes == WILD
    masked = desk.json("show", "1")
    assert "abcdefgh" not in masked["event"]
    assert json.loads(masked["event"])["side"] == "up"
    assert desk.run("show", "1", "--raw").stdout_bytes == BAD_SIDE


def test_a_letter_that_is_not_there_is_one_line(desk: Desk) -> None:
    desk.put([letter(WILD, 7)])
    result = desk.run("show", "5")
    assert result.exit_code == 1
    assert result.stderr == f"Error: no letter at offset 5: topic {desk.dead} holds 0 to 0\n"


def test_nothing_goes_back_without_yes(desk: Desk) -> None:
    desk.put([letter(GOOD, 7)])
    result = desk.run("replay", "--all")
    assert result.stdout == (
        f"1 dead letter would go back to topic {desk.orders}: nothing is done without --yes\n"
    )
    assert desk.on_orders() == []


def test_events_go_back_unchanged_to_their_partition_each_once(desk: Desk) -> None:
    own = [Letter(GOOD, "r", "ts", desk.orders, 3, 7), Letter(WILD, "r", "", desk.orders, 1, 2)]
    desk.put([*own, own[0], Letter(GOOD, "", "", "", -1, -1)])  # the first twice, one from nowhere
    done = desk.json("replay", "--all", "--yes")
    assert (done["meant"], done["sent"], done["before"], done["done"]) == (4, 3, 1, True)
    assert (done["refused_again"], "JSON" in done["why"]) == (1, True)
    back = {record.partition: record for record in desk.on_orders()}
    assert (back[3].value, back[3].key) == (GOOD, b"AXSUSDT")
    assert (back[1].value, back[1].key) == (WILD, None)
    assert dict(back[1].headers) == {"roguekey-replayed-from": f"{desk.dead}:0:1".encode()}
    assert desk.run("replay", "--all", "--yes").stdout == (
        f"0 dead letters put back on topic {desk.orders}; 4 had been put back before (--again)\n"
    )
    assert len(desk.on_orders()) == 3
    assert desk.json("replay", "0", "--again", "--yes")["sent"] == 1
    assert len(desk.on_orders()) == 4


def test_offsets_and_a_reason_choose_what_goes_back(desk: Desk) -> None:
    desk.put([letter(GOOD, 7, "ts"), letter(WILD, 8), letter(BAD_SIDE, 9, "side")])
    assert desk.json("replay", "0", "2")["sent"] == 2
    assert desk.json("replay", "0", "2", "--reason", "side")["sent"] == 1
    assert desk.json("replay", "99")["meant"] == 0


def test_what_would_be_refused_again_is_told_before(desk: Desk) -> None:
    desk.put([letter(BAD_SIDE, 9, "side")])
    result = desk.run("replay", "--all")
    assert result.stderr.startswith(
        'warning: 1 of 1 would be refused again, as: side is "up"; must be buy or sell'
    )


@pytest.mark.parametrize("arguments", [[], ["3", "--all"], ["--reason", "x", "--all"]])
def test_a_replay_of_nothing_or_of_two_things_is_wrong_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, ["replay", "--brokers", "127.0.0.1:1", *arguments])
    assert result.exit_code == 2
    assert "give OFFSETS or --reason, or else --all" in result.stderr


def test_without_brokers_it_is_wrong_configuration() -> None:
    result = CliRunner().invoke(command, ["list"])
    assert result.exit_code == 2
    assert "brokers is not set" in result.stderr


def test_a_topic_that_does_not_exist_is_one_line(shared: EmbeddedBroker) -> None:
    flags = ["list", "--brokers", shared.address, "--dead-topic", "no.such"]
    result = CliRunner().invoke(command, flags)
    assert (result.exit_code, result.stderr) == (1, "Error: topic no.such does not exist\n")
