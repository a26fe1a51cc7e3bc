"""The live worker: the three stages as agents of one Faust app, with a topic between each two.

    orders ─▶ market stage ─▶ keys ─▶ key stage ─▶ suspects ─▶ alert stage ─▶ alerts
                   └▶ dead letters

State lives in memory, by partition. An event is acknowledged when everything that came of it lies
with the brokers and nothing of it is held back any more: delivery is at least once, and what is
delivered again is known by its offset, its event id or its alert id.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from faust.streams import Stream
from faust.types import TP, EventT, StreamT

from models.alerts.envelope import Alert
from models.rows import NEVER
from streams.dead_letters import Letter, RefusalLimit
from streams.metrics import Metrics
from streams.runtime import build_app
from streams.security import faust_credentials
from streams.settings import Settings
from streams.stages import AlertPartition, DeadLetter, KeyPartition, MarketPartition
from streams.topics import TopicNames
from streams.transport import Consumer, Run, coalesced_topic
from streams.warmup import Stages
from streams.watchdog import Progress as Places

ONLY: Final = 0  # the one partition of the suspects topic
FRAMES_AT_ONCE: Final = 64  # a frame holds thousands of rows
BUFFERED_RUNS: Final = 2  # what waits longer is better fetched as one larger run
IDLE_AGAIN_S: Final = 1.0  # whoever takes a partition over must hear of idle sources too
COUNTS_S: Final = 10.0
CONTENT_TYPE: Final = b"application/cloudevents+json"

log = logging.getLogger(__name__)


Held = deque[tuple[int, EventT[Run]]]  # latest time of any row of a run, the run


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be sent."""

    topic: str
    value: bytes
    partition: int | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Handled:
    """A run that has been worked through, and what must happen before it is acknowledged."""

    event: EventT[Run]
    stream: Stream[Run]
    held: Held  # runs of the same partition of which rows may be held
    newest: int  # latest time of any row so far, ms
    passed: int  # time before which every row has gone through, ms
    sent: list[Awaitable[Any]]  # what came of it, on its way to the brokers


Progress = tuple[list[Awaitable[Any]], int, int]  # sent, newest, passed: as in Handled
Handle = Callable[[TP, Run], Awaitable[Progress]]


