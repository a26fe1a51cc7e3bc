import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from streams.kafka.broker import EmbeddedBroker
from streams.worker.fetching import ConsumerThread
from streams.worker.runtime import build_app
from streams.worker.transport import Consumer, coalesced_topic
from tests.streams.conftest import Produce, Running

Reading: TypeAlias = Callable[[Callable[[ConsumerThread], Awaitable[None]]], None]

OTHER = 7  # a node that is not there, so that nobody else asks it


async def nothing() -> Any:
    """Answer a fetch without records."""
    return SimpleNamespace(topics=[], API_VERSION=4)


@pytest.fixture
def reading(broker: EmbeddedBroker, orders: str, produce: Produce, running: Running) -> Reading:
    """Does something in the thread of a worker that reads."""
    app = build_app([broker.address])
    began = asyncio.Event()

    async def read(stream: Any) -> None:
        async for _ in stream:
            began.set()

    app.agent(coalesced_topic(app, orders))(read)

    async def scenario(act: Callable[[ConsumerThread], Awaitable[None]]) -> None:
        async with running(app):
            produce(orders, 0, [b"0"])
            await began.wait()
            assert isinstance(app.consumer, Consumer)
            await app.consumer._thread.call_thread(act, app.consumer._thread)

    return lambda act: asyncio.run(scenario(act))


def answering(
    thread: ConsumerThread, answer: Callable[[], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> Awaitable[bool]:
    """Have the other node answer like this; gives a fetch from it as the routine does it."""
    consumer = thread._ensure_consumer()
    send = consumer._client.send

    async def of_either(node: int, request: Any, **more: Any) -> Any:
        return await (answer() if node == OTHER else send(node, request, **more))

    monkeypatch.setattr(consumer._client, "send", of_either)
    fetcher = consumer._fetcher
    fetcher._in_flight.add(OTHER)
    assignment = consumer._subscription.subscription.assignment
    fetch: Awaitable[bool] = fetcher._proc_fetch_request(
        assignment, OTHER, FetchRequest(1, 1, 1, 0, [])
    )
    return fetch


def test_it_knows_how_far_records_were_handed_over(reading: Reading, orders: str) -> None:
    async def act(thread: ConsumerThread) -> None:
        assert thread.handed == {TP(orders, 0): 1}

    reading(act)


def test_nothing_is_fetched_ahead_of_a_reader(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(thread: ConsumerThread) -> None:
        asked, is_busy = [], asyncio.Event()

        async def no_records(*_: Any, **__: Any) -> dict[Any, Any]:
            is_busy.set()
            await asyncio.sleep(0)
            return {}

        async def answer() -> Any:
            asked.append(OTHER)
            return await nothing()

        monkeypatch.setattr("streams.worker.fetching.AHEAD_AFTER_S", 1000)
        monkeypatch.setattr(thread, "_fetch_records", no_records)
        await is_busy.wait()  # the reader: it waits for no records any more
        thread._wanted.clear()
        fetching = asyncio.ensure_future(answering(thread, answer, monkeypatch))
        await asyncio.sleep(0)
        assert not asked
        thread._wanted.set()
        await fetching
        assert asked == [OTHER]

    reading(act)


def test_a_node_whose_fetch_has_ended_is_not_taken_for_busy(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(thread: ConsumerThread) -> None:
        await answering(thread, nothing, monkeypatch)
        assert OTHER not in thread._ensure_consumer()._fetcher._in_flight

    reading(act)


def test_a_failed_fetch_that_is_cut_short_at_the_end_spoils_no_stop(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As aiokafka ends its fetches: it cancels them, and waits for them."""

    async def act(thread: ConsumerThread) -> None:
        failed = asyncio.Event()

        async def fail() -> None:
            failed.set()
            raise KafkaConnectionError("closed")

        fetch = asyncio.ensure_future(answering(thread, fail, monkeypatch))
        await failed.wait()
        fetch.cancel()
        assert await fetch is False

    reading(act)


def test_a_fetch_that_is_called_off_ends_without_a_rest(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The routine, which waits for it, hears of no end meanwhile, and the worker never stopped."""

    async def act(thread: ConsumerThread) -> None:
        monkeypatch.setattr("streams.worker.fetching.FETCH_EVERY_S", 1000)
        monkeypatch.setattr("streams.worker.fetching.CALM_FETCH_EVERY_S", 1000)
        asked = asyncio.Event()

        async def never() -> None:
            asked.set()
            await asyncio.Event().wait()

        fetch = asyncio.ensure_future(answering(thread, never, monkeypatch))
        await asked.wait()
        fetch.cancel()
        assert await fetch is False

    reading(act)


def test_a_rebalance_while_the_app_stops_leaves_the_closing_to_the_thread(reading: Reading) -> None:
    consumers = []

    async def act(thread: ConsumerThread) -> None:
        consumers.append(thread._ensure_consumer())
        thread.close()  # as Faust does then

    reading(act)
    assert consumers[0]._fetcher._closed
