import asyncio
import socket
import struct

import pytest

from streams.kafka.broker import HOST
from streams.worker.event_loop import new_event_loop
from tests.patience import PATIENCE_S

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


async def lost_connection(server: socket.socket) -> asyncio.StreamWriter:
    """Give a connection that the other end has reset, without the reader having been told."""
    reader, writer = await asyncio.open_connection(HOST, server.getsockname()[1])
    other, _ = server.accept()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    other.close()
    while not writer.is_closing():
        await asyncio.sleep(0)
    assert reader.exception() is None
    return writer


def test_what_is_written_after_the_connection_was_lost_goes_nowhere() -> None:
    async def scenario() -> None:
        with socket.create_server((HOST, 0)) as server:
            writer = await lost_connection(server)
            for _ in range(10):  # steps of the loop, in which the reader is told
                writer.write(b"into the void")
                await asyncio.sleep(0)
            with pytest.raises(ConnectionError):
                await writer.drain()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), PATIENCE_S))
