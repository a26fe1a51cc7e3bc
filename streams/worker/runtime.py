"""The Faust app in its safe configuration, and the loop that runs a worker until it is told to end.

Nothing of the detector is here. Exit codes: 0 told to stop, 1 something failed, 3 hung when told
to stop.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT
from typing_extensions import override

from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.signals import was_told
from streams.topics import FRAME_BYTES, MEBIBYTE, worker_group
from streams.watch.watchdog import EXIT_HUNG
from streams.worker.compression import keep_compressors
from streams.worker.event_loop import new_event_loop

STOP_SECONDS: Final = 10.0
EXIT_FAILED: Final = 1

Companion: TypeAlias = Callable[[], Coroutine[Any, Any, None]]  # runs beside the worker

log = logging.getLogger(__name__)


class App(faust.App):
    """Faust app that keeps nothing on disk, and has something to do before it stops."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.before_stop: list[Callable[[], Awaitable[None]]] = []  # while it still reads
        super().__init__(*args, **kwargs)

    @override
    async def on_first_start(self) -> None:
        """Faust would make its data directories here."""

    @override
    async def on_stop(self) -> None:
        for work in self.before_stop:
            await work()
        await super().on_stop()


def build_app(
    brokers: list[str],
    *,
    group: str = worker_group("roguekey"),
    offset_reset: Literal["earliest", "latest"] = "earliest",
    commit_seconds: float = 1.0,
    buffered_runs: int = 8,
    session_s: float = 45.0,
    **more: Any,
) -> App:
    """Faust app on `brokers` (`host:port` each), which coalesces the topics that ask for it.

    `group` is the consumer group, `offset_reset` where the very first start begins to read,
    `buffered_runs` how many runs may wait for an agent, `session_s` after how long without a word
    from it the group gives its partitions to others.
    Anything else that Faust has a setting for goes into `more`, such as `broker_credentials`.
    """
    keep_compressors()
    settings: dict[str, Any] = {
        "broker": [f"coalesced://{address}" for address in brokers],
        "autodiscover": False,
        "web_enabled": False,
        "store": "memory://",
        "processing_guarantee": "at_least_once",
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "consumer_auto_offset_reset": offset_reset,
        "consumer_max_fetch_size": 2 * MEBIBYTE,
        "broker_max_poll_records": 32,  # of coalesced topics: runs
        "broker_commit_interval": commit_seconds,
        "broker_session_timeout": session_s,
        "broker_heartbeat_interval": min(3.0, session_s / 3),
        "broker_request_timeout": max(90.0, session_s + 1.0),
        "stream_buffer_maxsize": buffered_runs,
        "stream_wait_empty": False,
        "producer_acks": -1,
        "producer_linger": 0.005,
        "producer_max_batch_size": MEBIBYTE,
        "producer_max_request_size": FRAME_BYTES,
        "producer_compression_type": "zstd",  # which readers with kafka-python have, too
        "worker_redirect_stdouts": False,
    }
    return App(group, **(settings | more))


def faust_credentials(settings: Settings) -> CredentialsT | None:
    """Give Faust's `broker_credentials`; None where nothing is secured. Raises `ConfigError`."""
    arguments = kafka_security(settings)
    context = arguments.get("ssl_context")
    if "sasl_mechanism" not in arguments:
        return SSLCredentials(context) if context else None
    return SASLCredentials(
        username=arguments["sasl_plain_username"],
        password=arguments["sasl_plain_password"],
        ssl_context=context,
        mechanism=arguments["sasl_mechanism"],
    )


def run_worker(
    app: faust.App, *, stop_seconds: float = STOP_SECONDS, companions: Sequence[Companion] = ()
) -> int:
    """Run the app until SIGTERM, SIGINT or a failure, and give the exit code.

    Companions run beside the app; one that ends, ends the worker. A worker that has not stopped
    `stop_seconds` after it was told to, or failed, ends the process on the spot: what it had not
    committed is read again.
    """
    patience = threading.Timer(stop_seconds, _give_up, [stop_seconds, EXIT_HUNG])
    patience.daemon = True
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_run_until_told(app, patience, companions))
    finally:
        patience.cancel()


async def _run_until_told(
    app: faust.App, patience: threading.Timer, companions: Sequence[Companion]
) -> int:
    with _stop_signals() as told:  # to the end: a second signal must not cut the stop short
        if told.is_set():
            return 0
        starting = asyncio.ensure_future(app.start())
        beside = [asyncio.ensure_future(companion()) for companion in companions]
        failure = await _end_of(app, starting, told, beside)
        if failure is not None:  # which is the reason, though brokers that are away hold up the end
            patience.args = [patience.interval, EXIT_FAILED]
            log.critical("worker ends: %s: %s", type(failure).__name__, failure)
        patience.start()
        starting.cancel()
        await asyncio.wait([starting])
        await app.stop()
        for companion in beside:
            companion.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    return 0 if failure is None else EXIT_FAILED


async def _end_of(
    app: faust.App,
    starting: asyncio.Future[None],
    told: asyncio.Event,
    beside: Sequence[asyncio.Future[None]],
) -> BaseException | None:
    """Wait until the worker fails, and give why, or until it is told to stop."""
    end = asyncio.ensure_future(app.wait(told.wait()))  # Faust ends the wait when the app crashes
    first: list[asyncio.Future[Any]] = [starting, end, *beside]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if starting.done() and starting.exception() is None:
        await asyncio.wait(first[1:], return_when=asyncio.FIRST_COMPLETED)
    end.cancel()
    failed = [task.exception() for task in (starting, *beside) if task.done()]
    return app.crash_reason or next(filter(None, failed), None)


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """Event that SIGTERM and SIGINT set."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, told.set)
    if was_told():
        told.set()
    try:
        yield told
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _give_up(seconds: float, code: int) -> None:
    # Not through logging: whatever hangs may hold its lock.
    os.write(2, b"worker did not stop within %g s; ending the process\n" % seconds)
    os._exit(code)
