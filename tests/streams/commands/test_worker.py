import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from kafka import KafkaAdminClient, KafkaProducer

from streams.commands.worker import command
from streams.kafka.broker import EmbeddedBroker
from tests.patience import PATIENCE_S
from tests.streams.conftest import Trained, everything_on, put_on_topic

PROGRAM = "from streams.cli import main; main()"


def start(*arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this interpreter, and arguments that stand in this file
        [sys.executable, "-c", PROGRAM, "worker", *arguments],
        env={name: value for name, value in os.environ.items() if "ROGUEKEY" not in name},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def topics_on(address: str) -> set[str]:
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        return {topic["name"] for topic in admin.describe_topics()}
    finally:
        admin.close()


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out + err
    assert "Traceback" not in err


def test_it_reads_what_is_there_and_ends_when_it_is_told(
    trained: Trained, broker: EmbeddedBroker
) -> None:
    put_on_topic(broker, trained.tape, 4)
    process = start("--brokers", broker.address, "--model", str(trained.model_dir))
    while not everything_on(broker.address, "alerts"):
        assert process.poll() is None, process.communicate()
    stop(process)


def test_without_brokers_it_runs_one_and_says_where(trained: Trained) -> None:
    process = start("--model", str(trained.model_dir))
    assert process.stdout is not None
    said = re.fullmatch(r"embedded broker at (127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert said is not None
    while "orders.dead" not in topics_on(said[1]):
        assert process.poll() is None, process.communicate()
    producer = KafkaProducer(bootstrap_servers=said[1])
    producer.send("orders", b"bad").get(timeout=PATIENCE_S)
    producer.close()
    while not everything_on(said[1], "orders.dead"):
        assert process.poll() is None, process.communicate()
    stop(process)


@pytest.mark.slow
def test_told_to_end_before_it_reads_it_ends_as_cleanly(trained: Trained) -> None:
    process = start("--model", str(trained.model_dir))
    assert process.stdout is not None
    assert process.stdout.readline().startswith("embedded broker at ")
    stop(process)


def test_a_model_that_does_not_fit_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--model", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: model: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    ["embedded broker at", "App]: Starting...", "ConsumerThread]: Starting...", "is here after"],
)
def test_told_to_end_at_any_moment_of_its_start_it_ends_in_time(
    trained: Trained, moment: str
) -> None:
    process = start("--model", str(trained.model_dir), stderr=subprocess.STDOUT)
    assert process.stdout is not None
    assert any(moment in line for line in process.stdout)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "Traceback" in out) == (0, False), out
    assert time.monotonic() - began < 10.0
