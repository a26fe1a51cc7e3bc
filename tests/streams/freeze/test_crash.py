"""The real hook, killed at random moments, before a real mock exchange: minutes, so CI runs it."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from streams.demo.demo import as_environment
from streams.freeze.actions import GENESIS, Act, Outcome, sealed
from streams.freeze.requests import Ask, new_request
from streams.kafka.broker import EmbeddedBroker
from streams.kafka.children import Command
from streams.settings import Settings
from tests.patience import wait_until
from tests.streams.freeze.kafka_stand import entries, put, settings_for
from tests.streams.freeze.stand import SECRET, leak

pytestmark = pytest.mark.slow

KILLS = 25
ALERTS_A_LIFE = 6
ASKED_A_LIFE = 2  # freezes that people ask for
READY = "freeze hook in mode"


def is_ready(hook: Command) -> bool:
    assert hook.exit_code is None, hook.last_words()
    return READY in hook.log.read_text()


@contextmanager
def mock_exchange(folder: Path) -> Iterator[str]:
    """The mock exchange as a process of its own; gives its address."""
    (folder / "secret").write_text(SECRET)
    arguments = ["mock-exchange", "--secret-file", str(folder / "secret")]
    arguments += ["--state", str(folder / "exchange.sqlite")]
    command = Command(arguments, as_environment(Settings()), folder / "exchange.log")
    with command:
        wait_until(lambda: command.log.read_text().endswith("\n"))
        yield command.last_words()


def faults() -> list[dict[str, Any]]:
    """All that can go wrong with a call and still leave it open what became of it."""
    return [
        {"kind": "lost", "count": 2},
        {"kind": "slow", "delay_s": 0.05, "count": 8},
        {"kind": "status", "status": 503, "count": 1},
        {"kind": "drop", "count": 1},
        {"kind": "garbage", "count": 1},
    ]


def test_killed_at_any_moment_each_key_is_frozen_once_and_none_is_forgotten(tmp_path: Path) -> None:
    moments = random.Random(1)
    keys: list[str] = []
    with EmbeddedBroker() as broker, mock_exchange(tmp_path) as url:
        settings = settings_for(
            broker.address,
            url,
            tmp_path,
            mode="auto",
            budget={"per_minute": 9999, "per_hour": 9999, "per_day": 9999, "per_app_hour": 9999},
            breaker={"failures": 9999},
            calls={"retry_at_s": [0, 0.02, 0.05, 0.1, 0.2, 0.4], "again_every_s": 0.1},
        )
        environment = as_environment(settings)
        for life in range(KILLS):
            hook = Command(["freeze-hook"], environment, tmp_path / f"hook-{life}.log")
            with hook:
                if life:
                    wait_until(partial(is_ready, hook))
                    fresh = [f"key-{life}-{n}" for n in range(ALERTS_A_LIFE)]
                    stamp = time.time_ns() // 1_000_000
                    values = [leak(key=k, event_ts=stamp) for k in fresh]
                    numbered = zip(fresh, values, strict=True)
                    put(
                        broker.address,
                        [v.replace(b'"alert-1"', f'"alert of {k}"'.encode()) for k, v in numbered],
                    )
                    by_hand = [f"hand-{life}-{n}" for n in range(ASKED_A_LIFE)]
                    asked = [
                        new_request(Ask.FREEZE, who="eva", reason="because", subject=k)
                        for k in by_hand
                    ]
                    requests = [request.encode() for request in asked]
                    put(broker.address, requests, Settings().topics.requests)
                    keys += fresh + by_hand
                    httpx.post(f"{url}/mock/faults", json=faults(), trust_env=False)
                    time.sleep(moments.uniform(0, 0.25))
                else:
                    time.sleep(moments.uniform(0, 1.5))
                hook._process.send_signal(signal.SIGKILL)
        with Command(["freeze-hook", "--once"], environment, tmp_path / "last.log") as last:
            wait_until(lambda: last.exit_code is not None)
        assert last.exit_code == 0
        state = httpx.get(f"{url}/mock/state", trust_env=False).json()
        told = entries(broker.address)
    assert state["keys"] == dict.fromkeys(keys, "frozen")
    assert Counter(effect["subject"] for effect in state["effects"]) == Counter(keys)
    assert state["attempts"] > len(keys)
    unique = {entry.seq: entry for entry in told}
    assert all(entry == unique[entry.seq] for entry in told)  # delivered twice is no fork
    before = GENESIS
    for number, seq in enumerate(sorted(unique), 1):
        assert seq == number
        assert unique[seq] == sealed(unique[seq], seq, before)
        before = unique[seq].hash
    for outcome in (Outcome.INTENDED, Outcome.DONE):
        about = [
            e.api_key for e in unique.values() if (e.act, e.outcome) == (Act.FREEZE_KEY, outcome)
        ]
        assert Counter(about) == Counter(keys)
