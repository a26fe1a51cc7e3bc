"""Checks the audit: whether any entry was changed, is missing, or stands in another place."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from models.unreadable import UNREADABLE
from streams.freeze.actions import GENESIS, hash_of

MOST_SHOWN: Final = 1000  # findings that are kept


class Kind(StrEnum):
    """What is wrong."""

    UNREADABLE = "unreadable"
    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    FORKED = "forked"  # two different entries claim one place


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    seq: int  # of the entry, or the first missing one; 0 where it cannot be told
    place: int  # offset, or line
    text: str


@dataclass(slots=True)
class Verified:
    """What was checked, and what was found."""

    entries: int = 0
    repeated: int = 0  # delivered more than once, byte for byte: harmless
    findings: list[Finding] = field(default_factory=list)
    more: int = 0  # findings beyond those that are kept
    head_seq: int = 0
    head_hash: str = GENESIS

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def note(self, kind: Kind, seq: int, place: int, text: str) -> None:
        """Keep a finding, as long as there is room."""
        if len(self.findings) < MOST_SHOWN:
            self.findings.append(Finding(kind, seq, place, text))
        else:
            self.more += 1


def verify(values: Iterable[tuple[int, bytes]], head: tuple[int, str] | None = None) -> Verified:
    """Check a chain of entries as they lie, one after the other.

    Parameters
    ----------
    values : each with its offset or line.
    head : `seq` and `hash` of the last entry as somebody else knows it: entries cut off at the end
        leave no trace in the rest.
    """
    found, seen, latest = Verified(), {0: GENESIS}, 0
    claims: dict[int, tuple[str, int]] = {}  # by seq: hash of the entry before, place
    for place, value in values:
        entry = _readable(value)
        if entry is None:
            found.note(Kind.UNREADABLE, 0, place, "is no entry")
            continue
        found.entries += 1
        seq, own = entry["seq"], entry["hash"]
        if own != hash_of(entry) or value != msgspec.json.encode(entry, order="sorted"):
            found.note(Kind.CHANGED, seq, place, "does not fit its hash")
        if seen.get(seq) == own:
            found.repeated += 1
            continue
        if seq in seen:
            found.note(Kind.FORKED, seq, place, "another entry has this number")
            continue
        if seq < latest:
            found.note(Kind.REORDERED, seq, place, f"lies behind entry {latest}")
        seen[seq], claims[seq] = own, (entry["previous"], place)
        latest = max(latest, seq)
    _check_links(found, seen, claims)
    found.head_seq, found.head_hash = latest, seen[latest]
    if head is not None:
        _check_head(found, seen, head)
    return found


def _check_links(found: Verified, seen: dict[int, str], claims: dict[int, tuple[str, int]]) -> None:
    expected = 1
    for seq in sorted(claims):
        previous, place = claims[seq]
        if seq > expected:
            _note_gap(found, expected, seq - 1, place)
        elif previous != seen[seq - 1]:
            found.note(Kind.CHANGED, seq, place, f"does not follow entry {seq - 1} as it is now")
        expected = seq + 1


def _note_gap(found: Verified, first: int, last: int, place: int) -> None:
    gap = f"entry {first}" if first == last else f"entries {first} to {last}"
    found.note(Kind.MISSING, first, place, f"{gap} should lie before this")


def _check_head(found: Verified, seen: dict[int, str], head: tuple[int, str]) -> None:
    seq, known = head
    if seq not in seen:
        _note_gap(found, found.head_seq + 1, seq, -1)
    elif seen[seq] != known:
        found.note(Kind.CHANGED, seq, -1, "is not the entry that is known as the last")


def _readable(value: bytes) -> dict[str, Any] | None:
    """Give the fields of an entry; None where it is none."""
    try:
        entry = msgspec.json.decode(value or b"")
    except UNREADABLE:
        return None
    if not isinstance(entry, dict):
        return None
    seq, texts = entry.get("seq"), (entry.get("hash"), entry.get("previous"))
    is_entry = type(seq) is int and seq > 0 and all(isinstance(text, str) for text in texts)
    return entry if is_entry else None
