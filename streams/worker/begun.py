"""Coroutines that run at once as far as they need not wait, before they become tasks."""

from collections.abc import Coroutine, Generator
from typing import Any, Self


class Begun:
    """What is left of a coroutine that ran to where it first waits; to be awaited once.

    A task begins only when all that is ready has had its turn, which is long where each turn works
    for milliseconds.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    @classmethod
    def of(cls, work: Coroutine[Any, Any, Any]) -> Self | None:
        """Begin a coroutine; gives what is left of it, None where it waits for nothing."""
        try:
            return cls(work, work.send(None))
        except StopIteration:
            return None

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    yield waits_for
                except BaseException as error:  # a cancellation, too, is for the work to see
                    waits_for = self._work.throw(error)
                else:
                    waits_for = self._work.send(None)
        except StopIteration:
            return
