"""Labels: what truly happened on a tape, in the form that `roguekey simulate --labels` writes.

Users bring their own, so whatever is not needed to score alerts by may be missing, numbers may be
written as programs write them (1.0 for 1, or quoted), and look-alikes may be told in any of the
ways in which people do.
"""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

import msgspec

from models.unreadable import UNREADABLE

UNKNOWN: Final = "unknown"
KEY_FIELDS: Final = ("keys", "api_keys", "api_key")  # of a look-alike

Time = TypeVar("Time", int, float)
Usd = Annotated[float, msgspec.Meta(ge=0.0, le=1e300)]  # a quoted nan or inf is none


class LabelsError(ValueError):
    """A file does not hold labels."""


class LeakedKey(msgspec.Struct, frozen=True):
    """A leaked key and what was done with it."""

    incident: int
    first_rogue_ts: int  # ms
    rogue: list[tuple[int, Usd]] = []  # time (ms) and notional (USD) of each rogue order

    @property
    def notional(self) -> float:
        """USD of all its rogue orders."""
        return sum(usd for _, usd in self.rogue)

    def after(self, time: float) -> float:
        """USD of its rogue orders after a time, ms: what a freeze then would have saved."""
        return sum(usd for ts, usd in self.rogue if ts > time)


class LabelledIncident(msgspec.Struct, frozen=True):
    """One theft."""

    id: int
    kind: str = UNKNOWN
    app: str | None = None  # None: the keys have none in common
    venue: str = ""
    symbol: str | None = ""
    sellers: list[str] | None = []  # accounts that sold to the leaked keys


class LookAlike(msgspec.Struct, frozen=True):
    """Something that a bad detector takes for a theft."""

    kind: str
    keys: list[str]
    ts: int = 0  # ms, when it began


class Labels(msgspec.Struct, frozen=True):
    """What truly happened on a tape."""

    leaked: dict[str, LeakedKey]  # by API key
    incidents: list[LabelledIncident] = []
    hard_negatives: list[LookAlike] = []

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read labels; a `LabelsError` names the file and what is wrong with it."""
        try:
            told = path.read_bytes().removeprefix(codecs.BOM_UTF8)
            found = msgspec.json.decode(told, type=_AsTold, strict=False)
        except OSError as error:
            raise LabelsError(f"{path} cannot be read: {error.strerror}") from error
        except UNREADABLE as error:
            raise LabelsError(f"{path} holds no labels: {error}") from error
        return cls(found.leaked, found.incidents or [], list(_look_alikes(found.hard_negatives)))

    def within(self, first_ts: int, last_ts: int) -> Self:
        """Leave out the keys none of whose rogue orders lie between two times, ms."""
        leaked = {
            key: leak
            for key, leak in self.leaked.items()
            if first_ts <= leak.first_rogue_ts <= last_ts
            or any(first_ts <= ts <= last_ts for ts, _ in leak.rogue)
        }
        return msgspec.structs.replace(self, leaked=leaked)

    def caught(self, alerted: Iterable[tuple[str, Time]]) -> tuple[dict[str, Time], set[str]]:
        """Hold alerts, each a key and the time (ms) of its order, to what truly happened.

        A leaked key is caught by its first alert at or after its first rogue order: gives when. An
        alert on a key that had not been misused by then is false, also when the key is later: gives
        those keys.
        """
        caught: dict[str, Time] = {}
        false = set()
        for key, time in alerted:
            leak = self.leaked.get(key)
            if leak is not None and time >= leak.first_rogue_ts:
                caught[key] = min(time, caught.get(key, time))
            else:
                false.add(key)
        return caught, false


class _AsTold(msgspec.Struct):
    leaked: dict[str, LeakedKey]
    incidents: list[LabelledIncident] | None = None
    hard_negatives: Any = None


def _look_alikes(told: Any) -> Iterator[LookAlike]:
    """Give the look-alikes of a list of keys or of objects, or of keys by kind."""
    if isinstance(told, dict):
        for kind, keys in told.items():
            yield LookAlike(kind, _names(keys))
    for each in told if isinstance(told, list) else ():
        if isinstance(each, dict):
            keys = next((each[field] for field in KEY_FIELDS if field in each), [])
            kind, ts = str(each.get("kind", UNKNOWN)), each.get("ts")
            yield LookAlike(kind, _names(keys), _time(ts))
        else:
            yield LookAlike(UNKNOWN, _names(each))


def _time(told: Any) -> int:
    """Give a time, in ms, or 0 where none is told."""
    try:
        return msgspec.convert(told, int, strict=False)
    except msgspec.ValidationError:
        return 0


def _names(told: Any) -> list[str]:
    """Give the names in a list of them, or the only one; what is no name is left out."""
    each = told if isinstance(told, list) else [told]
    return [name for name in each if isinstance(name, str)]