class Worker:
    """The agents of one worker, and the state of the partitions that are assigned to it."""

    def __init__(self, settings: Settings, brokers: list[str], stages: Stages) -> None:
        self.app = build_app(
            brokers,
            group=group_of(settings),
            offset_reset=settings.auto_offset_reset,
            buffered_runs=BUFFERED_RUNS,
            producer_linger=0.0,  # frames are batches already
            broker_credentials=faust_credentials(settings),
        )
        self._names = TopicNames(**settings.topic_names())
        self._partitions = settings.partitions
        self._idle_s = settings.idle_heartbeat_ms / 1000
        self._stages = stages
        self._markets: dict[int, MarketPartition] = {}
        self._keys: dict[int, KeyPartition] = {}
        self._alerts: dict[int, AlertPartition] = {}
        self._held: dict[TP, Held] = {}
        self._handled: asyncio.Queue[Handled] = asyncio.Queue()
        self._one_at_a_time = asyncio.Lock()
        self.places = Places()
        self.metrics = Metrics(self.places)
        self._refusals = settings.dead_letter_ratio, settings.dead_letter_window
        self._limits: dict[int, RefusalLimit] = {}
        names, most = self._names, settings.batch_events
        self._agent(names.orders, self._observe, most)
        self._agent(names.keys, self._assess, FRAMES_AT_ONCE)
        self._agent(names.suspects, self._judge, FRAMES_AT_ONCE)
        self.app.on_partitions_assigned.connect(self._on_assigned)
        self.app.task(self._acknowledge)
        self.app.task(self._tell_idleness)
        self.app.task(self._tell_counts)

    @property
    def topics(self) -> list[str]:
        """Topics that the agents read, orders first."""
        return [self._names.orders, self._names.keys, self._names.suspects]

    def _agent(self, topic: str, handle: Handle, most: int) -> None:
        async def agent(stream: StreamT[Run]) -> None:
            if not isinstance(stream, Stream):
                raise TypeError(f"the stream of {topic} is {type(stream)}; must be Faust's Stream")
            async for event in stream.noack().events():
                tp = event.message.tp
                held = self._held.setdefault(tp, deque())
                self.places.begin(tp, event.value)
                with self.metrics.stage(topic):
                    sent, newest, passed = await handle(tp, event.value)
                self.places.done(tp, event.value)
                self._handled.put_nowait(Handled(event, stream, held, newest, passed, sent))
                await asyncio.sleep(0)  # let the producer begin

        agent.__name__ = agent.__qualname__ = topic
        self.app.agent(coalesced_topic(self.app, topic, max_records=most), name=topic)(agent)

    async def _acknowledge(self) -> None:
        """Acknowledge runs in order, while the agents work on the next ones.

        What is delivered and of which nothing was held any more when it was sent is done with.
        """
        while True:
            run = await self._handled.get()
            for delivered in run.sent:
                await delivered
            run.held.append((run.newest, run.event))
            while run.held and run.held[0][0] < run.passed:
                await run.stream.ack(run.held.popleft()[1])

    async def _observe(self, tp: TP, run: Run) -> Progress:
        async with self._one_at_a_time:  # idleness must not overtake what was read
            market = self._market(tp.partition)
            before = market.events
            with self.metrics.counting(tp.partition, market):
                frames, refused = market.observe(run, time.time_ns() // 1_000_000)
            reasons = [letter.refusal for letter in refused]
            self._limit(tp).take(market.events - before, reasons)
            letters = [self._dead_letter(tp, letter) for letter in refused]
            self.metrics.refused(refused)
            return await self._send([*self._to_keys(frames), *letters]), 0, NEVER

    async def _assess(self, tp: TP, run: Run) -> Progress:
        keys = self._key(tp.partition)
        frames = keys.assess(run)
        sent = await self._send(Message(self._names.suspects, frame, ONLY) for frame in frames)
        return sent, keys.newest, keys.passed

    async def _judge(self, tp: TP, run: Run) -> Progress:
        stage = self._alert(tp.partition)
        alerts = stage.judge(run)
        self.metrics.alerted(alerts)
        sent = await self._send(self._alert_message(alert) for alert in alerts)
        return sent, stage.newest, stage.passed

    async def _tell_idleness(self) -> None:
        """Let nobody wait for a partition of orders that has nothing more."""
        quiet: dict[int, float] = {}  # since when
        told: dict[int, float] = {}
        while not self.app.should_stop:
            await asyncio.sleep(self._idle_s)
            now = time.monotonic()
            for partition in list(self._markets):
                async with self._one_at_a_time:
                    market = self._markets.get(partition)
                    if market is None or not self._is_read_up(partition):
                        quiet.pop(partition, None)
                        told.pop(partition, None)
                    elif now - quiet.setdefault(partition, now) < self._idle_s / 2:
                        continue
                    elif now - told.get(partition, -IDLE_AGAIN_S) >= IDLE_AGAIN_S:
                        told[partition] = now
                        sent = await self._send(self._to_keys(market.idle()))
                        await asyncio.gather(*sent)

    def _is_read_up(self, partition: int) -> bool:
        consumer = self.app.consumer
        tp = TP(self._names.orders, partition)
        return isinstance(consumer, Consumer) and consumer.is_read_up(tp)

    async def _tell_counts(self) -> None:
        """Log every now and then what was counted since the start."""
        while not self.app.should_stop:
            await asyncio.sleep(COUNTS_S)
            log.info(" ".join(f"{name}={count}" for name, count in self.counts().items()))

    def counts(self) -> dict[str, int]:
        """Count what went through the partitions that are assigned now, and what was odd."""
        markets, keys = self._markets.values(), self._keys.values()
        return {
            "events": sum(market.events for market in markets),
            "refused": sum(market.refused for market in markets),
            "duplicates": sum(market.duplicates for market in markets),
            "ahead": sum(market.ahead for market in markets),
            "late": sum(key.late for key in keys),
            "alerts": sum(alert.alerts for alert in self._alerts.values()),
        }

    async def _send(self, messages: Iterable[Message]) -> list[Awaitable[Any]]:
        """Hand messages to the producer in order; gives what to wait for until they are there."""
        return [
            await self.app.producer.send(m.topic, m.key, m.value, m.partition, None, [*m.headers])
            for m in messages
        ]

    def _to_keys(self, frames: Iterable[tuple[int, bytes]]) -> list[Message]:
        return [Message(self._names.keys, frame, target) for target, frame in frames]

    def _dead_letter(self, tp: TP, letter: DeadLetter) -> Message:
        reason, field = letter.refusal.reason, letter.refusal.field
        written = Letter(letter.value, reason, field, tp.topic, tp.partition, letter.offset)
        return Message(self._names.dead, letter.value, headers=written.headers())

    def _alert_message(self, alert: Alert) -> Message:
        places = {"topic": self._names.orders, "events": alert.places}
        headers = (
            ("content-type", CONTENT_TYPE),
            ("roguekey-places", msgspec.json.encode(places)),
        )
        return Message(
            self._names.alerts, alert.encode(), key=alert.subject.encode(), headers=headers
        )

    def _limit(self, tp: TP) -> RefusalLimit:
        if tp.partition not in self._limits:
            source = f"{tp.topic}[{tp.partition}]"
            self._limits[tp.partition] = RefusalLimit(source, *self._refusals)
        return self._limits[tp.partition]

    def _market(self, partition: int) -> MarketPartition:
        if partition not in self._markets:
            stage = self._stages.market(partition)
            self._markets[partition] = MarketPartition(partition, self._partitions, stage)
        return self._markets[partition]

    def _key(self, partition: int) -> KeyPartition:
        if partition not in self._keys:
            stage = self._stages.key(partition)
            self._keys[partition] = KeyPartition(partition, self._partitions, stage)
        return self._keys[partition]

    def _alert(self, partition: int) -> AlertPartition:
        if partition not in self._alerts:
            self._alerts[partition] = AlertPartition(self._partitions, self._stages.model)
        return self._alerts[partition]

    async def _on_assigned(self, *sent: Any, **_: Any) -> None:
        """Drop the state of partitions that went elsewhere, and begin that of orders."""
        _, assigned = sent  # Faust sends the app first
        owned = {
            name: {tp.partition for tp in assigned if tp.topic == name}
            for name in (self._names.orders, self._names.keys, self._names.suspects)
        }
        by_topic: dict[str, dict[int, Any]] = {
            self._names.orders: self._markets,
            self._names.keys: self._keys,
            self._names.suspects: self._alerts,
        }
        for name, states in by_topic.items():
            for partition in states.keys() - owned[name]:
                del states[partition]
        self._held.clear()  # all of it is read again
        self._limits.clear()
        self.places.assigned()
        self.metrics.assigned(owned[self._names.orders])
        for partition in owned[self._names.orders]:
            self._market(partition)


def group_of(settings: Settings) -> str:
    """Consumer group of the workers."""
    return f"{settings.app_id}.worker"
