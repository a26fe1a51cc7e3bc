"""The health page: brokers, lag of the workers, their metrics, and the model in use."""

import json
import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
from kafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from streams.clock import now_ms
from streams.dashboard.alert_views import Json
from streams.dashboard.feed import Feed
from streams.dashboard.groups import ask_groups
from streams.settings import Settings

FRESH_S: Final = 3.0  # how long an answer is good
METRICS_S: Final = 1.0
PATIENCE_S: Final = 4.0  # for what the brokers know of the groups
MOST_METRICS: Final = 400
AT_ONCE: Final = 32  # workers that are asked side by side

log = logging.getLogger(__name__)


class Health:
    """Asks when somebody looks, and not more often than it makes sense."""

    def __init__(self, settings: Settings, feed: Feed, client: dict[str, Any]) -> None:
        self._settings = settings
        self._feed = feed
        self._client = client
        self._lock = threading.Lock()
        self._asked = 0.0
        self._last: Json = {}
        # One more for the groups: a client may take long to give up.
        self._executor = ThreadPoolExecutor(AT_ONCE + 1, "health")
        self._asking: Future[dict[str, Json]] | None = None

    def page(self, db: sqlite3.Connection) -> Json:
        """Give all that is known of the system's health."""
        if self._lock.acquire(blocking=not self._last):  # while one asks, the last answer is good
            try:
                if time.monotonic() - self._asked > FRESH_S:
                    self._last = self._ask()
                    self._asked = time.monotonic()
            finally:
                self._lock.release()
        return {
            **self._last,
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

    def _ask(self) -> Json:
        groups, workers = self._groups(), self._workers()
        return {
            "groups": groups,
            "workers": workers,
            "worker_state": worker_state(groups, workers),
        }

    def _groups(self) -> dict[str, Json] | None:
        """Give how far the consumers are; None where no broker answers."""
        if not self._feed.pulse.reachable:
            return None
        if self._asking is None or self._asking.done():
            self._asking = self._executor.submit(ask_groups, self._settings, self._client)
        try:
            return self._asking.result(PATIENCE_S)
        except (
            KafkaError,
            KeyError,
            TimeoutError,
        ) as error:  # the client forgets partitions when brokers go
            log.info("lag: %s", type(error).__name__)
            return None

    def _workers(self) -> list[Json]:
        given = filter(None, map(str.strip, self._settings.dashboard_metrics.split(",")))
        return list(self._executor.map(scrape, (one for name in given for one in behind(name))))


def worker_state(groups: Mapping[str, Json] | None, workers: Sequence[Json]) -> str:
    """Say in one word what is known of the workers, by the brokers and by their own metrics.

    >>> worker_state({"worker": {"members": 0}}, []), worker_state(None, [])
    ('none', 'unknown')
    """
    if any(worker["up"] for worker in workers):
        return "running"
    if groups is None:
        return "unknown"
    if not groups["worker"]["members"]:
        return "none"
    return "unseen" if workers else "running"


def behind(address: str, look_up: Callable[..., Any] = socket.getaddrinfo) -> list[str]:
    """Give the addresses of all workers that answer by one name, as behind a headless service."""
    try:
        url = httpx.URL(address)
        found = look_up(url.host, url.port, type=socket.SOCK_STREAM)
    except (httpx.InvalidURL, OSError, UnicodeError):
        return [address]  # it will be said to be down
    hosts = sorted({place[0] for family, *_, place in found if family == found[0][0]})
    if len(hosts) < 2 or url.scheme != "http":  # a certificate is for the name
        return [address]
    return [str(url.copy_with(host=host)) for host in hosts]


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
