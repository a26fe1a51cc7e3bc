"""Looks after a running worker: asks the brokers where topics end, and ends a worker that hangs.

Three lines of defence, each for what the one before cannot see. A partition that stands still, or a
worker that does not become ready, ends the worker in good order. An event loop that is blocked is
seen by a thread, which ends the process. Should even Python not run any more, a timer does.
"""

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import faust
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError
from faust.types import TP
from typing_extensions import override

from streams.watch.watchdog import EXIT_HUNG, Progress, StalledError, Stillness, Watchdog

LOOKS: Final = 12  # in the time that the watchdog allows
SLOWEST_S: Final = 5.0  # between two looks
SOON_S: Final = 0.1
UNREADY: Final = 10  # times as long as a partition may stand still, a worker may be unready
NO_PYTHON: Final = 2  # times as long, Python may not run

log = logging.getLogger(__name__)


class Watch:
    """What is known from outside of a worker's progress.

    `topics` are those that the worker reads, `limit_s` is how long a partition of them may stand
    still while its lag grows, 0 for ever; `is_recovered` says whether their state is here.
    """

    def __init__(
        self,
        app: faust.App,
        progress: Progress,
        topics: Sequence[str],
        limit_s: float,
        is_recovered: Callable[[], bool] = lambda: True,
    ) -> None:
        self._app = app
        self._progress = progress
        self._topics = frozenset(topics)
        self._asked_anyway = TP(topics[0], 0)  # so that a worker without partitions knows, too
        self._limit_s = limit_s
        self._is_recovered = is_recovered
        self.interval_s = min(SLOWEST_S, limit_s / LOOKS) if limit_s else SLOWEST_S
        self._dog = Watchdog(limit_s or float("inf"), self.interval_s)
        self._unready = Stillness(self.interval_s)
        self._times_ready = 0
        self._reached: float | None = None  # when the brokers last answered
        self._asking: asyncio.Task[Mapping[TP, int]] | None = None

    def not_ready(self) -> str:
        """Say why the worker is not doing its work; empty when it is.

        A worker to which no partition fell, because others have them all, is ready for the next.
        """
        if not self._app.rebalancing_count:
            return "not assigned: it has not joined its group yet"
        if self._app.rebalancing:
            return "not assigned: its group is rebalancing"
        if not self._is_recovered():
            return "not recovered: its state is being rebuilt"
        if self._reached is None or time.monotonic() - self._reached > 3 * self.interval_s + 1.0:
            return "brokers not reached: they have not answered lately"
        return ""

    async def run(self) -> None:
        """Look after the worker for as long as it runs.

        Raises
        ------
        StalledError
            If it does not get on any more.
        """
        with _loop_guard(self._limit_s) as beat:
            beating = asyncio.create_task(_keep_beating(beat, self.interval_s))
            try:
                await self._look_after()
            finally:
                beating.cancel()

    async def _look_after(self) -> None:
        await self._look_soon()
        while True:
            await asyncio.sleep(self.interval_s)
            ends = await self._ask()
            reason = self.not_ready()
            self._times_ready += not reason
            seconds = self._unready.look(self._times_ready, time.monotonic())
            if self._limit_s and seconds > UNREADY * self._limit_s:
                raise StalledError(f"the worker has not been ready for {seconds:.0f} s: {reason}")
            if ends is None or self._app.rebalancing or not self._is_recovered():
                self._dog.forget()
            else:
                self._judge()

    async def _look_soon(self) -> None:
        """Ask the brokers as soon as the group is joined: before they answer, nobody is ready."""
        waited = 0.0
        while waited < self.interval_s and (
            self._app.rebalancing or not self._app.rebalancing_count
        ):
            await asyncio.sleep(SOON_S)
            waited += SOON_S
        await self._ask()

    def _judge(self) -> None:
        wrong = self._dog.look(self._progress.moving(), time.monotonic())
        if wrong:
            first = self._progress.in_hand
            told = wrong.get(first) if first else None
            others = f" (and {len(wrong) - 1} other partitions)" if len(wrong) > 1 else ""
            raise StalledError(f"{told or next(iter(wrong.values()))}{others}")

    async def _ask(self) -> Mapping[TP, int] | None:
        """Learn where the partitions of this worker end; None where the brokers do not say."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._find_ends())
        await asyncio.wait([self._asking], timeout=self.interval_s)
        if not self._asking.done():
            return None
        asked, self._asking = self._asking, None
        try:
            ends = asked.result()
        except (KafkaError, FaustError, OSError, TimeoutError) as error:
            log.warning("brokers do not say where topics end: %s: %s", type(error).__name__, error)
            return None
        self._reached = time.monotonic()
        self._progress.ends.update(ends)
        return ends

    async def _find_ends(self) -> Mapping[TP, int]:
        consumer = self._app.consumer
        assigned = {tp for tp in consumer.assignment() if tp.topic in self._topics}
        ends: Mapping[TP, int] = await consumer.highwaters(*(assigned | {self._asked_anyway}))
        for tp in assigned - self._progress.offsets.keys():
            at = await consumer.position(tp)
            if at is not None:
                self._progress.offsets.setdefault(tp, at)
        return {tp: end for tp, end in ends.items() if tp in assigned}


async def _keep_beating(beat: Callable[[], None], interval_s: float) -> None:
    while True:
        beat()
        await asyncio.sleep(min(1.0, interval_s))


@contextmanager
def _loop_guard(limit_s: float) -> Iterator[Callable[[], None]]:
    """Give what the event loop has to call now and then, or else the process ends."""
    if not limit_s:
        yield lambda: None
        return
    guard = _Guard(limit_s)
    guard.start()
    try:
        yield guard.beat
    finally:
        guard.stop()


class _Guard(threading.Thread):
    """Ends the process when `beat` has not been called for `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(name="loop-guard", daemon=True)
        self._limit_s = limit_s
        self._tick_s = min(1.0, limit_s / LOOKS)
        self._beats = 0
        self._stopped = threading.Event()
        self._watched = threading.get_ident()

    def beat(self) -> None:
        self._beats += 1

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        faulthandler.cancel_dump_traceback_later()

    @override
    def run(self) -> None:
        still = Stillness(self._tick_s)
        while not self._stopped.wait(self._tick_s):
            # A kernel that never ends keeps Python from running, and this thread with it.
            faulthandler.dump_traceback_later(NO_PYTHON * self._limit_s, exit=True, file=2)
            seconds = still.look(self._beats, time.monotonic())
            if seconds >= self._limit_s:
                self._end(seconds)

    def _end(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - documented all the same
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"
        # Not through logging: whatever is blocked may hold its lock.
        told = (
            f"the event loop has been blocked for {seconds:.0f} s, at {where}; ending the process"
        )
        os.write(2, f"{told}\n".encode())
        os._exit(EXIT_HUNG)
