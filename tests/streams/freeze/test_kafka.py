"""The hook on a real Apache Kafka, which goes away and comes back."""

import time
from functools import partial
from pathlib import Path

import pytest

from streams.demo.demo import as_environment
from streams.exchange.mock import MockExchange
from streams.freeze.audit import verify
from streams.kafka.children import Command
from streams.settings import Settings
from tests.patience import wait_until
from tests.streams.freeze.kafka_stand import audit, exchange, put, settings_for
from tests.streams.freeze.stand import leak
from tests.streams.kafka.cluster import KafkaCluster

pytestmark = pytest.mark.kafka


def is_frozen(mock: MockExchange, key: str) -> bool:
    keys: dict[str, str] = mock.state()["keys"]
    return keys.get(key) == "frozen"


def test_brokers_that_die_and_come_back_cost_no_alert_and_no_entry(
    kafka_cluster: KafkaCluster, kafka_settings: Settings, tmp_path: Path
) -> None:
    brokers, names = kafka_cluster.address, kafka_settings.topics

    def alert(number: int) -> None:
        stamp = time.time_ns() // 1_000_000
        put(brokers, [leak(number, f"k{number}", event_ts=stamp)], names.alerts)

    def is_written(entries: int) -> bool:
        return len(audit(brokers, names.freezes)) >= entries

    with exchange() as (mock, url):
        policy = settings_for(brokers, url, tmp_path, mode="auto")
        own = {name: getattr(policy, name) for name in policy.model_fields_set - {"brokers"}}
        settings = kafka_settings.model_copy(update=own)
        for life in range(2):
            with Command(["freeze-hook"], as_environment(settings), tmp_path / f"{life}.log"):
                alert(3 * life + 1)
                wait_until(partial(is_frozen, mock, f"k{3 * life + 1}"))
                kafka_cluster.kill()
                kafka_cluster.start()
                alert(3 * life + 2)
                wait_until(partial(is_frozen, mock, f"k{3 * life + 2}"))
                # A hook that is stopped before its entries are out leaves them to its next life.
                wait_until(partial(is_written, 4 * (life + 1)))
        assert mock.state()["keys"] == dict.fromkeys(("k1", "k2", "k4", "k5"), "frozen")
        assert len(mock.state()["effects"]) == 4
    found = verify(enumerate(audit(brokers, names.freezes)))
    assert found.is_sound
    assert found.head_seq == 8
