"""A worker is killed again and again: nothing is lost, nothing is told twice.

The embedded broker serves one worker and never evicts a dead one, so it is restarted after each.
"""

import random
import signal
from pathlib import Path

import pytest

from streams.kafka.broker import TOPIC_LIMITS, EmbeddedBroker
from streams.settings import Settings
from tests.streams.aftermath import (
    alerts_on,
    assert_same,
    make_topics,
    put,
    saved_state,
    wait_for,
)
from tests.streams.conftest import Trained, as_values
from tests.streams.lives import Lives

PARTITIONS = 4
KILLS = 24

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def settings_for(broker: EmbeddedBroker) -> Settings:
    """Small batches and frequent checkpoints, so that much can happen in between."""
    return Settings(
        brokers=broker.address,
        partitions=PARTITIONS,
        batch_events=60,
        checkpoint_interval_ms=60,
    )


def prepared(broker: EmbeddedBroker, trained: Trained) -> tuple[Settings, int]:
    """Put the tape on the topic; gives settings for workers, and the number of events."""
    settings = settings_for(broker)
    make_topics(settings, dict(TOPIC_LIMITS))
    return settings, put(settings, trained.tape)


def live_to_the_end(
    lives: Lives, broker: EmbeddedBroker, settings: Settings, events: int, alerts: set[bytes]
) -> None:
    """Let one more worker do what is left, and stop it."""
    pid = lives.start(as_values(settings))
    lives.until_said(pid, "is here after", times=2 * PARTITIONS + 1)
    wait_for(settings, events, alerts)
    code, seconds = lives.end(pid)
    assert (code, seconds < 10.0) == (0, True), lives.said()[-3000:]
    broker.restart()


def test_killed_at_any_moment_a_worker_alerts_and_remembers_as_if_nothing_had_happened(
    lives: Lives, trained: Trained, expected: set[bytes], tmp_path: Path
) -> None:
    with EmbeddedBroker(tmp_path / "undisturbed") as broker:
        settings, events = prepared(broker, trained)
        live_to_the_end(lives, broker, settings, events, expected)
        assert sorted(alerts_on(settings)) == sorted(expected)
        undisturbed = saved_state(settings, trained.model)
    draw = random.Random(1)
    with EmbeddedBroker(tmp_path / "killed") as broker:
        settings, events = prepared(broker, trained)
        for kill in range(KILLS):
            dies_at = draw.randint(1, 60) if kill % 3 == 0 else draw.randint(50, 150)
            pid = lives.start(as_values(settings), dies_at=dies_at)
            assert lives.wait(pid) == -signal.SIGKILL
            broker.restart()
        live_to_the_end(lives, broker, settings, events, expected)
        assert sorted(alerts_on(settings)) == sorted(expected)
        assert_same(saved_state(settings, trained.model), undisturbed)
