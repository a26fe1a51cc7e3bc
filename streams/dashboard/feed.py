"""The feed: a thread that brings the topics into the read model, and knows how the brokers are.

It belongs to no consumer group that commits: where it goes on stands in the read model itself,
written with the rows. Brokers may come and go under it.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from typing_extensions import override

from streams.clock import now_ms
from streams.dashboard.pruning import prune
from streams.dashboard.read_model import ReadModel
from streams.dashboard.records import Intake, Record, Taken
from streams.kafka.clients import connect
from streams.settings import Settings
from streams.topics import ensure_topics, topic_specs

CONNECT_MS: Final = 3000
LISTEN_S: Final = 2.0
PROBE_S: Final = 2.0  # between two questions to the brokers
PROBE_MS: Final = 3000
EMPTY_WAIT_S: Final = 0.05  # the embedded broker answers an empty fetch at once
AT_ONCE: Final = 2000  # records of one transaction
PRUNE_S: Final = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the brokers and the orders are, as last seen; times are ms of the wall clock."""

    reachable: bool = False
    since: int = 0  # it became so
    read_up: bool = False  # the read model holds all that was there at the last probe
    orders_end: int = 0  # records on the orders topic, ever
    orders_moved: int = 0  # when the last of them came, as far as seen; 0: none seen yet
    orders_rate: float = 0.0  # per second, between the last two probes
    dead_end: int = 0  # records on the dead-letter topic, ever
    started: int = field(default_factory=now_ms)


class Feed(threading.Thread):
    """Reads while it is alive; `changed` is called from this thread after each transaction."""

    def __init__(
        self,
        settings: Settings,
        model: ReadModel,
        intake: Intake,
        changed: Callable[[Taken], None],
        client: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name="feed", daemon=True)
        self.pulse = Pulse(since=now_ms())
        self._settings = settings
        self._names = settings.topics
        self._model = model
        self._intake = intake
        self._changed = changed
        self._client = client or {}
        self._ended = threading.Event()
        self._probed = 0.0
        self._pruned = 0.0

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ended.set()
        if self.is_alive():
            self.join(15)

    @override
    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except Exception as error:  # the client raises KeyError and others when brokers go
                self._is_reachable(reachable=False)
                log.warning("brokers: %s", type(error).__name__, exc_info=_unforeseen(error))
                self._ended.wait(0.5)

    def _follow(self) -> None:
        """Connect, go to where the read model ends, and read on until something breaks."""
        must_listen(self._settings.bootstrap_servers())
        self._make_topics()
        consumer = connect(
            KafkaConsumer,
            bootstrap_servers=self._settings.bootstrap_servers(),
            client_id="roguekey-dashboard",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            bootstrap_timeout_ms=CONNECT_MS,
            reconnect_backoff_max_ms=1000,
            max_poll_records=AT_ONCE,
            **self._client,
        )
        try:
            places = _places(consumer, self._intake.topics)
            orders = _places(consumer, [self._names.orders])
            dead = _places(consumer, [self._names.dead])
            consumer.assign(places)
            self._seek(consumer, places)
            while not self._ended.is_set():
                self._take(consumer.poll(timeout_ms=0))
                if time.monotonic() - self._probed >= PROBE_S:
                    orders = orders or _places(consumer, [self._names.orders])
                    dead = dead or _places(consumer, [self._names.dead])
                    self._probe(consumer, places, orders, dead)
        finally:
            consumer.close(timeout_ms=1000)

    def _make_topics(self) -> None:
        specs = topic_specs(self._names, self._settings.partitions)
        ensure_topics(
            self._settings.bootstrap_servers(),
            [spec for spec in specs if spec.name in self._intake.topics],
            replication=self._settings.replication_factor,
            client={"bootstrap_timeout_ms": CONNECT_MS} | self._client,
        )

    def _seek(self, consumer: Any, places: list[TopicPartition]) -> None:
        """Go on where the rows end; from the start where the topic was made anew since."""
        known = self._model.offsets()
        begins = consumer.beginning_offsets(places)
        ends = consumer.end_offsets(places, timeout_ms=PROBE_MS)
        for place in places:
            at = known.get((place.topic, place.partition), 0)
            consumer.seek(place, max(at, begins[place]) if at <= ends[place] else begins[place])

    def _take(self, polled: dict[TopicPartition, list[Any]]) -> None:
        records = [_record(record) for records in polled.values() for record in records]
        if not records:
            self._ended.wait(EMPTY_WAIT_S)
            return
        with self._model.writing() as db:
            taken = self._intake.take(db, records)
            if time.monotonic() - self._pruned > PRUNE_S:
                self._pruned = time.monotonic()
                prune(db, self._settings.dashboard_keep_days)
        self._changed(taken)

    def _probe(
        self,
        consumer: Any,
        places: list[TopicPartition],
        orders: list[TopicPartition],
        dead: list[TopicPartition],
    ) -> None:
        """Ask how far the topics are; that it is answered says that the brokers are there."""
        before, last = self.pulse, self._probed
        try:
            ends = consumer.end_offsets([*places, *orders, *dead], timeout_ms=PROBE_MS)
        except KeyError:  # the client forgets what it is not assigned when metadata come in between
            return
        self._probed = time.monotonic()
        total = sum(ends[place] for place in orders)
        came = total - before.orders_end if last else 0
        self.pulse = replace(
            before,
            read_up=all(consumer.position(place) >= ends[place] for place in places),
            orders_end=total,
            orders_moved=now_ms() if came else before.orders_moved,
            orders_rate=max(0.0, came / (self._probed - last)) if last else 0.0,
            dead_end=sum(ends[place] for place in dead),
        )
        self._is_reachable(reachable=True)

    def _is_reachable(self, *, reachable: bool) -> None:
        if self.pulse.reachable != reachable:
            self.pulse = replace(self.pulse, reachable=reachable, since=now_ms())
            self._changed(Taken())


def must_listen(addresses: Iterable[str]) -> None:
    """Raise an `OSError` where no broker listens, sooner than kafka-python gives up trying."""
    problem = OSError("no broker")
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), LISTEN_S).close()
        except OSError as error:
            problem = error
        else:
            return
    raise problem


def _unforeseen(error: Exception) -> bool:
    return not isinstance(error, (KafkaError, OSError))


def _places(consumer: Any, topics: Iterable[str]) -> list[TopicPartition]:
    return [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(consumer.partitions_for_topic(topic))
    ]


def _record(record: Any) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.value or b"",
        {name: value for name, value in record.headers if value is not None},
    )
