"""Orders of the past, read again from their topic: what one symbol or key did around an alert.

A window is found from offsets that are known to lie in it (an alert's headers hold them), else from
the time at which the brokers got the records; then the neighbourhood is walked both ways until the
events' own times have left the window. What is read is bounded.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from typing_extensions import override

from models.alerts.envelope import PLACES_HEADER, Place
from models.orders.decode import Notional, Price, Quantity
from models.unreadable import UNREADABLE
from streams.closing import Closing
from streams.kafka.clients import next_records, start_reader, stop_client
from streams.kafka.partitioning import partition_of
from streams.tapes.topic import TopicTapeError, topic_partitions

BLOCK: Final = 2048  # records of the first look back; each further one is twice as long
LATE_MS: Final = 60_000  # how late an event may lie on the topic and still be found
MOST_READ: Final = 400_000  # records of one window, of all partitions


class OrderWindowError(Exception):
    """The topic cannot be read."""


class WindowOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart or an evidence folder needs of an order event; numbers may be strings there.

    What the worker refused lies on the topic all the same: sides and amounts must be as it wants
    them, or the text "nan" would be a price.
    """

    event_id: str
    ts: int  # ms
    venue: str
    symbol: str
    account: str
    side: Literal["buy", "sell"]
    api_key: str | None = None
    app: str | None = None
    order_id: str | None = None
    status: str | None = "filled"
    price: Price = None
    qty: Quantity = None
    notional: Notional = None
    maker: bool | None = False
    arrival_price: Price = None
    counterparty: str | None = None
    network: str | None = None

    @property
    def is_fill(self) -> bool:
        """Whether something was traded."""
        filled = self.status in {None, "filled", "partially_filled"}
        return filled and self.price is not None and self.qty is not None


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order event and where it lies."""

    place: Place
    order: WindowOrder
    raw: bytes


@dataclass(slots=True)
class OrderWindow:
    """What was found, in order of time; not `complete` where a bound cut it short."""

    found: list[FoundOrder] = field(default_factory=list)
    read: int = 0  # records looked at
    complete: bool = True


Wanted = Callable[[WindowOrder], bool]

_decode: Final = msgspec.json.Decoder(WindowOrder, strict=False).decode
_decode_places: Final = msgspec.json.Decoder(dict[str, str | list[Place]]).decode


def places_of(headers: Iterable[tuple[str, bytes]]) -> list[Place]:
    """Where the events of an alert lie, by its Kafka headers; empty where these do not say.

    >>> places_of([("roguekey-places", b'{"topic":"o","events":[{"partition":1,"offset":7}]}')])
    [Place(partition=1, offset=7)]
    >>> places_of([("roguekey-places", b"?")])
    []
    """
    for name, value in headers:
        if name == PLACES_HEADER:
            try:
                events = _decode_places(value).get("events", [])
            except UNREADABLE:
                return []
            return events if isinstance(events, list) else []
    return []


class OrdersTopic(Closing):
    """A reader of the orders topic; blocking, so never to be used within an event loop."""

    def __init__(
        self,
        bootstrap_servers: list[str],
        topic: str,
        client: Mapping[str, Any] | None = None,
        most_read: int = MOST_READ,
    ) -> None:
        self.topic = topic
        self._most_read = most_read
        self._runner = asyncio.Runner()
        self._consumer = self._runner.run(start_reader(bootstrap_servers, client or {}))
        try:
            self._partitions = self._runner.run(self._assign())
        except BaseException:
            self.close()
            raise

    def window(
        self,
        from_ts: int,
        to_ts: int,
        *,
        symbol: str | None = None,
        api_key: str | None = None,
        near: Iterable[Place] = (),
        most: int = 20_000,
    ) -> OrderWindow:
        """Read all events from `from_ts` to `to_ts` (ms) of a symbol, of a key, or of both.

        Parameters
        ----------
        near : places of events in the window, as `places_of` gives them.
        most : events given, at most; the earliest are kept.

        Raises
        ------
        aiokafka.errors.KafkaError
            If the brokers refuse.
        """

        def wanted(order: WindowOrder) -> bool:
            return (
                from_ts <= order.ts <= to_ts
                and symbol in {None, order.symbol}
                and api_key in {None, order.api_key}
            )

        return self._runner.run(self._window(from_ts, to_ts, wanted, symbol, list(near), most))

    def at(self, places: Iterable[Place]) -> list[FoundOrder]:
        """Read the events at these places; what is no longer there, or no order, is left out."""
        return self._runner.run(self._at(list(places)))

    @override
    def close(self) -> None:
        """Leave the brokers."""
        self._runner.run(stop_client(self._consumer))
        self._runner.close()

    async def _assign(self) -> list[TopicPartition]:
        try:
            return await topic_partitions(self._consumer, self.topic)
        except TopicTapeError as error:
            raise OrderWindowError(str(error)) from error

    async def _at(self, places: list[Place]) -> list[FoundOrder]:
        found = []
        for place in places:
            at = TopicPartition(self.topic, place.partition)
            if at in self._partitions:
                records = await self._read(at, place.offset, place.offset + 1)
                found += [one for record in records if (one := _found(record)) is not None]
        return found

    async def _window(
        self,
        from_ts: int,
        to_ts: int,
        wanted: Wanted,
        symbol: str | None,
        near: list[Place],
        most: int,
    ) -> OrderWindow:
        window = OrderWindow()
        middles = await self._middles(from_ts, symbol, near)
        for at, middle in middles.items():
            await self._walk(at, middle, (from_ts, to_ts), wanted, window)
        window.found.sort(key=lambda one: (one.order.ts, one.place.partition, one.place.offset))
        if len(window.found) > most:
            window.complete = False
            del window.found[most:]
        return window

    async def _middles(
        self, from_ts: int, symbol: str | None, near: list[Place]
    ) -> dict[TopicPartition, int]:
        """Give an offset to begin from, for each partition that may hold what is asked for."""
        known = {
            TopicPartition(self.topic, number): min(place.offset for place in places)
            for number, places in itertools.groupby(
                sorted(near, key=lambda place: place.partition), lambda place: place.partition
            )
        }
        known = {at: offset for at, offset in known.items() if at in self._partitions}
        if symbol is not None:
            home = partition_of(symbol.encode(), len(self._partitions))
            rest = [at for at in self._partitions if at.partition == home and at not in known]
        else:
            rest = [at for at in self._partitions if at not in known]
        moment = await self._broker_time(known, from_ts)
        times = await self._consumer.offsets_for_times(dict.fromkeys(rest, moment)) if rest else {}
        ends = await self._consumer.end_offsets(rest)
        return known | {at: found.offset if (found := times[at]) else ends[at] for at in rest}

    async def _broker_time(self, known: Mapping[TopicPartition, int], from_ts: int) -> int:
        """Time at which the brokers got the window: a tape may be played long after its events."""
        for at, offset in known.items():
            for record in await self._read(at, offset, offset + 1):
                return int(record.timestamp)
        return from_ts

    async def _walk(
        self,
        at: TopicPartition,
        middle: int,
        times: tuple[int, int],
        wanted: Wanted,
        window: OrderWindow,
    ) -> None:
        """Go back from the middle until events are earlier, then on until they are later."""
        begin = (await self._consumer.beginning_offsets([at]))[at]
        end = (await self._consumer.end_offsets([at]))[at]
        first = last = max(begin, min(middle, end))
        length = BLOCK
        while first > begin and window.read < self._most_read:
            to, first = first, max(begin, first - length)
            found = _take(await self._read(at, first, to), wanted, window)
            length *= 2
            # Many must be earlier: a few may be old events that were put back long after theirs.
            if found and max(found[:BLOCK]) < times[0] - LATE_MS:
                break
        while last < end and window.read < self._most_read:
            from_, last = last, min(end, last + BLOCK)
            found = _take(await self._read(at, from_, last), wanted, window)
            if found and min(found) > times[1] + LATE_MS:
                break
        window.complete &= window.read < self._most_read

    async def _read(self, at: TopicPartition, first: int, end: int) -> list[ConsumerRecord]:
        """Read the records from `first` until before `end`, as far as they are there."""
        self._consumer.assign([at])
        self._consumer.seek(at, max(first, (await self._consumer.beginning_offsets([at]))[at]))
        end = min(end, (await self._consumer.end_offsets([at]))[at])
        records: list[ConsumerRecord] = []
        while found := await next_records(self._consumer, at, end, BLOCK):
            records += found
        return records


def _take(records: list[ConsumerRecord], wanted: Wanted, window: OrderWindow) -> list[int]:
    """Keep what is wanted; gives the times of all events, ms, in the records' order."""
    window.read += len(records)
    found = [one for record in records if (one := _found(record)) is not None]
    window.found += [one for one in found if wanted(one.order)]
    return [one.order.ts for one in found]


def _found(record: ConsumerRecord) -> FoundOrder | None:
    """Give the order event of a record; None where it is none."""
    try:
        order = _decode(record.value or b"")
    except UNREADABLE:
        return None
    return FoundOrder(Place(record.partition, record.offset), order, record.value)
