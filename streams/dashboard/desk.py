"""What analysts do, as records on the topics. Nothing is changed but by a record."""

import threading
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from models.alerts.envelope import AlertType
from streams.clock import now_ms
from streams.dashboard.alert_rows import read_alert
from streams.dashboard.triage import Step, Triage
from streams.dispositions import Disposition, Outcome
from streams.freeze.requests import Ask, new_request
from streams.settings import Settings

CONNECT_MS: Final = 3000
SEND_S: Final = 5.0


class DeskError(Exception):
    """Nothing was recorded: the brokers did not take it."""


class Desk:
    """Writes records; each call returns when the brokers have it."""

    def __init__(self, settings: Settings, client: dict[str, Any] | None = None) -> None:
        self._settings = settings
        self._names = settings.topics
        self._client = client or {}
        self._lock = threading.Lock()
        self._producer: Any = None

    def decide(self, body: bytes, outcome: Outcome, analyst: str, note: str) -> None:
        """Record what an analyst decided about the alert of these bytes."""
        alert = read_alert(body)
        decision = Disposition(
            alert_id=alert.id,
            subject=alert.subject,
            disposition=outcome,
            type=AlertType(alert.type),
            event_ts=alert.data.event_ts,
            from_ts=alert.data.evidence.from_ts,
            decided_ts=now_ms(),
            analyst=analyst,
            note=note,
        )
        self._send(self._names.dispositions, decision.encode(), alert.id)

    def triage(
        self, alert_id: str, step: Step, analyst: str, note: str = "", until: int = 0
    ) -> None:
        """Record who has an alert, or until when it is put off."""
        record = Triage(
            alert_id=alert_id, step=step, analyst=analyst, ts=now_ms(), until=until, note=note
        )
        self._send(self._names.triage, record.encode(), alert_id)

    def ask(self, ask: Ask, who: str, reason: str, subject: str = "", **about: Any) -> str:
        """Ask the freeze hook for something; gives the id that its answer will bear."""
        request = new_request(ask, who=who, reason=reason, subject=subject, **about)
        self._send(self._names.requests, request.encode(), None)
        return request.id

    def close(self) -> None:
        """Leave the brokers."""
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=2)

    def _send(self, topic: str, value: bytes, key: str | None) -> None:
        try:
            producer = self._ready()
            future = producer.send(topic, value, key=key.encode() if key else None)
            future.get(timeout=SEND_S)
        except KafkaError as error:
            raise DeskError(
                "The brokers cannot be reached: nothing was recorded. Try again."
            ) from error

    def _ready(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._settings.bootstrap_servers(),
                    client_id="roguekey-dashboard",
                    bootstrap_timeout_ms=CONNECT_MS,
                    max_block_ms=CONNECT_MS,
                    reconnect_backoff_max_ms=1000,
                    delivery_timeout_ms=4000,
                    request_timeout_ms=3000,
                    acks="all",
                    **self._client,
                )
            return self._producer
