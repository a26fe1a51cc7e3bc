"""The live worker: the three stages as agents of one Faust app, with a topic between each two.

    orders ─▶ market stage ─▶ keys ─▶ key stage ─▶ suspects ─▶ alert stage ─▶ alerts
                   └▶ dead letters

Where the next stage's partition is in the same worker, it hears at once what is on its way to the
topic; the copy that comes from there later holds nothing new.

State lives in memory, by partition, and in changelogs (`streams.worker.keeper`). An event is
acknowledged when the state that contains it is saved and everything that came of it lies with the
brokers. What is delivered again after a crash is known by its offset or its number, and an alert
that is raised again by its bytes.
"""

import asyncio
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from faust.streams import Stream
from faust.types import TP, StreamT

from models.alerts.envelope import Alert
from streams.clock import now_ms
from streams.dead.letters import RefusalLimit
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.topics import changelog_specs, worker_group
from streams.watch.metrics import Metrics, sizes_of
from streams.watch.watchdog import Progress
from streams.worker.changelog import Changelog
from streams.worker.checkpoints import Identity
from streams.worker.keeper import Keeper, Worked
from streams.worker.merging import Merging
from streams.worker.outlet import Outlet, Sent, Words
from streams.worker.partitions import Partition
from streams.worker.quiet_moments import QuietMoments
from streams.worker.raised_before import RaisedBefore
from streams.worker.runs import Run
from streams.worker.runtime import build_app, faust_credentials
from streams.worker.stages import (
    ONLY,
    AlertPartition,
    KeyPartition,
    MarketPartition,
    Part,
)
from streams.worker.transport import Consumer, coalesced_topic, rest
from streams.worker.warmup import Stages

FRAMES_AT_ONCE: Final = 64  # a frame holds thousands of rows
JUDGED_AT_ONCE: Final = 1 << 18  # bytes: a suspect takes as long as hundreds of other rows
BUFFERED_RUNS: Final = 2  # what waits longer is better fetched as one larger run
TELL_EVERY_S: Final = 0.01
GO_ON_EVERY_S: Final = 0.003  # what is heard of meanwhile goes through the later stages together
GO_ON_AT_LAST_S: Final = 0.03  # however many runs of orders are waiting
JUDGED_AHEAD: Final = 512  # suspects: what is more waits on the topic, and is judged in portions
TELL_AT_REST_S: Final = 0.25
COUNTS_S: Final = 10.0
HELD_ROWS: Final = 200_000  # that may wait for slower partitions before faster ones rest
COMMITS_S: Final = 3600.0  # Faust's own commits; the keeper's come with each checkpoint

P = TypeVar("P", bound=Partition)
Handle = Callable[[Any, TP, Run], Awaitable[Sent]]

log = logging.getLogger(__name__)


