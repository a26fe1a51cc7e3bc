"""A small world with a clock of its own: topics in memory, an owner, a notifier, an exchange."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from aiokafka.errors import KafkaError
from typing_extensions import override

from models.lifecycle.machine import Mode
from models.lifecycle.policy import DAY_MS, Policy
from streams.exchange.wire import Answer, Verdict
from streams.lifecycle.entries import Entry, Kind, decode_entry
from streams.lifecycle.feed import Chunk, Feed
from streams.lifecycle.holds import Watch
from streams.lifecycle.intake import Intake
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.owners import Hands
from streams.lifecycle.process import Process, Rules
from streams.lifecycle.steps import Limits
from streams.lifecycle.store import HOUR_MS, Place, Store
from tests.models.lifecycle.policies import BINANCE, ms

PLENTY: Final = Limits(1000, 1000)
START: Final = ms("2026-01-05 10:00")  # a Monday
DONE: Final = Answer(Verdict.DONE, "HTTP 200", 200)
BUSY: Final = Answer(Verdict.AGAIN, "HTTP 503", 503)
REFUSED: Final = Answer(Verdict.REFUSED, "HTTP 400", 400)


def order(api_key: str | None, ts: object, **more: object) -> bytes:
    event = {"event_id": "e", "ts": ts, "venue": "v", "symbol": "S", "side": "buy"}
    return json.dumps(event | {"api_key": api_key, "account": f"a-{api_key}"} | more).encode()


class MemoryFeed(Feed):
    """Topics as lists; what was dropped of a partition's beginning is counted in `lost`."""

    def __init__(self, *topics: str, partitions: int = 2) -> None:
        self.logs: dict[Place, list[tuple[bytes | None, int]]] = {
            Place(topic, number): [] for topic in topics for number in range(partitions)
        }
        self.lost: dict[Place, int] = {}
        self.shown: dict[Place, int] = {}
        self.told: list[Entry] = []
        self.fails_at = 0  # which poll from now on fails; 0: none
        self._positions: dict[Place, int] = {}

    def put(self, value: bytes | None, at: int, topic: str = "orders", partition: int = 0) -> None:
        self.logs[Place(topic, partition)].append((value, at))

    def forget_positions(self) -> None:
        self._positions.clear()

    @override
    def bounds(self) -> dict[Place, tuple[int, int]]:
        return {place: (self.lost.get(place, 0), len(log)) for place, log in self.logs.items()}

    @override
    def seek(self, place: Place, offset: int) -> None:
        self._positions[place] = offset

    @override
    def position(self, place: Place) -> int:
        return self._positions[place]

    @override
    def poll(self, places: Sequence[Place]) -> list[Chunk]:
        self.fails_at -= 1
        if self.fails_at == 0:
            raise KafkaError
        chunks = []
        for place in places:
            start = self._positions[place]
            records = self.logs[place][start : start + 3]
            if records:
                values, times = zip(*records, strict=True)
                chunks.append(Chunk(place, values, times, range(start, start + len(records))))
                self._positions[place] = start + len(records)
        return chunks

    @override
    def tell(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        assert topic == "key.lifecycle"
        self.told += [decode_entry(value) for _, value in messages]

    @override
    def show(self, offsets: Mapping[Place, int]) -> None:
        self.shown = dict(offsets)


@dataclass
class Outside(Hands):
    """The notifier and the exchange, with what they were asked, and how they answer next."""

    clock: Callable[[], int]
    notifier: Answer = DONE
    exchange: Answer = DONE
    mail: dict[str, tuple[int, Entry]] = field(default_factory=dict)  # when it was taken, by id
    removed: dict[str, tuple[int, str]] = field(default_factory=dict)  # when, and the key
    calls: int = 0
    dies_at: int = -1  # call after which the process is killed, before it hears the answer

    @override
    def tell(self, call_id: str, body: bytes) -> Answer:
        if self.notifier.verdict is Verdict.DONE:
            self.mail.setdefault(call_id, (self.clock(), decode_entry(body)))
        return self._answer(self.notifier)

    @override
    def remove(self, api_key: str, call_id: str) -> Answer:
        if self.exchange.verdict is Verdict.DONE:
            self.removed.setdefault(call_id, (self.clock(), api_key))
        return self._answer(self.exchange)

    def _answer(self, answer: Answer) -> Answer:
        self.calls += 1
        if self.calls == self.dies_at:
            raise KilledError
        return answer

    def letters(self, kind: Kind, api_key: str) -> list[tuple[int, Entry]]:
        return [(at, e) for at, e in self.mail.values() if (e.kind, e.api_key) == (kind, api_key)]


class KilledError(Exception):
    """The process died here."""


class World:
    """Everything of one test."""

    def __init__(
        self,
        folder: Path,
        policy: Policy = BINANCE,
        mode: Mode = Mode.ENFORCE,
        *,
        limits: Limits = PLENTY,
        stops_at_now: bool = False,
    ) -> None:
        self.now = START
        self.feed = MemoryFeed("orders", "keys")
        self.outside = Outside(self.clock)
        self.rules = Rules(policy, mode, limits, Watch(0, policy.idle_days), "key.lifecycle")
        self.path = folder / "state.sqlite3"
        self.stops_at_now = stops_at_now
        self.start()

    def clock(self) -> int:
        return self.now

    def start(self) -> None:
        """Start a process on the state file, as after a crash."""
        self.feed.forget_positions()
        self.store = Store(self.path)
        self.store.sql.execute("PRAGMA synchronous = OFF")  # no power is lost here
        self.keys = KeyRows(self.store.sql, self.rules.policy)
        self.intake = Intake(
            self.store, self.keys, self.feed, "orders", stops_at_now=self.stops_at_now
        )
        self.process = Process(
            self.store, self.feed, self.intake, self.keys, self.outside, self.rules
        )
        self.process.begin(self.now)

    def restart(self) -> None:
        self.store.close()
        self.start()

    def use(self, api_key: str | None, ts: object = None, **more: object) -> None:
        partition = int(str(more.pop("partition", 0)))
        moment = self.now if ts is None else ts
        self.feed.put(order(api_key, moment, **more), self.now, "orders", partition)

    def record(self, kind: str, api_key: str, ts: int | None = None) -> None:
        value = {"kind": kind, "api_key": api_key, "ts": self.now if ts is None else ts}
        self.feed.put(json.dumps(value).encode(), self.now, "keys")

    def run(self) -> Self:
        """Tick until nothing more is to be done."""
        while self.process.tick(self.clock):
            pass
        return self

    def after(self, *, days: float = 0, hours: float = 0) -> Self:
        """Let time go by, and run."""
        self.now += round(days * DAY_MS + hours * HOUR_MS)
        return self.run()

    def at(self, text: str, zone: str = "UTC") -> Self:
        self.now = ms(text, zone)
        return self.run()

    def phase(self, api_key: str) -> str:
        return self.keys.get([api_key])[api_key].phase.value

    def kinds(self, api_key: str | None = None) -> list[str]:
        """Entries of a key on the topic, each once."""
        told = {entry.id: entry for entry in self.feed.told if entry.api_key == api_key}
        return [entry.kind.value for entry in told.values()]

    def last_reason(self) -> str:
        return self.feed.told[-1].reason.value

    def close(self) -> None:
        self.store.close()
