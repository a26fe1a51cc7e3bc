"""The worker as a process of its own: its health, its metrics, and when it gives up by itself."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from streams.kafka.broker import EmbeddedBroker, free_port
from streams.replay.replay import AlertFile, replay
from streams.tapes.intake import Intake
from streams.worker.runtime import EXIT_FAILED
from tests.patience import PATIENCE_S
from tests.streams.conftest import Produce, Trained, everything_on, put_on_topic

PROGRAM = "from streams.cli import main; main()"
GARBAGE = [b"garbage %d" % number for number in range(400)]


@contextmanager
def worker(
    broker: EmbeddedBroker, trained: Trained, *flags: str
) -> Iterator[subprocess.Popen[str]]:
    fixed = ["--brokers", broker.address, "--model", str(trained.model_dir)]
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments that stand here
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM, "worker", *fixed, *flags],
        env={name: value for name, value in os.environ.items() if "ROGUEKEY" not in name},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    except subprocess.TimeoutExpired as error:
        process.send_signal(signal.SIGABRT)  # on which it says where its threads stand
        error.add_note(process.communicate(timeout=PATIENCE_S)[1])
        raise
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def metrics_of(client: httpx.Client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    return {
        name: float(value) for name, value in (li.rsplit(" ", 1) for li in lines if "#" not in li)
    }


def told_by(metrics: dict[str, float]) -> float:
    """Alerts that a worker counted."""
    return sum(n for name, n in metrics.items() if name.startswith("roguekey_alerts_total"))


@pytest.mark.slow
def test_it_becomes_ready_and_counts_what_it_reads(
    trained: Trained, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    with AlertFile(tmp_path / "alerts.jsonl") as file:
        replay([trained.tape], trained.model, file, Intake())
    alerts = len((tmp_path / "alerts.jsonl").read_bytes().splitlines())
    put_on_topic(broker, trained.tape, 4)
    events = len(trained.tape.read_bytes().splitlines())
    port = free_port()
    with (
        worker(broker, trained, "--http-port", str(port)) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == f"health and metrics at http://127.0.0.1:{port}\n"
        while (ready := client.get("/ready")).status_code != 200:
            assert re.match(r"not (assigned|recovered)|brokers not", ready.json()["reason"])
            time.sleep(0.05)
        while (seen := metrics_of(client))["roguekey_events_total"] < events:
            assert process.poll() is None
        lags = {name: lag for name, lag in seen.items() if name.startswith("roguekey_consumer_lag")}
        assert len(lags) == 9  # of orders and keys four each, and suspects
        while sum(metrics_of(client)[name] for name in lags) > 0:
            assert process.poll() is None
        # Lags are as old as the last look at the brokers: alerts may be still to come.
        while told_by(seen) < alerts or seen["roguekey_checkpoints_total"] == 0:
            assert process.poll() is None
            seen = metrics_of(client)
    assert seen["roguekey_events_total"] == events
    assert seen["roguekey_checkpoint_bytes_total"] >= seen["roguekey_checkpoint_last_bytes"] > 0
    assert seen['roguekey_state_rows{table="keys.keys"}'] > 0
    assert seen['roguekey_stage_seconds_count{stage="orders"}'] >= 4
    assert told_by(seen) == len(everything_on(broker.address, "alerts")) == alerts > 0
    assert not any("api_key" in name for name in seen)


@pytest.mark.slow
def test_a_producer_of_garbage_stops_it_before_the_topic_is_drained(
    trained: Trained, broker: EmbeddedBroker, produce: Produce
) -> None:
    put_on_topic(broker, trained.tape, 1)
    produce("orders", 0, GARBAGE)
    with worker(broker, trained, "--partitions", "1", "--dead-letter-window", "200") as process:
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == EXIT_FAILED
    assert re.search(
        r"TooManyRefusedError: orders\[0\]: 101 of the last 200 events were refused, more than "
        r"dead_letter_ratio 0\.5 allows; 101 of them as: the event must be one JSON object",
        said,
    )
    assert len(everything_on(broker.address, "orders.dead")) < len(GARBAGE)
    broker.restart()
    with worker(broker, trained, "--partitions", "1", "--dead-letter-ratio", "1") as process:
        while set(everything_on(broker.address, "orders.dead")) != set(GARBAGE):
            assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_a_second_worker_that_is_given_the_same_port_is_refused_in_one_line(
    trained: Trained, broker: EmbeddedBroker
) -> None:
    port = free_port()
    flags = ["--http-port", str(port)]
    with worker(broker, trained, *flags) as first:
        assert first.stdout is not None
        assert first.stdout.readline().startswith("health and metrics at")
        with worker(broker, trained, *flags) as second:
            _, said = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert said == (
        f"roguekey: error: http_port is {port}; must be free on 127.0.0.1, or 0 for none: "
        "somebody else has it\n"
    )
