"""Reading ahead: the next of a tape is made ready by a thread, while this one is worked on.

Kernels and sums of hashes let go of the interpreter while they run, so the two work side by side.
"""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, cast

AHEAD: Final = 4  # things that wait to be taken, at most: memory is bounded, and neither side waits

T = TypeVar("T")

_END: Final = object()


def read_ahead(things: Iterable[T], most: int = AHEAD) -> Generator[T, None, None]:
    """Give what `things` gives, and raise what it raises, in the same place.

    All of it is made in one thread, which is gone when nothing more is wanted.
    """
    source = iter(things)
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        made = deque(thread.submit(next, source, _END) for _ in range(most))
        try:
            while (thing := made.popleft().result()) is not _END:
                made.append(thread.submit(next, source, _END))
                yield cast("T", thing)
        finally:
            for other in made:
                other.cancel()
