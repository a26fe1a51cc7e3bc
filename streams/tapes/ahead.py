"""Reading ahead: the next of a tape is made ready by a thread, while this one is worked on.

Kernels and sums of hashes let go of the interpreter while they run, so the two work side by side.
"""

from collections.abc import Generator, Iterable
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Final, TypeVar, cast

AHEAD: Final = 4  # things that wait to be taken, at most: memory is bounded, and neither side waits
FAREWELL_S: Final = 1.0  # a thread that waits for a pipe or a disk is not waited for

T = TypeVar("T")

_END: Final = object()


def read_ahead(things: Iterable[T], most: int = AHEAD) -> Generator[T, None, None]:
    """Give what `things` gives, and raise what it raises, in the same place.

    All of it is made in one thread, which ends when nothing more is wanted.
    """
    made: SimpleQueue[tuple[object, BaseException | None]] = SimpleQueue()
    room, is_over = Semaphore(most), Event()

    def make() -> None:
        source = iter(things)
        thing: object = None
        while thing is not _END:
            room.acquire()
            if is_over.is_set():
                return
            try:
                thing = next(source, _END)
            except BaseException as error:  # raised where it is waited for
                made.put((None, error))
                return
            made.put((thing, None))

    thread = Thread(target=make, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            thing, error = made.get()
            if error is not None:
                raise error
            if thing is _END:
                return
            room.release()
            yield cast("T", thing)
    finally:
        is_over.set()
        room.release()
        thread.join(FAREWELL_S)
