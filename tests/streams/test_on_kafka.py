"""The whole chain on a cluster such as users have: Apache Kafka, or what ROGUEKEY_BROKERS names."""

import json
import os
import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from streams.kafka.children import Command
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.topics import worker_group
from tests.streams.aftermath import make_topics
from tests.streams.conftest import Trained, as_values, run_command, values_on, variables

pytestmark = pytest.mark.kafka

PATIENT_MS = 2000  # on a busy machine a partition may rest for long


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    """Settings of this test's own, the topics made."""
    changes = {"idle_heartbeat_ms": PATIENT_MS, "http_port": 0}
    patient = Settings.model_validate(as_values(kafka_settings) | changes)
    make_topics(patient)
    return patient


@pytest.fixture
def expected(replayed: list[bytes]) -> Counter[bytes]:
    return Counter(replayed)


def worker(settings: Settings, trained: Trained, log: Path) -> Command:
    arguments = ["worker", "--model", str(trained.model_dir)]
    return Command(arguments, variables(as_values(settings)), log)


def produce(settings: Settings, tape: Path) -> None:
    done = run_command("produce", "--input", str(tape), values=as_values(settings))
    assert done.returncode == 0, done.stderr


def alerts_of(settings: Settings, count: int, *running: Command) -> Counter[bytes]:
    """Wait for so many alerts."""
    found: list[bytes] = []
    while len(found) < count:
        assert all(each.exit_code is None for each in running), running[0].last_words()
        found = values_on(settings, settings.alerts_topic)
    return Counter(found)


def wait_for_members(settings: Settings, count: int, *running: Command) -> None:
    """Wait until the group has so many members, and is at rest."""
    group = worker_group(settings.app_id)
    admin = KafkaAdminClient(
        bootstrap_servers=settings.bootstrap_servers(), **kafka_security(settings)
    )
    try:
        while True:
            assert all(each.exit_code is None for each in running), running[0].last_words()
            found = admin.describe_groups([group])[group]
            if (found["group_state"], len(found["members"])) == ("Stable", count):
                return
            time.sleep(0.2)  # between two questions
    finally:
        admin.close()


def test_a_worker_alerts_what_a_replay_of_the_file_and_of_the_topic_does(
    settings: Settings, trained: Trained, expected: Counter[bytes], tmp_path: Path
) -> None:
    produce(settings, trained.tape)
    with worker(settings, trained, tmp_path / "log") as running:
        assert alerts_of(settings, expected.total(), running) == expected
    out, model = tmp_path / "again.jsonl", ["--model", str(trained.model_dir)]
    arguments = ["replay", "--from-topic", settings.orders_topic, "--alerts", str(out), *model]
    replayed = run_command(*arguments, values=as_values(settings))
    assert replayed.returncode == 0, replayed.stderr
    assert Counter(out.read_bytes().splitlines()) == expected
    doctor = run_command("doctor", *model, "--json", values=as_values(settings))
    assert doctor.returncode == 0, doctor.stdout
    assert json.loads(doctor.stdout)["ok"]


def test_two_workers_share_the_load_and_alert_the_same(
    settings: Settings, trained: Trained, expected: Counter[bytes], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        pair = [
            stack.enter_context(worker(settings, trained, tmp_path / f"log{number}"))
            for number in range(2)
        ]
        wait_for_members(settings, 2, *pair)
        produce(settings, trained.tape)
        assert alerts_of(settings, expected.total(), *pair) == expected


def test_a_killed_worker_is_evicted_and_the_next_one_alerts_in_its_place(
    settings: Settings, trained: Trained, expected: Counter[bytes], tmp_path: Path
) -> None:
    with worker(settings, trained, tmp_path / "killed") as first:
        wait_for_members(settings, 1, first)
        os.kill(first.pid, signal.SIGKILL)
    produce(settings, trained.tape)
    with worker(settings, trained, tmp_path / "next") as second:
        assert alerts_of(settings, expected.total(), second) == expected
        wait_for_members(settings, 1, second)
