"""The coalescing transport: consecutive records of a partition reach Faust as ONE message.

Faust spends some 80 µs on each message; a run of thousands of records makes that nothing. Topics
made by `coalesced_topic` are read in runs; the worker has no others. Private parts of Faust and
aiokafka are touched here, in `fetching`, `records` and `compression`, and for new partitions in
`streams.lifecycle.feed`, which is why both are pinned exactly. Faust finds the transport by its
entry point: broker URLs `coalesced://host:port`.
"""
# ruff: noqa: SLF001 - private parts are touched, see above

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, ConsumerMessage, Message, TopicT
from mode.services import WaitResults
from typing_extensions import override

from streams.worker.begun import Begun
from streams.worker.fetching import ConsumerThread, Quiet
from streams.worker.runs import Run

MAX_RECORDS: Final = 4096
REST_SECONDS: Final = 0.02

log = logging.getLogger(__name__)


class RawSchema(faust.Schema[Any, Any]):
    """Hands keys and values on as they are: bytes, or a `Run`."""

    @override
    def loads_key(
        self, app: AppT, message: Message, *, loads: Any = None, serializer: Any = None
    ) -> Any:
        return message.key

    @override
    def loads_value(
        self, app: AppT, message: Message, *, loads: Any = None, serializer: Any = None
    ) -> Any:
        return message.value


