import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from streams.worker.begun import Begun
from tests.patience import PATIENCE_S


def begun(work: Coroutine[Any, Any, Any]) -> Begun:
    left = Begun.of(work)
    assert left is not None
    return left


def test_what_waits_for_nothing_is_done_at_once() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("all of it")

    assert Begun.of(work()) is None
    assert done == ["all of it"]


def test_what_waits_is_begun_at_once_and_goes_on_when_it_is_awaited() -> None:
    done: list[str] = []

    async def work(first: asyncio.Event, second: asyncio.Event) -> None:
        done.append("begun")
        await first.wait()
        done.append("half")
        await second.wait()
        done.append("ended")

    async def run() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        left = begun(work(first, second))
        assert done == ["begun"]
        rest = asyncio.ensure_future(left)
        first.set()
        second.set()
        await asyncio.wait_for(rest, PATIENCE_S)

    asyncio.run(run())
    assert done == ["begun", "half", "ended"]


def test_it_goes_on_where_what_it_waits_for_is_there_before_it_is_awaited() -> None:
    async def run() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        queue.put_nowait(1)
        left = begun(queue.put(2))
        assert queue.get_nowait() == 1
        await asyncio.wait_for(asyncio.ensure_future(left), PATIENCE_S)
        assert queue.get_nowait() == 2

    asyncio.run(run())


def test_a_cancellation_reaches_the_work() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def run() -> None:
        rest = asyncio.ensure_future(begun(work()))
        await asyncio.sleep(0)
        rest.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rest

    asyncio.run(run())
    assert seen == ["cancelled"]


@pytest.mark.parametrize("waits", [False, True])
def test_an_error_of_the_work_is_raised(waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise KeyError("no such thing")

    async def run() -> None:
        left = Begun.of(work())
        assert left is not None
        await left

    with pytest.raises(KeyError, match="no such thing"):
        asyncio.run(run())
