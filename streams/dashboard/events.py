"""Server-sent events: what changed in the read model, to every open page.

The id of an event says up to which change a page knows; a page that was cut off gives it back, and
gets what changed since. Pages that fell far behind, or know another file, are told to read anew.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

BEAT_S: Final = 5.0  # longest silence
GATHER_S: Final = 0.2  # what changes within it goes out together
MOST_ROWS: Final = 1000  # further behind than that a page reads anew

Pulse = Callable[[], dict[str, Any]]
Changes = Callable[[int, int], tuple[list[dict[str, Any]], int]]


class Bell:
    """Rung from any thread; wakes everyone who waits in the event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()
        self.closed = False

    def hang(self) -> None:
        """Hang it in the running loop."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake everyone; harmless before it hangs."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Let every stream end."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Give what will be set when it rings next; ask before you look, or you miss a ring."""
        return self._rung


def position(text: str, epoch: str) -> int | None:
    """Read up to which change a page knows; None: nothing, or another file.

    >>> position("ab12-7", "ab12"), position("ffff-7", "ab12"), position("", "ab12")
    (7, None, None)
    """
    known, _, number = text.rpartition("-")
    return int(number) if known == epoch and number.isascii() and number.isdigit() else None


async def stream(
    bell: Bell,
    changes: Changes,
    pulse: Pulse,
    epoch: str,
    known: int | None,
    may_listen: Callable[[], bool] = lambda: True,
) -> AsyncIterator[bytes]:
    """Give what changed since `known`, then what changes, as it does, while one may listen."""
    if known is None:
        _, seen = await run_in_threadpool(changes, 0, 0)
        yield event("reset", {}, f"{epoch}-{seen}", retry=1000)
    else:
        seen = known
    while not bell.closed and may_listen():
        rung = bell.next()
        rows, last = await run_in_threadpool(changes, seen, MOST_ROWS + 1)
        if len(rows) > MOST_ROWS:
            yield event("reset", {}, f"{epoch}-{last}")
        elif rows:
            yield event("alerts", rows, f"{epoch}-{last}")
        seen = last
        yield event("pulse", await run_in_threadpool(pulse), f"{epoch}-{seen}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(rung.wait(), BEAT_S)
        await asyncio.sleep(GATHER_S)


def event(name: str, data: object, place: str, retry: int = 0) -> bytes:
    r"""Write one event.

    >>> event("pulse", {"a": 1}, "e-1")
    b'id: e-1\nevent: pulse\ndata: {"a":1}\n\n'
    """
    again = f"retry: {retry}\n" if retry else ""
    body = json.dumps(data, separators=(",", ":"))
    return f"{again}id: {place}\nevent: {name}\ndata: {body}\n\n".encode()
