"""The event loop that a worker's threads run: uvloop, mended."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvloop
from typing_extensions import override


class _Transport:
    """A transport to which writing is harmless once its connection is lost, as asyncio has it.

    uvloop's raises a RuntimeError until the reader has been told. aiokafka expects an OSError
    at most: the task that keeps its metadata current would end, and a worker never again find
    the coordinator of its group.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Loop(uvloop.Loop):
    @override
    async def create_connection(
        self, protocol_factory: Callable[[], Any], *args: Any, **kwargs: Any
    ) -> Any:
        connect = super().create_connection
        transport, protocol = await connect(protocol_factory, *args, **kwargs)
        return _Transport(transport), protocol


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make a loop."""
    return _Loop()
