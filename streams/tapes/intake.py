"""Intake: files of order events into batches, with what is refused counted and kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as ProgressBar

from models.orders.batch import Int64s, OrderBatch
from models.orders.decode import decode
from streams.clock import now_ms
from streams.tapes.files import DeadLetterFile, read_tape

Progress = Callable[[int], None]  # told how many bytes of the files were read since last time


@dataclass(slots=True)
class Intake:
    """Decodes events against the clock of its making, and counts them."""

    dead: DeadLetterFile | None = None
    now_ms: int = field(default_factory=now_ms)
    events: int = 0
    refused: int = 0
    first_ts: int | None = None  # of the accepted events, ms
    last_ts: int | None = None

    def admit(
        self, values: Sequence[bytes], *, partition: int, offsets: Int64s, source: str
    ) -> OrderBatch:
        """Decode events of one source; what is refused goes to the dead letters."""
        decoded = decode(values, partition=partition, offsets=offsets, now_ms=self.now_ms)
        self.events += len(values)
        self.refused += len(decoded.refusals)
        if self.dead is not None:
            for refusal in decoded.refusals:
                offset = int(offsets[refusal.row])
                self.dead.write(values[refusal.row], refusal, source=source, offset=offset)
        if len(decoded.batch):
            first, last = int(decoded.batch.ts.min()), int(decoded.batch.ts.max())
            self.first_ts = first if self.first_ts is None else min(first, self.first_ts)
            self.last_ts = last if self.last_ts is None else max(last, self.last_ts)
        return decoded.batch

    def read(
        self, paths: Sequence[Path], progress: Progress = lambda _: None, digest: Any = None
    ) -> Iterator[OrderBatch]:
        """Read files one after the other; `digest`, of hashlib, is fed every event."""
        for path in paths:
            done = 0
            for chunk in read_tape(path):
                if digest is not None:
                    digest.update(b"\n".join(chunk.lines) + b"\n")
                yield self.admit(chunk.lines, partition=0, offsets=chunk.numbers, source=str(path))
                progress(chunk.bytes_done - done)
                done = chunk.bytes_done


def progress_bar() -> ProgressBar:
    """Make a bar on stderr that goes when it is done, and is not there off a terminal."""
    console = Console(stderr=True)
    return ProgressBar(console=console, transient=True, disable=not console.is_terminal)


def stored_bytes(paths: Sequence[Path]) -> int:
    """Bytes of files as they are stored: what `progress` adds up to."""
    return sum(path.stat().st_size for path in paths)
