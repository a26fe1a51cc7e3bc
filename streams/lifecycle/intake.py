"""Reads orders and records of keys into the state file, and notices what was lost unread."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import countOf
from typing import Final

from models.lifecycle.records import RecordError, decode_record, heard
from models.orders.limits import MAX_AHEAD_MS
from streams.lifecycle.feed import Chunk, Feed
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.store import Place, Reached, Store
from streams.lifecycle.tally import tally
from streams.lifecycle.uses import Unreadable, Use, Uses, decode_uses, hours_of

FLUSH_EVENTS: Final = 2_000_000  # in one transaction, at most: the fewer, the faster
Bounds = Mapping[Place, tuple[int, int]]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Read:
    """What was read since the start."""

    events: int = 0  # orders
    records: int = 0
    unreadable: int = 0  # orders
    refused: int = 0  # records
    left: int = 0  # partitions with later orders, left unread


class Intake:
    """Reads the topics into the state file.

    With `stops_at_now` a partition ends at its first order of a later time, so that the past can be
    gone through step by step.
    """

    def __init__(
        self, store: Store, keys: KeyRows, feed: Feed, orders: str, *, stops_at_now: bool = False
    ) -> None:
        self.read = Read()
        self._store = store
        self._keys = keys
        self._feed = feed
        self._orders = orders
        self._stops_at_now = stops_at_now
        self._reached = store.places()
        self._ready: set[Place] = set()  # of which the feed knows where to go on
        self._is_astray = False  # the feed is further on than what was kept
        self._stopped: set[Place] = set()

    def begin(self, bounds: Bounds, now: int) -> None:
        """Go on where each partition was left; keep a loss where that is no longer possible."""
        is_first = not self._reached
        self._stopped.clear()
        for place, (first, end) in bounds.items():
            known = self._reached.get(place)
            if known is None:
                self._enter(place, first, now, is_first=is_first)
            elif not first <= known.next <= end:
                self._lose(place, known, first, end, now)
            elif self._is_astray or place not in self._ready:
                self._feed.seek(place, known.next)
            self._ready.add(place)
        for place in self._reached.keys() - bounds.keys():
            if place.topic == self._orders and place in self._ready:
                self._ready.discard(place)
                self._keep_loss(f"{_name(place)} is gone", now)
        self._is_astray = False

    def _enter(self, place: Place, first: int, now: int, *, is_first: bool) -> None:
        if first > 0 and not is_first:
            self._keep_loss(f"{_name(place)} is new, and begins only at offset {first}", now)
        self._move(place, Reached(first, 0, is_whole=first == 0))

    def _lose(self, place: Place, known: Reached, first: int, end: int, now: int) -> None:
        if known.next < first:
            text = f"{_name(place)} begins at offset {first}; {known.next} was to be read next"
        else:
            text = f"{_name(place)} ends at offset {end}, before {known.next}: it was made anew"
        self._keep_loss(text, now)
        self._move(place, replace(known, next=first))

    def _keep_loss(self, text: str, now: int) -> None:
        log.error("orders may be lost: %s", text)
        self._store.add_loss(now, text)

    def _move(self, place: Place, to: Reached) -> None:
        self._reached[place] = to
        self._store.reach({place: to})
        self._feed.seek(place, to.next)

    def catch_up(self, bounds: Bounds, now: Callable[[], int]) -> bool:
        """Read up to the ends that the bounds tell; says whether that is done.

        It comes back before, for others to have a turn, after every transaction.
        """
        self._is_astray = True  # where it fails half-way, what was polled is to be read again
        waiting = [place for place in bounds if not self._is_read(place, bounds)]
        uses, reached, count = Uses(), dict(self._reached), 0
        records: list[bytes | None] = []
        while waiting and count < FLUSH_EVENTS:
            chunks = self._feed.poll(waiting)
            for chunk in chunks:
                count += len(chunk.values)
                if chunk.place.topic == self._orders:
                    taken = self._take(chunk, uses, now())
                else:
                    records += chunk.values
                    taken = len(chunk.values)
                reached[chunk.place] = _after(reached[chunk.place], chunk, taken, now())
            waiting = [place for place in waiting if not self._is_read(place, bounds)]
        self.read.left = len(self._stopped)
        if count:
            self._flush(uses, records, reached, now())
        self._is_astray = False
        return not waiting

    def _is_read(self, place: Place, bounds: Bounds) -> bool:
        return place in self._stopped or self._feed.position(place) >= bounds[place][1]

    def _take(self, chunk: Chunk, uses: Uses, now: int) -> int:
        """Take a chunk's uses in; gives how many of its records count."""
        found = decode_uses(chunk.values, chunk.timestamps)
        if self._stops_at_now:
            found = self._until_now(chunk, found, now)
        uses.add(found)
        uses.hours |= hours_of(found, now)
        uses.events += len(found)
        uses.unreadable += countOf(map(type, found), Unreadable)
        return len(found)

    def _until_now(self, chunk: Chunk, found: Sequence[Use], now: int) -> list[Use]:
        last = next((at for at, use in enumerate(found) if use.is_after(now + MAX_AHEAD_MS)), None)
        if last is not None:
            self._stopped.add(chunk.place)
            self._feed.seek(chunk.place, chunk.offsets[last])
        return list(found[:last])

    def _flush(
        self,
        uses: Uses,
        records: Sequence[bytes | None],
        reached: dict[Place, Reached],
        now: int,
    ) -> None:
        with self._store.transaction():
            self._keys.join_uses(uses.rows(now))
            self.hear(records, now, "topic of key records")
            self._store.add_hours(uses.hours)
            self._store.reach(reached)
            if doubt := tally(self._store, uses.events, uses.unreadable, now):
                self._keep_loss(doubt, now)
        self._reached = reached
        self.read.events += uses.events
        self.read.unreadable += uses.unreadable
        self._feed.show({place: at.next for place, at in reached.items()})

    def hear(self, records: Sequence[bytes | None], now: int, source: str) -> None:
        """Take records of keys in; a bad one is told, with its source, and left out."""
        heard_of = []
        for value in records:
            try:
                record = decode_record(value)
            except RecordError as error:
                self.read.refused += 1
                log.warning("%s: %s", source, error)
                continue
            if not (self._stops_at_now and record.ts > now):
                heard_of.append(heard(record, now))
        self._keys.join(heard_of)
        self.read.records += len(heard_of)

    def first_order(self, now: int) -> int:
        """Give the time from which on all orders were read, ms; 0: of none yet.

        That of the first order, where every partition was read from its beginning; of one that had
        lost its beginning already, that of its own first order, or now.
        """
        orders = {at: r for at, r in self._reached.items() if at.topic == self._orders}
        empty = {at: r for at, r in orders.items() if not (r.is_whole or r.first_ts)}
        for place, reached in empty.items():
            self._reached[place] = orders[place] = replace(reached, first_ts=now)
        self._store.reach({place: orders[place] for place in empty})
        whole = [at.first_ts for at in orders.values() if at.is_whole and at.first_ts]
        cut = [at.first_ts for at in orders.values() if not at.is_whole]
        return max([min(whole, default=0), *cut])


def _after(known: Reached, chunk: Chunk, taken: int, now: int) -> Reached:
    if taken == 0:
        return known
    first = known.first_ts or min(now, _first_ts(chunk, taken))
    return Reached(chunk.offsets[taken - 1] + 1, first, known.is_whole)


def _first_ts(chunk: Chunk, taken: int) -> int:
    """Give the time of the first order that can be read, ms; 0: none can."""
    found = decode_uses(chunk.values[:taken], chunk.timestamps)
    return min((use.ts for use in found if type(use) is not Unreadable), default=0)


def _name(place: Place) -> str:
    return f"partition {place.partition} of topic {place.topic}"
