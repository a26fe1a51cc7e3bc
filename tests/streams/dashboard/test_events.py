import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from streams.dashboard.events import Bell, stream


class Source:
    """Rows numbered by their changes."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def changes(self, known: int, most: int) -> tuple[list[dict[str, Any]], int]:
        return self.rows[known : known + most], len(self.rows)


def parsed(event: bytes) -> tuple[str, str, Any]:
    lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    return lines["event"], lines["id"], json.loads(lines["data"])


async def until(events: AsyncIterator[bytes], kind: str) -> tuple[str, Any]:
    async for event in events:
        name, place, data = parsed(event)
        if name == kind:
            return place, data
    raise AssertionError(f"the stream ended before {kind}")


def test_a_page_that_was_cut_off_gets_what_it_missed_and_nothing_twice() -> None:
    async def play() -> None:
        source, bell = Source(), Bell()
        bell.hang()
        source.rows = [{"n": 0}, {"n": 1}]
        first = stream(bell, source.changes, dict, "e", None)
        assert await until(first, "reset") == ("e-2", {})
        source.rows.append({"n": 2})
        bell.ring()
        place, rows = await until(first, "alerts")
        assert (place, rows) == ("e-3", [{"n": 2}])
        source.rows += [{"n": 3}, {"n": 4}]
        again = stream(bell, source.changes, dict, "e", 3)
        assert await until(again, "alerts") == ("e-5", [{"n": 3}, {"n": 4}])
        bell.close()
        assert [parsed(event)[0] async for event in again] in ([], ["pulse"])

    asyncio.run(play())


def test_what_rings_while_the_stream_looks_is_not_missed() -> None:
    async def play() -> None:
        source, bell = Source(), Bell()
        bell.hang()

        def pulse() -> dict[str, Any]:
            if not source.rows:
                source.rows.append({"n": 0})  # comes after the look, before the wait
                bell.ring()
            return {}

        async with asyncio.timeout(2):  # less than a beat
            events = stream(bell, source.changes, pulse, "e", 0)
            assert (await until(events, "alerts"))[1] == [{"n": 0}]

    asyncio.run(play())


def test_who_fell_far_behind_reads_anew() -> None:
    async def play() -> None:
        source, bell = Source(), Bell()
        bell.hang()
        source.rows = [{"n": n} for n in range(5000)]
        events = stream(bell, source.changes, dict, "e", 1)
        assert await until(events, "reset") == ("e-5000", {})

    asyncio.run(play())


def test_a_stream_ends_with_the_session_of_who_listens() -> None:
    async def play() -> None:
        source, bell, sessions = Source(), Bell(), ["hers"]
        bell.hang()
        events = stream(bell, source.changes, dict, "e", 0, lambda: bool(sessions))
        await until(events, "pulse")
        sessions.clear()
        source.rows = [{"n": 0}]
        bell.ring()
        assert [event async for event in events] == []

    asyncio.run(play())