class Consumer(driver.Consumer):
    """Reads coalesced topics in runs, and commits the end of their longest finished prefix.

    Faust's own bookkeeping of single offsets, with its gaps, is left to the other topics.
    """

    transport: "Transport"
    _thread: ConsumerThread

    def __init__(self, transport: "Transport", *args: Any, **kwargs: Any) -> None:
        self._coalesced = transport.coalesced
        self._in_flight: defaultdict[TP, deque[tuple[Message, int]]] = defaultdict(deque)
        self._finished: dict[TP, int] = {}
        self._handed_on: dict[TP, int] = {}  # end of the last run
        self._failed = False
        super().__init__(transport, *args, **kwargs)

    @override
    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, in_runs=self._coalesced, loop=self.loop, beacon=self.beacon)

    @override
    async def _getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> Mapping[TP, list[Any]]:
        left_alone = self._left_alone()
        if active_partitions is not None:
            # In a set of our own: Faust adds to its one while the fetch waits, before it seeks.
            active_partitions = active_partitions - left_alone
            if left_alone:
                timeout = min(timeout, REST_SECONDS)
            if not active_partitions:  # which aiokafka takes for all
                await asyncio.sleep(REST_SECONDS)
                return {}
        return await super()._getmany(active_partitions, timeout)

    def _left_alone(self) -> set[TP]:
        """Give the partitions that are not to be read now.

        Faust would read in a rebalance, too, and once more after its seek to the committed offsets.
        Its own way to pause a partition loses what is on its way.
        """
        if self.app.rebalancing:
            return {tp for tp in self._active_partitions if tp.topic in self._coalesced}
        return self.transport.resting()

    @override
    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Run):
            return super()._to_message(tp, record)
        run: Any = replace(record, begin=self._handed_on.get(tp))  # Faust awaits bytes
        self._handed_on[tp] = run.end
        message = ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=run.end - 1,
            timestamp=run.timestamps[-1] / 1000,
            timestamp_type=0,  # that of the first record may not be that of the last
            headers=None,
            key=None,
            value=run,
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )
        # Without a read offset Faust neither looks for gaps nor drops what lies before it.
        self._read_offset[tp] = None
        committed = self._committed_offset[tp]
        if committed is not None and run.offsets[0] < committed:
            log.warning("%s begins anew at %d, below its commit %d", tp, run.offsets[0], committed)
            self._committed_offset[tp] = None
        self._in_flight[tp].append((message, run.end))
        return message

    @override
    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:
        # So Faust hands over each message, beside a wait for suspension: four tasks, whose turns
        # all the work of the last fetch may come between, and the next fetch waits for them.
        match coros:
            case [Coroutine() as handing_over, Coroutine() as suspended]:
                left = Begun.of(handing_over)
                if left is None:
                    suspended.close()
                    return WaitResults([], [], stopped=False)
                coros = (left, suspended)
        return await super().wait_first(*coros, timeout=timeout)

    def handed(self, tp: TP) -> int:
        """Give the offset behind the last record that was fetched and handed over, or 0."""
        return self._thread.handed.get(tp, 0)

    async def quiet(self, partitions: Iterable[TP]) -> dict[TP, Quiet]:
        """Give those of the partitions that are read to their end, and as of when."""
        return {} if self.app.rebalancing else await self._thread.quiet(partitions)

    def be_calm(self, is_calm: bool) -> None:
        """Ask less often for news while nobody waits to hear that there are none."""
        self._thread.is_calm = is_calm

    async def committed(self, tp: TP) -> int | None:
        """Give the offset that the group has committed, None where it has none."""
        consumer = self._thread._ensure_consumer()
        found = await self._thread.call_thread(consumer.committed, driver.ensure_aiokafka_TP(tp))
        return None if found is None else int(found)

    async def commit_now(self, tp: TP) -> bool:
        """Commit what is acknowledged of a coalesced partition.

        True says that the group took it, and so that the partition was still ours.
        """
        offset = self._new_offset(tp)
        if offset is None or tp not in self.assignment():
            return False
        if not await self._commit({tp: offset}) or tp not in self.assignment():
            return False
        self._committed_offset[tp] = offset
        return True

    @override
    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self._coalesced:
            return super()._new_offset(tp)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        in_flight = self._in_flight[tp]
        # Faust acks untracked what it skips in a rebalance: that was not processed.
        while in_flight and in_flight[0][0].acked and in_flight[0][0].tracked:
            _, self._finished[tp] = in_flight.popleft()
        return self._finished.get(tp)

    @override
    def on_buffer_full(self, tp: TP) -> None:
        # A full queue of runs simply holds the fetcher up; left to itself Faust stops fetching the
        # partition, and once all are stopped sleeps for a second.
        if tp.topic not in self._coalesced:
            super().on_buffer_full(tp)

    @override
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._forget(revoked)
        await super().on_partitions_revoked(revoked)

    @override
    async def perform_seek(self) -> None:
        if self.app.should_stop:  # Faust seeks once more, before it commits what was finished
            return
        self._forget(list(self._in_flight))
        await super().perform_seek()
        # It leaves a partition without a commit where it was, past what was fetched and dropped.
        uncommitted = [
            tp
            for tp in self.assignment()
            if tp.topic in self._coalesced and self._committed_offset[tp] is None
        ]
        if uncommitted:
            await self._thread.seek_to_reset(*uncommitted)

    @override
    async def seek(self, partition: TP, offset: int) -> None:
        self._forget([partition])
        await super().seek(partition, offset)

    def _forget(self, partitions: Iterable[TP]) -> None:
        """Drop what is in flight where reading starts again; late acks of it count for nothing."""
        for tp in partitions:
            self._in_flight.pop(tp, None)
            self._finished.pop(tp, None)
            self._handed_on.pop(tp, None)

    @override
    async def on_task_error(self, exc: BaseException) -> None:
        # Faust would commit, and ack the very event that the agent failed on.
        self._failed = True
        await self.app.crash(exc)

    @override
    async def commit_and_end_transactions(self) -> None:
        # A commit that is under way knows nothing of later acks, and Faust leaves it at that.
        while await self.maybe_wait_for_commit_to_finish():
            pass
        await super().commit_and_end_transactions()

    @override
    async def force_commit(self, *args: Any, **kwargs: Any) -> bool:
        return False if self._failed else await super().force_commit(*args, **kwargs)


class Producer(driver.Producer):
    """The driver's producer, whose retries write nothing twice."""

    @override
    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(driver.Transport):
    """The driver's transport with the coalescing consumer."""

    Consumer = Consumer
    Producer = Producer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.coalesced: dict[str, int] = {}  # most records of a run, by topic
        self.resting: Callable[[], set[TP]] = set  # gives partitions to be left alone for a while


def rest(app: faust.App, resting: Callable[[], set[TP]]) -> None:
    """Let partitions of coalesced topics be left alone for as long as `resting` gives them."""
    _transport(app).resting = resting


def coalesced_topic(
    app: faust.App, name: str, *, max_records: int = MAX_RECORDS, **options: Any
) -> TopicT:
    """Topic whose agent gets a `Run` of at most `max_records` at a time as its value."""
    if max_records < 1:
        raise ValueError(f"max_records of topic {name} is {max_records}; must be > 0")
    _transport(app).coalesced[name] = max_records
    return app.topic(name, schema=RawSchema(), **options)


def _transport(app: faust.App) -> Transport:
    transport = app.transport
    if not isinstance(transport, Transport):
        raise TypeError(f"broker of the app is {app.conf.broker}; must be coalesced://host:port")
    return transport
