"""The health page: brokers, lag of the workers, their metrics, and the model in use."""

import json
import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Final

import httpx
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from streams.clients import connect
from streams.dashboard.alert_views import Json
from streams.dashboard.feed import Feed, now_ms
from streams.settings import Settings
from streams.topics import TopicNames
from streams.worker import group_of

CONNECT_MS: Final = 2000
FRESH_S: Final = 3.0  # how long an answer is good
METRICS_S: Final = 1.0
MOST_METRICS: Final = 400

log = logging.getLogger(__name__)


class Health:
    """Asks when somebody looks, and not more often than it makes sense."""

    def __init__(self, settings: Settings, feed: Feed, client: dict[str, Any]) -> None:
        self._settings = settings
        self._feed = feed
        self._client = client
        self._names = TopicNames(**settings.topic_names())
        self._lock = threading.Lock()
        self._asked = 0.0
        self._last: Json = {}

    def page(self, db: sqlite3.Connection) -> Json:
        """Give all that is known of the system's health."""
        with self._lock:
            if time.monotonic() - self._asked > FRESH_S:
                self._last = {"lag": self._lag(), "workers": self._workers()}
                self._asked = time.monotonic()
            asked = self._last
        return {
            **asked,
            "pulse": pulse_view(self._feed),
            "model": model_card(self._settings.model),
            "in_use": in_use(db),
            "read_model": {
                "alerts": db.execute("SELECT count(*) FROM alerts").fetchone()[0],
                "charts": db.execute("SELECT count(*) FROM charts").fetchone()[0],
                "unreadable": unreadable(db),
                "bytes": db.execute(
                    "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
                ).fetchone()[0],
            },
            "topics": self._settings.topic_names(),
        }

    def _lag(self) -> list[Json] | None:
        """Give how far the workers are behind on each topic; None where nobody answers."""
        if not self._feed.pulse.reachable:
            return None
        group = group_of(self._settings)
        common = {
            "bootstrap_servers": self._settings.bootstrap_servers(),
            "bootstrap_timeout_ms": CONNECT_MS,
            "request_timeout_ms": CONNECT_MS,
            **self._client,
        }
        try:
            admin = connect(KafkaAdminClient, **common)
            try:
                found = admin.list_group_offsets(group)[group]
            finally:
                admin.close()
            committed = {at: offset.offset for at, offset in found.items() if offset.offset >= 0}
            consumer = connect(KafkaConsumer, **common, group_id=None)
            try:
                places = [TopicPartition(at.topic, at.partition) for at in committed]
                ends = consumer.end_offsets(places, timeout_ms=CONNECT_MS) if places else {}
            finally:
                consumer.close()
        except KafkaError as error:
            log.info("lag: %s", type(error).__name__)
            return None
        by_topic: dict[str, int] = {}
        for at, offset in committed.items():
            behind = max(0, ends[TopicPartition(at.topic, at.partition)] - offset)
            by_topic[at.topic] = by_topic.get(at.topic, 0) + behind
        return [{"topic": topic, "behind": lag} for topic, lag in sorted(by_topic.items())]

    def _workers(self) -> list[Json]:
        addresses = self._settings.dashboard_metrics.split(",")
        return [scrape(address.strip()) for address in addresses if address.strip()]


def scrape(address: str) -> Json:
    """Read the metrics of one worker."""
    try:
        answer = httpx.get(address, timeout=METRICS_S, trust_env=False)
        answer.raise_for_status()
        families = list(text_string_to_metric_families(answer.text))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return {"address": address, "up": False, "why": type(error).__name__, "metrics": []}
    samples = [
        {
            "name": sample.name,
            "labels": dict(sample.labels),
            "value": sample.value,
            "help": family.documentation,
        }
        for family in families
        for sample in family.samples
        if sample.name.startswith("roguekey_") and not sample.name.endswith(("_bucket", "_created"))
    ]
    return {"address": address, "up": True, "why": None, "metrics": samples[:MOST_METRICS]}


def pulse_view(feed: Feed) -> Json:
    """Show how the brokers and the orders are."""
    pulse = feed.pulse
    return {
        "now": now_ms(),
        "reachable": pulse.reachable,
        "since": pulse.since,
        "read_up": pulse.read_up,
        "orders": pulse.orders_end,
        "orders_moved": pulse.orders_moved,
        "orders_rate": round(pulse.orders_rate, 1),
        "dead": pulse.dead_end,
        "started": pulse.started,
    }


def model_card(folder: Path) -> Json | None:
    """Read the manifest of the model that the settings name; None where there is none."""
    try:
        card = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return {name: value for name, value in card.items() if not isinstance(value, (list, dict))}


def in_use(db: sqlite3.Connection) -> Json | None:
    """Give model and config of the last alert: what the workers really run."""
    row = db.execute("SELECT body FROM alerts ORDER BY n DESC LIMIT 1").fetchone()
    if row is None:
        return None
    data = json.loads(row["body"])["data"]
    return {"model": data["model"], "config": data["config"], "threshold": data["threshold"]}


def unreadable(db: sqlite3.Connection) -> int:
    """Count the records that could not be read."""
    row = db.execute("SELECT value FROM meta WHERE name = 'unreadable'").fetchone()
    return int(row[0]) if row else 0
