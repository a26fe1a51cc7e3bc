"""The state of the partitions that a worker owns: recovered, saved, and then acknowledged.

What was read is acknowledged only when the state that contains it lies in the changelog, and what
came of it with the brokers. Outputs never wait for a checkpoint; only commits do.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.streams import Stream
from faust.types import TP, EventT
from msgspec.structs import replace

from streams.clock import now_ms
from streams.worker.changelog import Changelog
from streams.worker.checkpoints import (
    AFRESH,
    Checkpoints,
    Found,
    Identity,
    StateError,
    find,
    layout_of,
    pack,
)
from streams.worker.partitions import Partition
from streams.worker.runs import Run
from streams.worker.runtime import App
from streams.worker.transport import Consumer

NOTHING: Final = -1
UNDELIVERED: Final = 10_000  # runs of which something is still on its way to the brokers, at most
AGAIN_S: Final = 1.0  # until brokers that were away are asked once more
STOP_S: Final = 6.0  # for a last checkpoint, of the ten seconds that a worker has to stop

log = logging.getLogger(__name__)

T = TypeVar("T")
Sending = asyncio.Future[list[Awaitable[Any]]]  # messages that are about to be on their way


@dataclass(frozen=True, slots=True)
class Worked:
    """A run that was worked through."""

    event: EventT[Run]
    stream: Stream[Run]
    end: int  # offset behind it
    sent: list[Awaitable[Any]]  # what came of it, on its way to the brokers


@dataclass(eq=False, slots=True)
class Owned:
    """One partition, as long as it is assigned without a break."""

    tp: TP
    log: TopicPartition  # its changelog
    partition: Partition | None = None  # None until it is recovered
    checkpoints: Checkpoints | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)  # recovered, or gone
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)  # with a checkpoint
    written: int = NOTHING  # behind our last record in the changelog
    saved: int = NOTHING  # end of the input that the last checkpoint contains
    kept: int = NOTHING  # from where on the input must be had again to go on from it
    delivered: int = NOTHING  # what came of the input up to here lies with the brokers
    moved: asyncio.Event = field(default_factory=asyncio.Event)  # `delivered` has moved
    waiting: deque[Worked] = field(default_factory=deque)  # for an acknowledgement
    owed: list[Sending] = field(default_factory=list)  # what came of more than the input so far
    is_revoked: bool = False  # until it is assigned again, or gone
    is_gone: bool = False

    def drop(self) -> None:
        """Note that it is owned no more."""
        self.is_gone = True
        self.settled.set()
        self.moved.set()


class Keeper:
    """Keeps the partitions of some topics.

    `make` makes a new partition, by topic; `tables` names its table, by topic. What is put into
    `before_going_on`, by topic, is done before a partition goes on from a state that was left.
    """

    def __init__(
        self,
        app: App,
        changelog: Changelog,
        *,
        tables: Mapping[str, str],
        make: Mapping[str, Callable[[int], Partition]],
        identity: Identity,
        interval_s: float,
        adopt: bool,
        on_checkpoint: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._app = app
        self._changelog = changelog
        self._tables = tables
        self._make = make
        self._identity = identity
        self._interval_s = interval_s
        self._adopt = adopt
        self._on_checkpoint = on_checkpoint
        self.before_going_on: dict[str, Callable[[], Awaitable[None]]] = {}
        self._owned: dict[TP, Owned] = {}
        self._handled: asyncio.Queue[tuple[Owned, Worked]] = asyncio.Queue(UNDELIVERED)
        self._opening: set[asyncio.Task[None]] = set()
        self._is_stopped = False
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_partitions_assigned.connect(self._on_assigned)
        app.before_stop.append(self._stop)
        app.task(self._deliver)
        app.task(self._checkpoint_now_and_then)

    def recovered(self, topic: str) -> dict[int, Partition]:
        """Give the partitions of a topic whose state is here."""
        return {
            tp.partition: owned.partition
            for tp, owned in self._owned.items()
            if tp.topic == topic and owned.partition is not None
        }

    def is_recovered(self) -> bool:
        """Whether the state of every partition that is assigned now is here."""
        return all(owned.partition is not None for owned in self._owned.values())

    async def owned(self, tp: TP) -> Owned | None:
        """Wait until the state of a partition is here; None when it is owned no more."""
        while (owned := self._owned.get(tp)) is not None and owned.partition is None:
            await owned.settled.wait()
            if owned.is_gone and self._owned.get(tp) is owned:
                return None
        return owned

    async def worked(self, owned: Owned, done: Worked) -> None:
        """Take over a run that was worked through, to acknowledge it in time.

        Waits while too many others have not reached the brokers.
        """
        await self._handled.put((owned, done))

    def owe(self, tp: TP) -> Sending:
        """Promise what comes of rows that a partition knows ahead of its topic.

        No checkpoint that contains them is complete before that lies with the brokers.
        """
        sending: Sending = asyncio.get_running_loop().create_future()
        if owned := self._owned.get(tp):
            owned.owed.append(sending)
            if len(owned.owed) > UNDELIVERED:
                owned.owed = [promise for promise in owned.owed if not _is_delivered(promise)]
        return sending

    async def checkpoint(self) -> None:
        """Save every partition of which something was read."""
        for owned in list(self._owned.values()):
            await self._checkpoint(owned)

    async def _deliver(self) -> None:
        """See that what came of each run reaches the brokers, in order."""
        while True:
            owned, done = await self._handled.get()
            for sent in done.sent:
                await sent
            owned.waiting.append(done)
            owned.delivered = max(owned.delivered, done.end)
            owned.moved.set()

    async def _checkpoint_now_and_then(self) -> None:
        while not self._app.should_stop:
            await self._app.sleep(self._interval_s)
            await self.checkpoint()

    async def _checkpoint(self, owned: Owned) -> None:
        partition = owned.partition
        async with owned.busy:
            if owned.is_gone or partition is None or self._is_stopped:
                return
            # What was held back may have gone on without any more input.
            if (partition.end, partition.again_from) != (owned.saved, owned.kept):
                await self._save(owned, partition)
            await self._acknowledge(owned, owned.kept)

    async def _save(self, owned: Owned, partition: Partition) -> None:
        checkpoints = owned.checkpoints
        if checkpoints is None:
            raise RuntimeError(f"{owned.tp} is saved before it was recovered")
        end, again_from = partition.end, partition.again_from
        owed, owned.owed = owned.owed, []
        cut = checkpoints.cut(partition.snapshot(), end, partition.born)
        packed = await asyncio.to_thread(pack, cut)
        records, header = checkpoints.seal(cut, packed)
        owned.written = await self._changelog.write(owned.log, records) or owned.written
        while owned.delivered < end and not owned.is_gone and owned.saved != NOTHING:
            owned.moved.clear()
            await owned.moved.wait()
        for promise in owed:
            for sent in await promise:
                await sent
        if owned.is_gone:
            return
        owned.written = await self._changelog.write(owned.log, [header]) or owned.written
        owned.saved, owned.kept = end, again_from
        self._on_checkpoint(packed.size)

    async def _acknowledge(self, owned: Owned, until: int) -> None:
        """Acknowledge and commit what is contained in the last checkpoint and not held back."""
        acked = False
        while owned.waiting and owned.waiting[0].end <= until:
            done = owned.waiting.popleft()
            await done.stream.ack(done.event)
            acked = True
        consumer, checkpoints = self._app.consumer, owned.checkpoints
        if not acked or checkpoints is None or not isinstance(consumer, Consumer):
            return
        if await consumer.commit_now(owned.tp) and not owned.is_gone:
            needless = checkpoints.needless()
            owned.written = await self._changelog.write(owned.log, needless) or owned.written

    async def _on_revoked(self, *sent: Any, **_: Any) -> None:
        """Acknowledge nothing more in this generation."""
        _, revoked = sent  # Faust sends the app first
        for tp in revoked:
            if tp in self._owned:
                self._owned[tp].is_revoked = True
                self._owned[tp].waiting.clear()  # all of it is read again

    async def _on_assigned(self, *sent: Any, **_: Any) -> None:
        _, assigned = sent
        before, self._owned = self._owned, {}
        for tp in assigned:
            if tp.topic in self._tables:
                self._owned[tp] = Owned(tp, TopicPartition(self._tables[tp.topic], tp.partition))
                self._begin(self._open(self._owned[tp], before.pop(tp, None)))
        for gone in before.values():
            gone.drop()

    async def _open(self, owned: Owned, before: Owned | None) -> None:
        """Have the state of a partition here: that of before, or the one in its changelog."""
        try:
            if before is not None:
                await before.settled.wait()
            if before is not None and await _patiently(partial(self._is_current, before)):
                if self._owned.get(owned.tp) is owned:
                    before.is_revoked = False
                    self._owned[owned.tp] = before
                owned.drop()
                return
            if before is not None:
                before.drop()
            await _patiently(partial(self._recover, owned))
        except Exception as error:  # whatever it is, the worker cannot go on
            await self._app.crash(error)
            owned.drop()
        owned.settled.set()

    async def _is_current(self, before: Owned) -> bool:
        """Whether nobody else has written to the changelog, so that the state here is the last."""
        async with before.busy:
            if before.partition is None:
                return False
            return await self._changelog.end(before.log) == before.written

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _recover(self, owned: Owned) -> None:
        began = time.monotonic()
        # Before the changelog, which always holds at least as much: another worker may yet write.
        committed = await self._committed(owned.tp)
        contents, end = await self._changelog.read(owned.log)
        partition = self._make[owned.tp.topic](owned.tp.partition)
        found = await asyncio.to_thread(self._find, contents, partition)
        owned.checkpoints = Checkpoints(self._of(partition), found)
        if found is None:
            partition.born = now_ms()
            await self._save(owned, partition)
            if owned.is_revoked:  # its next owner may have looked before this was written, and
                owned.drop()  # who hears of two beginnings listens to the later one alone
                return
        else:
            await asyncio.to_thread(partition.restore, found.records, found.values)
            owned.written, owned.saved = end, found.header.end
            owned.kept = partition.again_from
            if prepare := self.before_going_on.get(owned.tp.topic):
                await prepare()
        await self._require_no_gap(owned.tp, partition, committed)
        name, took = f"{owned.tp.topic}[{owned.tp.partition}]", time.monotonic() - began
        log.info("state of %s up to offset %d is here after %.2f s", name, partition.end, took)
        owned.delivered = partition.end
        owned.partition = partition

    async def _committed(self, tp: TP) -> int | None:
        consumer = self._app.consumer
        return await consumer.committed(tp) if isinstance(consumer, Consumer) else None

    async def _require_no_gap(self, tp: TP, partition: Partition, committed: int | None) -> None:
        """Refuse to read on where events would be left out, or taken for known ones."""
        end = await self._changelog.end(TopicPartition(tp.topic, tp.partition))
        if end < partition.end:
            raise StateError(
                f"{tp.topic}[{tp.partition}] ends at offset {end}, but the state in its changelog "
                f"contains it up to {partition.end}: the topic was made anew; {AFRESH}"
            )
        begin = await self._changelog.begin(TopicPartition(tp.topic, tp.partition))
        if begin > partition.again_from:
            lost = begin - partition.again_from
            log.error("%d records of %s were deleted before they were read", lost, tp)
            partition.expect_gap()
        is_at_end = committed is None and self._app.conf.consumer_auto_offset_reset == "latest"
        if is_at_end and partition.end and partition.again_from < end:
            raise StateError(
                f"the group has committed nothing, or forgotten it, and would begin "
                f"{tp.topic}[{tp.partition}] at its end, but the state in its changelog ends at "
                f"{partition.again_from}: set the group to that offset, or start it once with "
                "--auto-offset-reset earliest, which passes over what the state contains"
            )
        if (committed or 0) > partition.again_from:
            raise StateError(
                f"the group has read {tp.topic}[{tp.partition}] up to offset {committed}, but the "
                f"state in its changelog ends at {partition.again_from}: set the group back to "
                f"that offset, or {AFRESH}"
            )

    def _find(self, contents: Mapping[bytes, bytes], partition: Partition) -> Found | None:
        return find(contents, self._of(partition), partition.snapshot(), adopt=self._adopt)

    def _of(self, partition: Partition) -> Identity:
        return replace(self._identity, kind=partition.kind, layout=layout_of(partition.records()))

    async def _stop(self) -> None:
        """Save everything a last time, unless something failed, and let go of the changelogs."""
        opening = [task for task in self._opening if task is not asyncio.current_task()]
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        if self._app.crash_reason is None:
            try:
                async with asyncio.timeout(STOP_S):
                    await self.checkpoint()
            except TimeoutError:
                log.warning("no time for a last checkpoint: what is not in it is read again")
        self._is_stopped = True
        await self._changelog.stop()


def _is_delivered(promise: Sending) -> bool:
    """Whether all that was promised lies with the brokers, so that nobody need wait for it."""
    sent = promise.result() if promise.done() else [promise]
    return all(asyncio.isfuture(each) and each.done() and not each.exception() for each in sent)


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do it again as long as the brokers are away: what a worker does that has its state, too."""
    while True:
        try:
            return await work()
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("a state waits for the brokers: %s", error)
        await asyncio.sleep(AGAIN_S)
