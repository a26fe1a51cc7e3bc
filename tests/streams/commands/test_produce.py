import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kafka import KafkaConsumer, TopicPartition

from streams.commands.produce import command
from streams.kafka.broker import EmbeddedBroker
from tests.patience import PATIENCE_S


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jsonl"
    path.write_text("".join(f'{{"symbol":"S{number % 3}"}}\n' for number in range(999)) + "bad\n")
    return path


def test_a_missing_topic_is_made_and_the_events_are_counted(
    broker: EmbeddedBroker, tape: Path
) -> None:
    arguments = ["--input", str(tape), "--input", str(tape), "--brokers", broker.address, "--json"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["topic"], found["events"], found["unkeyed"]) == ("orders", 2000, 2)


def test_the_result_is_one_line_without_a_progress_bar_off_the_terminal(
    broker: EmbeddedBroker, tape: Path
) -> None:
    result = CliRunner().invoke(command, ["--input", str(tape), "--brokers", broker.address])
    assert result.exit_code == 0
    assert result.stdout.startswith("1,000 events on topic orders, 1 of them without a symbol in ")
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


def test_a_topic_that_does_not_fit_the_settings_is_refused(
    broker: EmbeddedBroker, tape: Path, orders: str
) -> None:
    arguments = ["--input", str(tape), "--brokers", broker.address, "--partitions", "3"]
    result = CliRunner().invoke(command, [*arguments, "--orders-topic", orders])
    assert result.exit_code == 1
    assert "topic orders has 4 partitions; must have 3" in result.stderr


def test_brokers_must_be_set(tape: Path) -> None:
    result = CliRunner().invoke(command, ["--input", str(tape)])
    assert result.exit_code == 2
    assert "brokers is not set" in result.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["--input", "absent.jsonl"], ["--input", ".", "--rate", "1"]]
)
def test_an_input_must_be_a_file(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "nan", "inf"])
def test_a_rate_must_be_above_0(tape: Path, rate: str) -> None:
    assert CliRunner().invoke(command, ["--input", str(tape), "--rate", rate]).exit_code == 2


def test_ctrl_c_ends_it_quietly_with_130(broker: EmbeddedBroker, orders: str, tape: Path) -> None:
    program = "from streams.cli import main; main()"
    arguments = ["produce", "--input", str(tape), "--rate", "1", "--brokers", broker.address]
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments that stand above
        [sys.executable, "-c", program, *arguments],
        env={name: value for name, value in os.environ.items() if "ROGUEKEY" not in name},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    consumer = KafkaConsumer(bootstrap_servers=broker.address)
    partitions = [TopicPartition(orders, partition) for partition in range(4)]
    while not any(consumer.end_offsets(partitions).values()):  # until it is in the midst of it
        assert process.poll() is None
    consumer.close()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err.strip()) == (130, b"", b"")
