"""Workers come, go, freeze and die while others carry on, on a real Apache Kafka."""

import os
import random
import signal
import time

import pytest

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
from tests.streams.kafka.cluster import KafkaCluster
from tests.streams.lives import Lives

SESSION_S = 6.0
KILLS = 8

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    """Small batches and frequent checkpoints, so that much can happen in between."""
    return kafka_settings.model_copy(
        update={
            "partitions": 8,
            "batch_events": 60,
            "checkpoint_interval_ms": 100,
            "session_timeout_ms": int(1000 * SESSION_S),
        }
    )


def recovered(lives: Lives, pid: int, times: int = 1) -> None:
    """Wait until a worker has had some partition's state here."""
    lives.until_said(pid, "is here after", times)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_however_many_workers_share_the_load_the_alerts_are_those_of_a_replay(
    lives: Lives, settings: Settings, trained: Trained, expected: set[bytes], workers: int
) -> None:
    make_topics(settings)
    pids = [lives.start(as_values(settings)) for _ in range(workers)]
    for pid in pids:
        recovered(lives, pid)
    events = put(settings, trained.tape)
    wait_for(settings, events, expected)
    for pid in pids:
        code, seconds = lives.end(pid)
        assert (code, seconds < 10.0) == (0, True), lives.said()[-3000:]
    assert set(alerts_on(settings)) == expected


def test_workers_join_and_leave_under_load(
    lives: Lives, settings: Settings, trained: Trained, expected: set[bytes]
) -> None:
    make_topics(settings)
    events = put(settings, trained.tape)
    pids = [lives.start(as_values(settings))]
    recovered(lives, pids[0])
    for _ in range(3):
        pids.append(lives.start(as_values(settings)))
        recovered(lives, pids[-1])
        leaving = pids.pop(0)
        assert lives.end(leaving)[0] == 0, lives.said()[-3000:]
    wait_for(settings, events, expected)
    lives.end(pids.pop())
    assert set(alerts_on(settings)) == expected


def test_workers_that_are_killed_are_replaced_and_nobody_can_tell(
    lives: Lives, settings: Settings, trained: Trained, expected: set[bytes]
) -> None:
    draw = random.Random(2)
    make_topics(settings)
    events = put(settings, trained.tape)
    steady = lives.start(as_values(settings))
    recovered(lives, steady)
    for _ in range(KILLS):
        pid = lives.start(as_values(settings), dies_at=draw.randint(1, 150))
        assert lives.wait(pid) == -signal.SIGKILL
    wait_for(settings, events, expected)
    assert lives.end(steady)[0] == 0
    assert set(alerts_on(settings)) == expected


def test_a_worker_that_froze_and_comes_back_spoils_nothing(
    lives: Lives, settings: Settings, trained: Trained, expected: set[bytes]
) -> None:
    make_topics(settings)
    events = put(settings, trained.tape)
    frozen = lives.start(as_values(settings))
    recovered(lives, frozen, times=3)
    os.kill(frozen, signal.SIGSTOP)
    other = lives.start(as_values(settings))
    recovered(lives, other, times=17)
    os.kill(frozen, signal.SIGCONT)
    wait_for(settings, events, expected)
    for pid in (frozen, other):
        lives.end(pid)
    assert set(alerts_on(settings)) == expected
    drain(lives, settings)  # what neither had saved when it was told to end
    before = saved_state(settings, trained.model)
    drain(lives, settings)
    assert_same(saved_state(settings, trained.model), before)
    assert set(alerts_on(settings)) == expected


def drain(lives: Lives, settings: Settings) -> None:
    """Let one more worker read what is left, and save all of it."""
    last = lives.start(as_values(settings))
    recovered(lives, last, times=17)
    assert lives.end(last)[0] == 0


@pytest.mark.parametrize(("way", "away_s"), [("stop", 3 * SESSION_S), ("kill", 60.0)])
def test_a_broker_may_go_away_and_come_back(
    lives: Lives,
    own_cluster: KafkaCluster,
    settings: Settings,
    trained: Trained,
    expected: set[bytes],
    way: str,
    away_s: float,
) -> None:
    make_topics(settings)
    events = put(settings, trained.tape)
    pid = lives.start(as_values(settings))
    recovered(lives, pid, times=17)
    getattr(own_cluster, way)()
    time.sleep(away_s)  # what is waited for is the time itself
    own_cluster.start()
    wait_for(settings, events, expected)
    assert lives.end(pid)[0] == 0, lives.said()[-3000:]
    assert set(alerts_on(settings)) == expected


def test_a_broker_that_goes_away_in_the_midst_of_a_recovery_is_waited_for(
    lives: Lives,
    own_cluster: KafkaCluster,
    settings: Settings,
    trained: Trained,
    expected: set[bytes],
) -> None:
    make_topics(settings)
    events = put(settings, trained.tape)
    pid = lives.start(as_values(settings), rests_before="Changelog.read")
    lives.until_said(pid, "rests before")
    own_cluster.kill()
    os.kill(pid, signal.SIGCONT)
    lives.until_said(pid, "a state waits for the brokers")
    own_cluster.start()
    wait_for(settings, events, expected)
    assert lives.end(pid)[0] == 0, lives.said()[-3000:]
    assert set(alerts_on(settings)) == expected
