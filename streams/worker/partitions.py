"""One partition of a stage: how far it has read its topic, and how it is saved and comes back."""

from typing import Any, Protocol

import msgspec

from models.snapshot import Records, Saved, Snapshot
from streams.worker.runs import Run


class LostRunError(RuntimeError):
    """Something was read that did not reach its stage."""


class Stage(Protocol):
    """A stage of the detector, to be saved."""

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""

    def records(self) -> dict[str, Records]:
        """Give what is saved record by record, without the rest."""

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back."""


class Reader:
    """How far a partition has been read."""

    def __init__(self) -> None:
        self.end = 0  # offset to read on from

    def unread(self, run: Run) -> Run | None:
        """Give what of a run has not been read before, and note that it now is.

        Raises
        ------
        LostRunError
            If there was a run before it, which did not come here.
        """
        if run.begin is not None and run.begin > self.end:
            raise LostRunError(f"read up to offset {self.end}, the next run begins at {run.begin}")
        end, self.end = self.end, max(self.end, run.end)
        return run.since(end)


class Partition:
    """What all three have in common: how far they have read, and how they are saved."""

    kind: str

    def __init__(self, stage: Stage, born: int) -> None:
        self._saved_stage = stage
        self._reader = Reader()
        self.born = born  # when the state began, ms

    @property
    def end(self) -> int:
        """Offset up to which the input is contained in the state."""
        return self._reader.end

    @property
    def again_from(self) -> int:
        """Offset from which the input has to be read again to go on from this state."""
        return self.end

    def expect_gap(self) -> None:
        """Go on behind records that no longer lie on their topic."""

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""
        stage = self._saved_stage.snapshot()
        values = msgspec.msgpack.encode((self.end, self.born, stage.values, self._own()))
        return Snapshot(stage.records, values)

    def records(self) -> dict[str, Records]:
        """Give what is saved record by record: the bulk of the state, at no cost."""
        return self._saved_stage.records()

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back, in place of that of a new partition."""
        kinds = tuple[int, int, bytes, msgspec.Raw]
        self._reader.end, self.born, stage, own = msgspec.msgpack.decode(values, type=kinds)
        self._saved_stage.restore(records, stage)
        self._take_back(own)

    def _own(self) -> Any:
        raise NotImplementedError

    def _take_back(self, own: msgspec.Raw) -> None:
        raise NotImplementedError