class Worker:
    """The agents of one worker, and the state of the partitions that are assigned to it."""

    def __init__(self, settings: Settings, brokers: list[str], stages: Stages) -> None:
        group = worker_group(settings.app_id)
        self.app = build_app(
            brokers,
            group=group,
            offset_reset=settings.auto_offset_reset,
            commit_seconds=COMMITS_S,
            buffered_runs=BUFFERED_RUNS,
            producer_linger=0.0,  # frames are batches already
            broker_credentials=faust_credentials(settings),
            session_s=settings.session_timeout_ms / 1000,
        )
        self._names = names = settings.topics
        self._outlet = Outlet(self.app, names)
        self._partitions = settings.partitions
        self._patience_ms = settings.idle_heartbeat_ms
        # A longer one says that more is waiting: it costs least from the topic, in large portions.
        self._short_run = settings.batch_events // 2
        self._stages = stages
        self.places = Progress()
        self.metrics = Metrics(self.places, lambda: sizes_of(self._all_recovered()))
        self._refusals = settings.dead_letter_ratio, settings.dead_letter_window
        self._limits: dict[int, RefusalLimit] = {}
        security = kafka_security(settings)
        self._raised_before = RaisedBefore(brokers, names.alerts, security)
        specs = changelog_specs(group, settings.partitions)
        tables = [spec.name for spec in specs]
        self._keeper = Keeper(
            self.app,
            Changelog(brokers, security),
            tables=dict(zip(self.topics, tables, strict=True)),
            make={
                names.orders: self._new_market,
                names.keys: self._new_key,
                names.suspects: self._new_alert,
            },
            identity=Identity(stages.model.id, settings.partitions),
            interval_s=settings.checkpoint_interval_ms / 1000,
            adopt=settings.adopt_state,
            on_checkpoint=self.metrics.checkpoint_done,
        )
        self._keeper.before_going_on[names.suspects] = self._raised_before.look_up
        self._one_at_a_time = asyncio.Lock()
        self._alerting = asyncio.Lock()  # of its own: alerts that are held up hold up no orders
        self._quiet_moments = QuietMoments()
        self._key_news, self._alert_news = asyncio.Event(), asyncio.Event()  # ahead of the topics
        self._gone_on = 0.0  # when the key stage last went on
        self._agent(names.orders, self._observe, settings.batch_events)
        self._agent(names.keys, self._assess, FRAMES_AT_ONCE)
        self._agent(names.suspects, self._judge, FRAMES_AT_ONCE, JUDGED_AT_ONCE)
        self.app.on_partitions_assigned.connect(self._on_assigned)
        rest(self.app, self._resting)
        self.app.task(self._tell)
        self.app.task(self._assess_ahead)
        self.app.task(self._judge_ahead)
        self.app.task(self._tell_counts)

    @property
    def topics(self) -> list[str]:
        """Topics that the agents read, orders first."""
        return [self._names.orders, self._names.keys, self._names.suspects]

    def _agent(self, topic: str, handle: Handle, most: int, most_bytes: int = sys.maxsize) -> None:
        async def agent(stream: StreamT[Run]) -> None:
            if not isinstance(stream, Stream):
                raise TypeError(f"the stream of {topic} is {type(stream)}; must be Faust's Stream")
            async for event in stream.noack().events():
                owned = await self._keeper.owned(event.message.tp)
                if owned is None:
                    continue
                sent: Sent = []
                for run in event.value.portions(most_bytes):
                    self.places.begin(owned.tp, int(run.offsets[0]))
                    with self.metrics.stage(topic):
                        sent += await handle(owned.partition, owned.tp, run)
                    self.places.done(owned.tp, run.end)
                    await asyncio.sleep(0)  # let the producer begin
                done = Worked(event, stream, event.value.end, sent)
                event.value = event.message.value = None  # it waits for a checkpoint without it
                await self._keeper.worked(owned, done)

        agent.__name__ = agent.__qualname__ = topic
        self.app.agent(coalesced_topic(self.app, topic, max_records=most), name=topic)(agent)

    async def _observe(self, market: MarketPartition, tp: TP, run: Run) -> Sent:
        async with self._one_at_a_time:  # what is told of a partition must not overtake its rows
            before, now = market.events, now_ms()
            with self.metrics.counting(tp.partition, market):
                parts, refused = market.observe(run, now)
            self._quiet_moments.wait_for(now + self._patience_ms)
            self._limit(tp).take(market.events - before, [letter.refusal for letter in refused])
            self.metrics.refused(letter.refusal for letter in refused)
            sent = await self._outlet.rows(self._names.keys, parts)
            sent += await self._outlet.letters(tp, refused)
            if len(run) <= self._short_run:
                near = self._recovered(self._names.keys, KeyPartition)
                for part in parts:
                    if part.target in near:
                        near[part.target].hear(part.word, part.rows)
            if self._has_read_all():
                self._key_news.set()
            return sent

    def _has_read_all(self) -> bool:
        """Whether all orders that were fetched are read: a row waits for every partition.

        With each run alone it would go on in small portions, of which each costs as much as all.
        """
        consumer, topic = self.app.consumer, self._names.orders
        markets = self._recovered(topic, MarketPartition)
        return not isinstance(consumer, Consumer) or all(
            consumer.handed(TP(topic, number)) <= market.end for number, market in markets.items()
        )

    async def _assess(self, keys: KeyPartition, _: TP, run: Run) -> Sent:
        async with self._one_at_a_time:
            before = keys.received
            # While orders wait to be read, more is about to be due: all of it goes on together.
            suspects = keys.assess(run, all_due=self._has_read_all())
            if keys.received != before:
                self._quiet_moments.wait_for(keys.waits_for)
            return await self._hand_on(suspects) if suspects else []

    async def _judge(self, stage: AlertPartition, _: TP, run: Run) -> Sent:
        async with self._alerting:
            return await self._alert(stage.judge(run))

    async def _hand_on(self, suspects: list[Part]) -> Sent:
        """Send suspects to the alert stage, which hears of them at once if it is here."""
        sent = await self._outlet.rows(self._names.suspects, suspects)
        for stage in self._recovered(self._names.suspects, AlertPartition).values():
            for part in suspects:
                if stage.held + stage.ahead + len(part.rows) <= JUDGED_AHEAD:
                    stage.hear(part.word, part.rows)
        self._alert_news.set()
        return sent

    async def _alert(self, alerts: list[Alert]) -> Sent:
        self.metrics.alerted(alerts)
        return await self._outlet.alerts(alerts, self._raised_before.is_news)

    async def _assess_ahead(self) -> None:
        """Let the key stage go on with what it has heard of ahead of its topic."""
        while await self._hears(self._key_news):
            await self._tell_all({})

    async def _judge_ahead(self) -> None:
        """Let the alert stage go on with what it has heard of ahead of its topic."""
        name = self._names.suspects
        while await self._hears(self._alert_news):
            async with self._alerting:
                for stage in self._recovered(name, AlertPartition).values():
                    if not stage.held:
                        continue
                    with self.metrics.stage(name):
                        alerts = stage.go_on()
                    if alerts:
                        sending = self._keeper.owe(TP(name, ONLY))
                        sending.set_result(await self._alert(alerts))

    async def _hears(self, news: asyncio.Event) -> bool:
        """Wait for news, but not less than some time; False at the end."""
        await asyncio.sleep(GO_ON_EVERY_S)
        await news.wait()
        news.clear()
        return not self.app.should_stop

    async def _on_assigned(self, *sent: Any, **_: Any) -> None:
        """Count anew."""
        _, assigned = sent  # Faust sends the app first
        self._limits.clear()
        self._quiet_moments = QuietMoments()
        self.places.assigned()
        self.metrics.assigned(tp.partition for tp in assigned if tp.topic == self._names.orders)

    async def _tell(self) -> None:
        """Tell the later stages how far the earlier ones have come, since others wait to hear it.

        Now and then also where nobody is known to wait: another worker may know of somebody.
        """
        told = 0.0
        while not self.app.should_stop:
            await asyncio.sleep(TELL_EVERY_S)
            self._quiet_moments.forget_before(now_ms())
            if isinstance(self.app.consumer, Consumer):
                self.app.consumer.be_calm(self._quiet_moments.is_calm())
            now = time.monotonic()
            is_time = now - told >= TELL_AT_REST_S
            told = now if is_time else told
            quiet = await self._quiet(even_in_vain=is_time)
            is_last = now - self._gone_on >= GO_ON_AT_LAST_S
            if is_last or (quiet and self._has_read_all()):
                await self._tell_all(quiet)

    async def _quiet(self, *, even_in_vain: bool) -> dict[int, int]:
        """Give when partitions of orders were last found to have nothing more, ms."""
        consumer, topic = self.app.consumer, self._names.orders
        now = now_ms()
        markets = self._recovered(topic, MarketPartition)
        asked = [n for n in markets if even_in_vain or self._quiet_moments.is_due(n, now)]
        if not asked or not isinstance(consumer, Consumer):
            return {}
        found = await consumer.quiet(TP(topic, number) for number in asked)
        return {
            tp.partition: quiet.asked_ms
            for tp, quiet in found.items()
            if quiet.handed <= markets[tp.partition].end  # else some is still on its way here
            and (even_in_vain or self._quiet_moments.is_due(tp.partition, quiet.asked_ms))
        }

    async def _tell_all(self, quiet: Mapping[int, int]) -> None:
        """Tell each stage how far the one before it has come, and let it go on.

        Whatever is heard of ahead of a topic is on its way there already, in the same order.
        """
        async with self._one_at_a_time:
            self._gone_on = time.monotonic()
            await self._tell_keys(quiet)
            for number, keys in self._recovered(self._names.keys, KeyPartition).items():
                if not keys.held:
                    continue
                with self.metrics.stage(self._names.keys):
                    suspects = keys.go_on()
                if suspects:
                    sending = self._keeper.owe(TP(self._names.keys, number))
                    sending.set_result(await self._hand_on(suspects))
            await self._tell_alerts()

    async def _tell_keys(self, quiet: Mapping[int, int]) -> None:
        said: Words = defaultdict(list)
        for number, market in self._recovered(self._names.orders, MarketPartition).items():
            for target, word in market.words(quiet.get(number)):
                said[target].append(word)
            if number in quiet:
                self._quiet_moments.told(number, quiet[number])
        await self._outlet.words(self._names.keys, said)
        for target, keys in self._recovered(self._names.keys, KeyPartition).items():
            for word in said.get(target, ()):
                keys.hear(word)

    async def _tell_alerts(self) -> None:
        partitions = self._recovered(self._names.keys, KeyPartition).values()
        words = [word for keys in partitions for word in keys.words()]
        await self._outlet.words(self._names.suspects, {ONLY: words})
        for stage in self._recovered(self._names.suspects, AlertPartition).values():
            for word in words:
                stage.hear(word)
        if words:
            self._alert_news.set()

    def _resting(self) -> set[TP]:
        """Give the partitions of orders that rest: too many rows wait for others that are behind.

        Those go on that have not passed the first row that waits, and the last of those that are
        awaited: what it has read may be on its way.
        """
        merging = [part for part in self._all_recovered() if isinstance(part, Merging)]
        ahead: dict[int, int] = {}
        if sum(part.held for part in merging) > HELD_ROWS:
            first = min(part.held_from for part in merging)
            markets = self._recovered(self._names.orders, MarketPartition)
            clocks = {number: market.clock for number, market in markets.items()}
            ahead = {number: clock for number, clock in clocks.items() if clock > first}
            keys = self._recovered(self._names.keys, KeyPartition).values()
            awaited = clocks.keys() & {source for part in keys for source in part.behind}
            if awaited:
                ahead.pop(min(awaited, key=clocks.__getitem__), None)
        self.places.resting = {TP(self._names.orders, number) for number in ahead}
        return self.places.resting

    def _recovered(self, topic: str, kind: type[P]) -> dict[int, P]:
        found = self._keeper.recovered(topic)
        return {n: partition for n, partition in found.items() if isinstance(partition, kind)}

    def is_recovered(self) -> bool:
        """Whether the state of every partition that is assigned now is here."""
        return self._keeper.is_recovered()

    def _all_recovered(self) -> Iterator[Partition]:
        for topic in self.topics:
            yield from self._keeper.recovered(topic).values()

    async def _tell_counts(self) -> None:
        """Log every now and then what was counted since the start."""
        while not self.app.should_stop:
            await asyncio.sleep(COUNTS_S)
            log.info(" ".join(f"{name}={count}" for name, count in self.counts().items()))

    def counts(self) -> dict[str, int]:
        """Count what went through the partitions that are assigned now, and what was odd."""
        names = self._names
        markets = self._recovered(names.orders, MarketPartition).values()
        keys = self._recovered(names.keys, KeyPartition).values()
        alerts = self._recovered(names.suspects, AlertPartition).values()
        return {
            "events": sum(market.events for market in markets),
            "refused": sum(market.refused for market in markets),
            "duplicates": sum(market.duplicates for market in markets),
            "ahead": sum(market.ahead for market in markets),
            "late": sum(key.late for key in keys),
            "alerts": sum(alert.alerts for alert in alerts),
        }

    def _limit(self, tp: TP) -> RefusalLimit:
        if tp.partition not in self._limits:
            source = f"{tp.topic}[{tp.partition}]"
            self._limits[tp.partition] = RefusalLimit(source, *self._refusals)
        return self._limits[tp.partition]

    def _new_market(self, number: int) -> MarketPartition:
        stage = self._stages.market(number)
        return MarketPartition(number, self._partitions, stage, patience_ms=self._patience_ms)

    def _new_key(self, number: int) -> KeyPartition:
        return KeyPartition(number, self._partitions, self._stages.key(number))

    def _new_alert(self, _: int) -> AlertPartition:
        return AlertPartition(self._partitions, self._partitions, self._stages.alert())
