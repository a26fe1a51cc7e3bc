"""Workers that hang, each in a process of its own, must end by themselves and say why."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from faust.types import StreamT
from kafka import KafkaProducer

from streams.kafka.broker import EmbeddedBroker
from streams.topics import TopicSpec, ensure_topics
from streams.watch.watch import Watch
from streams.watch.watchdog import EXIT_HUNG, Progress
from streams.worker.runtime import EXIT_FAILED, build_app
from streams.worker.transport import coalesced_topic
from tests.patience import PATIENCE_S
from tests.streams.conftest import Running

pytestmark = pytest.mark.slow  # each starts a process and waits for its end

LIMIT_S = 1.0

# Its agent does what the poisoned record says: `await` something that never comes, and so on.
WORKER = """
import asyncio, ctypes, logging, sys, time
from streams.worker.runtime import build_app, run_worker
from streams.worker.transport import coalesced_topic
from streams.watch.watch import Watch
from streams.watch.watchdog import Progress

async def hang(): await asyncio.Event().wait()
async def block(): time.sleep(60)
async def hold_python(): ctypes.PyDLL(None).sleep(60)
async def fail(): raise ValueError("poisoned")

logging.basicConfig(level=logging.CRITICAL)
app = build_app([sys.argv[1]], group=sys.argv[2])
progress = Progress()

@app.agent(coalesced_topic(app, sys.argv[2]))
async def work(stream):
    async for event in stream.noack().events():
        tp = event.message.tp
        progress.begin(tp, int(event.value.offsets[0]))
        if event.value.values[0] == b"leave":
            return
        if event.value.values[0] != b"good":
            await globals()[event.value.values[0].decode()]()
        progress.done(tp, event.value.end)
        await stream.ack(event)
        print(progress.offsets[tp], flush=True)

watch = Watch(app, progress, [sys.argv[2]], float(sys.argv[3]))
sys.exit(run_worker(app, stop_seconds=2, companions=[watch.run]))
"""


class Hanging:
    """A topic with one poisoned record in it, a worker on it, and what keeps its lag growing."""

    def __init__(self, address: str, topic: str, limit_s: float = LIMIT_S) -> None:
        self._topic = topic
        self.sent = 0
        ensure_topics([address], [TopicSpec(topic, 1, "", "")])
        self._producer = KafkaProducer(bootstrap_servers=address)
        self.send(b"good")
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-c", WORKER, address, topic, str(limit_s)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "1\n"

    def send(self, value: bytes) -> None:
        self._producer.send(self._topic, value).get(timeout=PATIENCE_S)
        self.sent += 1

    def end(self) -> tuple[int, str]:
        """Send more and more until it ends; give its exit code and what it said."""
        while self._process.poll() is None:
            self.send(b"good")
        self._producer.close()
        return self._process.returncode, self._process.communicate()[1]

    def freeze(self, seconds: float) -> None:
        """Stop the process for a while, as an overloaded machine may."""
        self._process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            self.send(b"good")
        self._process.send_signal(signal.SIGCONT)

    def works_off(self, offset: int) -> bool:
        """Whether it comes to the offset."""
        assert self._process.stdout is not None
        return any(int(done) >= offset for done in iter(self._process.stdout.readline, ""))

    def stop(self) -> int:
        """Tell it to end, and give its exit code."""
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


def test_a_stage_that_hangs_ends_the_worker_with_one_line(shared: EmbeddedBroker) -> None:
    hanging = Hanging(shared.address, "hung")
    hanging.send(b"hang")
    code, said = hanging.end()
    assert code == EXIT_FAILED
    assert re.search(
        r"worker ends: StalledError: hung\[0\] stands still at offset 1 for 1 s "
        r"while its lag grew from \d+ to \d+\n",
        said,
    )
    assert said.count("\n") == 1


def test_a_blocked_event_loop_ends_the_process_and_says_where(shared: EmbeddedBroker) -> None:
    hanging = Hanging(shared.address, "blocked")
    hanging.send(b"block")
    code, said = hanging.end()
    assert code == EXIT_HUNG
    assert re.fullmatch(
        r"the event loop has been blocked for 1 s, at <string>:\d+; ending the process\n", said
    )


def test_even_a_worker_in_which_python_does_not_run_any_more_ends(shared: EmbeddedBroker) -> None:
    hanging = Hanging(shared.address, "held")
    hanging.send(b"hold_python")
    code, said = hanging.end()
    assert code == EXIT_FAILED
    assert "in hold_python" in said


@pytest.mark.parametrize("death", ["fail", "leave"])
def test_an_agent_that_dies_takes_the_worker_along(shared: EmbeddedBroker, death: str) -> None:
    hanging = Hanging(shared.address, death)
    hanging.send(death.encode())
    code, said = hanging.end()
    assert code == EXIT_FAILED
    assert said.count("worker ends: ") == 1


def test_a_worker_that_was_frozen_goes_on(shared: EmbeddedBroker) -> None:
    hanging = Hanging(shared.address, "frozen")
    hanging.freeze(1.5 * LIMIT_S)
    assert hanging.works_off(hanging.sent)
    assert hanging.stop() == 0


def test_a_worker_is_ready_once_it_has_joined_and_not_only_at_the_next_look(
    broker: EmbeddedBroker, orders: str, running: Running
) -> None:
    app = build_app([broker.address])

    @app.agent(coalesced_topic(app, orders))
    async def read(stream: StreamT[Any]) -> None:
        async for _ in stream:
            pass

    watch = Watch(app, Progress(), [orders], 0)
    watch.interval_s = 600.0  # to the next look

    async def scenario() -> None:
        async with running(app):
            watching = asyncio.create_task(watch.run())
            while watch.not_ready():
                await asyncio.sleep(0.01)
            watching.cancel()

    asyncio.run(scenario())
