import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest

from streams.kafka.broker import EmbeddedBroker
from streams.worker.runtime import build_app
from streams.worker.transport import Consumer, coalesced_topic
from tests.streams.conftest import Produce, Running

OTHER = 7  # a node that is not there, so that nobody else asks it


def test_a_node_whose_fetch_has_ended_is_not_taken_for_busy(
    broker: EmbeddedBroker,
    orders: str,
    produce: Produce,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = build_app([broker.address])
    began = asyncio.Event()

    async def read(stream: Any) -> None:
        async for _ in stream:
            began.set()

    app.agent(coalesced_topic(app, orders))(read)

    async def scenario() -> None:
        async with running(app):
            produce(orders, 0, [b"0"])
            await began.wait()
            assert isinstance(app.consumer, Consumer)
            consumer = app.consumer._thread._ensure_consumer()
            fetcher, send = consumer._fetcher, consumer._client.send

            async def answer(node: int, request: Any, **more: Any) -> Any:
                if node == OTHER:
                    return SimpleNamespace(topics=[], API_VERSION=4)
                return await send(node, request, **more)

            monkeypatch.setattr(consumer._client, "send", answer)
            request = FetchRequest(1, 1, 1, 0, [])
            assignment = consumer._subscription.subscription.assignment

            async def fetch_as_the_routine_does() -> set[int]:
                fetcher._in_flight.add(OTHER)
                await fetcher._proc_fetch_request(assignment, OTHER, request)
                return set(fetcher._in_flight)

            busy = await app.consumer._thread.call_thread(fetch_as_the_routine_does)
            assert OTHER not in busy

    asyncio.run(scenario())
