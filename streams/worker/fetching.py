"""The thread that fetches: how often it asks the brokers, and what it knows of empty partitions."""
# ruff: noqa: SLF001 - private parts of Faust's driver and of aiokafka, as in the transport

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.protocol.fetch import FetchRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from typing_extensions import override

from streams.clock import now_ms
from streams.worker.event_loop import new_event_loop
from streams.worker.records import FetchedRuns
from streams.worker.runs import Run

FETCH_EVERY_S: Final = 0.005  # from a broker: what comes meanwhile comes in one run
CALM_FETCH_EVERY_S: Final = 0.025
FETCH_WAIT_MS: Final = 20  # a broker without news says so after as long
CALM_FETCH_WAIT_MS: Final = 100
AHEAD_AFTER_S: Final = 0.1  # without a reader: what is fetched ahead of one grows old meanwhile


@dataclass(frozen=True, slots=True)
class Quiet:
    """A partition as a fetch found it that had nothing more to give."""

    asked_ms: int  # when the fetch was sent: nothing that was there by then is missing
    handed: int  # offset behind the last record that left the driver since the start


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The driver's thread, which knows when each partition was last found empty.

    It rests for a moment between two fetches from a broker, so that a trickle of records does not
    come one by one, each of which costs as much as a run. In calm times it rests longer: the
    embedded broker, unlike Kafka, does not hold an empty fetch back, and the routine would spin.
    The topics `in_runs` are read in runs of at most so many records.
    """

    def __init__(self, *args: Any, in_runs: Mapping[str, int], **kwargs: Any) -> None:
        self._in_runs = in_runs
        self._answers: dict[Any, Any] = {}  # to the last fetch, by node
        self._asked_ms: dict[TP, int] = {}  # when the fetch was sent that was answered last
        self.handed: dict[TP, int] = {}  # offset behind the last record that left the driver
        self._wanted = asyncio.Event()  # somebody waits for records
        self.is_calm = False  # nobody waits to hear that a partition is empty
        super().__init__(*args, thread_loop=new_event_loop(), **kwargs)
        self._close_thread_loop_on_stop = True  # though mode did not make it

    async def quiet(self, partitions: Iterable[TP]) -> dict[TP, Quiet]:
        """Give those of the partitions that are read to their end."""
        found: dict[TP, Quiet] = await self.call_thread(self._quiet, list(partitions))
        return found

    async def _quiet(self, partitions: list[TP]) -> dict[TP, Quiet]:
        # In the thread, where a position moves in one step with what is handed over.
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return {}
        found = {}
        for tp in partitions:
            state = subscription.assignment.state_value(driver.ensure_aiokafka_TP(tp))
            asked = self._asked_ms.get(tp)
            if state is None or asked is None or state.highwater is None:
                continue
            if state.has_valid_position and state.position >= state.highwater:
                found[tp] = Quiet(asked, self.handed.get(tp, 0))
        return found

    @override
    def close(self) -> None:
        """Leave it to `stop` to close the consumer, in this thread.

        Faust calls this for a rebalance that comes while the app stops. Its own closes the consumer
        from the main loop, and `stop` takes it for closed while its tasks still run.
        """

    @override
    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        self._wanted.set()
        fetched = await super()._fetch_records(*args, **kwargs)
        if fetched:
            self._wanted.clear()
        for tp, records in fetched.items():
            last = records[-1]
            end = last.end if isinstance(last, Run) else last.offset + 1
            self.handed[TP(tp.topic, tp.partition)] = end
        return fetched

    def _note(self, assignment: Any, request: Any, asked_ms: int) -> None:
        """Note when each partition of a fetch was asked for, if it was answered."""
        for topic, partitions in request.topics:
            for number, *_ in partitions:
                state = assignment.state_value(TopicPartition(topic, number))
                if state is not None and (state.timestamp or 0) >= asked_ms:
                    self._asked_ms[TP(topic, number)] = asked_ms

    def _read_in_runs(self, fetched: Mapping[TopicPartition, Any], answer: Any) -> None:
        """Let what has just been fetched be read in runs."""
        for topic, partitions in answer.topics:
            most = self._in_runs.get(topic, 0)
            for number, *_, data in partitions if most else ():
                result = fetched.get(TopicPartition(topic, number))
                if isinstance(result, FetchResult) and result.has_more():
                    found = result._partition_records
                    if isinstance(found, PartitionRecords):  # else it was there before
                        result._partition_records = FetchedRuns(found, data, most)

    async def seek_to_reset(self, *partitions: TP) -> None:
        """Seek to where a group without a commit begins, `consumer_auto_offset_reset`."""
        consumer = self._ensure_consumer()
        earliest = self.app.conf.consumer_auto_offset_reset == "earliest"
        seek = consumer.seek_to_beginning if earliest else consumer.seek_to_end
        await self.call_thread(seek, *map(driver.ensure_aiokafka_TP, partitions))

    async def _reader_comes(self) -> None:
        """Wait until somebody wants records, not for long: who looks up a position waits, too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AHEAD_AFTER_S):
                await self._wanted.wait()

    @override
    async def on_start(self) -> None:
        await super().on_start()
        fetcher = self._ensure_consumer()._fetcher
        fetch, send = fetcher._proc_fetch_request, fetcher._client.send

        async def noted(node: Any, request: Any, **more: Any) -> Any:
            answer = await send(node, request, **more)
            if isinstance(request, FetchRequest):
                self._answers[node] = answer
            return answer

        async def watched(assignment: Any, node: Any, request: Any) -> bool:
            await self._reader_comes()
            asked_ms, started = now_ms(), time.monotonic()
            fetcher._fetch_max_wait_ms = CALM_FETCH_WAIT_MS if self.is_calm else FETCH_WAIT_MS
            fetched: bool = await fetch(assignment, node, request)
            if (task := asyncio.current_task()) and task.cancelling():
                return False  # aiokafka's own has taken it for an answer without records
            self._note(assignment, request, asked_ms)
            answer = self._answers.pop(node, None)
            if fetched:  # the routine says so only when this task is done
                self._read_in_runs(fetcher._records, answer)
                for waiter in fetcher._fetch_waiters:
                    fetcher._notify(waiter)
            every = CALM_FETCH_EVERY_S if self.is_calm else FETCH_EVERY_S
            await asyncio.sleep(started + every - time.monotonic())
            # Else the routine, if woken by a reader just now, takes the node for busy for 0.2 s.
            fetcher._in_flight.discard(node)
            return fetched

        async def until_called_off(assignment: Any, node: Any, request: Any) -> bool:
            # The routine cancels its fetches and waits for them, deaf to its own end meanwhile; one
            # that ended as cancelled would end the thread.
            with contextlib.suppress(asyncio.CancelledError):
                return await watched(assignment, node, request)
            return False

        fetcher._client.send = noted
        fetcher._proc_fetch_request = until_called_off
