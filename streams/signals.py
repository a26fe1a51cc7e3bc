"""Ends that a supervisor asks for, which are no failures."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

GRACE_S: Final = 8.0
_TOLD: Final = threading.Event()


def leave_on_sigterm() -> None:
    """Let SIGTERM end the process at once, with exit code 0, while it has not begun anything."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end what runs as cleanly as if it were done: with exit code 0.

    Should it not end in time, the process does: Python drops what is raised in a finalizer, and
    so does an event loop that is about to run. What runs long looks at `was_told` when it begins.
    """
    last = threading.Timer(GRACE_S, os._exit, [0])
    last.daemon = True

    def end(*_: object) -> None:
        _TOLD.set()
        if not last.is_alive():
            last.start()
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        last.cancel()
        _TOLD.clear()
        signal.signal(signal.SIGTERM, before)


@contextmanager
def told_to_end(call: Callable[[int], object]) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C call this with their number, and do nothing else meanwhile."""
    usual = {
        number: signal.signal(number, lambda told, _: call(told))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def was_told() -> bool:
    """Whether SIGTERM has come while `ended_by_sigterm` holds."""
    return _TOLD.is_set()
