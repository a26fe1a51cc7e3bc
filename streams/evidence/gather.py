"""Reads again from the topics what speaks for or against an alert."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition

from models.alerts.envelope import Envelope, Place, decode_alert
from models.unreadable import UNREADABLE
from streams.evidence.order_window import FoundOrder, OrdersTopic, OrderWindow, places_of
from streams.freeze.actions import Entry, read_entry
from streams.kafka.clients import connect
from streams.settings import TopicNames

CONNECT_MS: Final = 5000
POLL_MS: Final = 200


class NoEvidenceError(Exception):
    """There is no such alert, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as it lies on its topic."""

    raw: bytes
    place: Place
    envelope: Envelope
    places: list[Place]  # of the events that weighed most

    @property
    def api_key(self) -> str | None:
        """The accused key; None where the alert is about an app or an account."""
        return self.envelope.api_key

    @property
    def account(self) -> str | None:
        """Account of the accused key."""
        account = self.envelope.data.account
        return account if isinstance(account, str) else None


@dataclass(frozen=True, slots=True)
class Action:
    """An entry of the audit that concerns the alert or its key."""

    raw: bytes
    offset: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is known of an alert."""

    alert: StoredAlert
    from_ts: int  # ms
    to_ts: int  # ms
    weighed: list[FoundOrder]  # the events that weighed most, read by offset
    own: OrderWindow  # orders of the key
    market: OrderWindow  # all events of the alert's symbol
    actions: list[Action]


def gather(
    alert_id: str,
    brokers: list[str],
    names: TopicNames,
    margin_ms: int,
    client: Mapping[str, Any] | None = None,
) -> Gathered:
    """Read everything about an alert; `margin_ms` is added on both sides of its evidence.

    Raises
    ------
    NoEvidenceError
        If there is no such alert on the topic.
    OrderWindowError
        If there is no topic of orders.
    """
    alert = find_alert(alert_id, brokers, names.alerts, client or {})
    data = alert.envelope.data
    from_ts = min(data.evidence.from_ts, data.event_ts) - margin_ms
    to_ts = max(data.evidence.to_ts, data.event_ts) + margin_ms
    with OrdersTopic(brokers, names.orders, client) as orders:
        weighed = orders.at(alert.places)
        near = [one.place for one in weighed]
        market = orders.window(from_ts, to_ts, symbol=data.symbol, near=near)
        own = OrderWindow(found=weighed)
        if alert.api_key is not None:
            own = orders.window(from_ts, to_ts, api_key=alert.api_key, near=near)
    actions = list(_actions(alert, brokers, names.freezes, client or {}))
    return Gathered(alert, from_ts, to_ts, weighed, own, market, actions)


def find_alert(
    alert_id: str, brokers: list[str], topic: str, client: Mapping[str, Any]
) -> StoredAlert:
    """Find an alert on its topic by its id; `NoEvidenceError` where it is not."""
    needle = msgspec.json.encode(alert_id)
    for record in _records(brokers, topic, client):
        if needle not in (record.value or b""):
            continue
        try:
            envelope = decode_alert(record.value)
        except UNREADABLE:
            continue
        if envelope.id == alert_id:
            place = Place(record.partition, record.offset)
            return StoredAlert(record.value, place, envelope, places_of(record.headers))
    raise NoEvidenceError(f"no alert {alert_id!r} lies on topic {topic}")


def _actions(
    alert: StoredAlert, brokers: list[str], topic: str, client: Mapping[str, Any]
) -> Iterator[Action]:
    """Give what was decided on the alert, or done about its key, in order."""
    concerns = _concerns(alert)
    seen = 0
    for record in _records(brokers, topic, client):
        entry = read_entry(record.value)
        if entry is None:
            continue
        if entry.seq > seen and concerns(entry):
            yield Action(record.value, record.offset, entry)
        seen = max(seen, entry.seq)


def _concerns(alert: StoredAlert) -> Callable[[Entry], bool]:
    def concerns(entry: Entry) -> bool:
        same_key = alert.api_key is not None and entry.api_key == alert.api_key
        return same_key or entry.alert_id == alert.envelope.id

    return concerns


def _records(brokers: list[str], topic: str, client: Mapping[str, Any]) -> Iterator[Any]:
    """Give all records that a topic has now; none where it does not exist."""
    consumer = connect(
        KafkaConsumer,
        bootstrap_servers=brokers,
        bootstrap_timeout_ms=CONNECT_MS,
        group_id=None,
        enable_auto_commit=False,
        **client,
    )
    try:
        if topic not in consumer.topics():
            return
        places = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        while any(consumer.position(place) < end for place, end in ends.items()):
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                yield from records
    finally:
        consumer.close()
