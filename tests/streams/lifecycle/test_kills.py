import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from kafka import KafkaProducer
from standardwebhooks import Webhook
from typing_extensions import override

from models.lifecycle.policy import DAY_MS
from streams.exchange.mock import MockExchange, MockServer
from streams.exchange.wire import Operation
from streams.kafka.broker import EmbeddedBroker
from streams.lifecycle.entries import Entry, Kind, decode_entry
from streams.settings import Settings
from streams.tapes.topic import TopicTape
from streams.topics import ensure_topics, topic_specs
from tests.patience import PATIENCE_S
from tests.streams.lifecycle.worlds import START, order

SECRET = "whsec_" + "A" * 32
KEYS = [f"key-{number:03d}" for number in range(24)]
KILLS = 4  # while notices go out, and again while keys are removed

pytestmark = pytest.mark.slow


class Notifier:
    """Takes letters, checks their signatures, and loses every eleventh answer."""

    def __init__(self) -> None:
        self.letters: dict[str, Entry] = {}  # by webhook-id
        self._answers = 0
        notifier = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                Webhook(SECRET).verify(body, dict(self.headers.items()))
                notifier.letters[self.headers["webhook-id"]] = decode_entry(body)
                notifier._answers += 1
                if notifier._answers % 11 == 0:
                    return
                self.send_response(204)
                self.end_headers()

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def told(self, kind: Kind) -> set[str | None]:
        return {letter.api_key for letter in self.letters.values() if letter.kind is kind}


@pytest.fixture
def notifier() -> Iterator[Notifier]:
    made = Notifier()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


class Killed:
    """A process that is killed in the midst of its calls, and started again."""

    def __init__(self, calls: Callable[[], int], *arguments: str) -> None:
        self._calls = calls
        self._arguments = arguments
        self._random = random.Random(7)
        self._process = self._start()
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "tests.streams.lifecycle.driver", *self._arguments]
        return subprocess.Popen(program, env=dict(os.environ))  # noqa: S603 - our own

    def until(self, condition: Callable[[], bool], most_kills: int = 0) -> None:
        """Let it live until the condition holds, but for kills a few calls after each start."""
        deadline = time.monotonic() + PATIENCE_S
        mortal_at = self._calls() + self._random.randint(1, 12)
        while not condition():
            assert time.monotonic() < deadline
            assert self._process.poll() is None, "it died of itself"
            time.sleep(self._random.uniform(0.0, 0.02))
            if most_kills and self._calls() >= mortal_at:
                self.kill()
                self._process = self._start()
                most_kills -= 1
                mortal_at = self._calls() + self._random.randint(1, 12)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.kills += 1


def entries(address: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    with TopicTape([address], "key.lifecycle") as tape:
        while chunk := tape.next(0):
            found |= {(entry := decode_entry(value)).id: entry for value in chunk[0]}
    return found


def phases(folder: Path) -> Counter[str]:
    try:
        with closing(sqlite3.connect(folder / "state.sqlite3", timeout=5)) as sql:
            return Counter(dict(sql.execute("SELECT phase, count(*) FROM keys GROUP BY phase")))
    except sqlite3.OperationalError:  # not made yet
        return Counter()


def test_killed_at_any_moment_it_removes_every_idle_key_once_and_no_other(
    tmp_path: Path, notifier: Notifier
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    clock = tmp_path / "clock"
    clock.write_text(str(START))

    def move_clock(to: int) -> None:
        later = tmp_path / "later"
        later.write_text(str(to))
        later.replace(clock)

    exchange = MockExchange(SECRET)
    with EmbeddedBroker() as broker, MockServer(exchange) as server:
        ensure_topics([broker.address], topic_specs(Settings().topics))
        producer = KafkaProducer(bootstrap_servers=broker.address)

        def use(keys: list[str], at: int) -> None:
            for number, key in enumerate(keys):
                producer.send("orders", order(key, at), partition=number % 4)
            producer.flush()

        use(KEYS, START)
        arguments = broker.address, str(tmp_path), notifier.url, server.url
        process = Killed(lambda: len(notifier.letters) + exchange.attempts, *arguments)
        process.until(lambda: phases(tmp_path)["active"] == len(KEYS))
        move_clock(START + 30 * DAY_MS)
        process.until(lambda: phases(tmp_path)["notified"] == len(KEYS), KILLS)
        rescued = KEYS[::3]
        use(rescued, START + 31 * DAY_MS)  # Thursday; the notices are of Wednesday
        move_clock(START + 36 * DAY_MS)
        idle = len(KEYS) - len(rescued)
        process.until(lambda: phases(tmp_path)["removed"] == idle, KILLS)
        process.until(lambda: notifier.told(Kind.REMOVAL) == set(KEYS) - set(rescued))
        # Of each a notice; of the others a rescue, or a confirmation and a removal.
        process.until(lambda: len(entries(broker.address)) >= 2 * len(KEYS) + idle)
        process.kill()
        producer.close()
        told = Counter((entry.kind, entry.api_key) for entry in entries(broker.address).values())
    assert process.kills > KILLS
    removals = [e["subject"] for e in exchange.state()["effects"]]
    assert sorted(removals) == sorted(set(KEYS) - set(rescued))
    assert {e["operation"] for e in exchange.state()["effects"]} == {Operation.REMOVE_KEY}
    assert notifier.told(Kind.NOTICE) == set(KEYS)
    assert notifier.told(Kind.RESCUE) == set(rescued)
    assert all(told[Kind.NOTICE, key] == 1 for key in KEYS)
    assert all(told[Kind.REMOVAL, key] == (key not in rescued) for key in KEYS)
    assert all(told[Kind.RESCUE, key] == (key in rescued) for key in KEYS)
    exchange.close()
