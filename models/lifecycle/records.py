"""What is said of keys besides their orders: records of the `keys` topic or of a file.

Whatever is heard of a key is joined to what is known: the latest time counts, so neither the order
nor the repetition of what is heard matters.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from models.lifecycle.machine import KeyState
from models.orders.limits import EARLIEST_MS, MAX_NAME
from models.unreadable import UNREADABLE

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+$")]
Milliseconds = Annotated[int, Meta(ge=EARLIEST_MS, le=2**63 - 1)]

RULES: Final = (
    'must be {"kind": created, ip_bound, ip_unbound, deleted or used, "api_key": a string of 1 to '
    '256 characters, "ts": ms since the Unix epoch, not before 2009-01-03, "account": optional}'
)


class RecordKind(StrEnum):
    """What happened to the key."""

    CREATED = "created"
    IP_BOUND = "ip_bound"
    IP_UNBOUND = "ip_unbound"
    DELETED = "deleted"
    USED = "used"  # otherwise than by an order


class KeyRecord(msgspec.Struct, frozen=True):
    """One record."""

    kind: RecordKind
    api_key: Name
    ts: Milliseconds  # when it happened
    account: Name | None = None


class RecordError(ValueError):
    """A record of a key cannot be read."""


_decode: Final = msgspec.json.Decoder(KeyRecord, strict=False).decode


def decode_record(value: bytes | None) -> KeyRecord:
    """Read a record; `RecordError` says what is wrong, without the key."""
    try:
        return _decode(value or b"")
    except UNREADABLE as error:
        said = str(error) if value else "there are no bytes"
        raise RecordError(f"a record of a key is wrong: {said}; {RULES}") from error


def heard(record: KeyRecord, now: int) -> KeyState:
    """Give what the record says; a time ahead of `now` counts as now."""
    ts = min(record.ts, now)
    key = KeyState(record.api_key, record.account)
    match record.kind:
        case RecordKind.USED:
            return replace(key, last_use=ts, renewed=ts)
        case RecordKind.CREATED:
            return replace(key, created=ts, renewed=ts)
        case RecordKind.DELETED:
            return replace(key, deleted=ts)
        case RecordKind.IP_BOUND:
            return replace(key, bound_changed=ts, ip_bound=True)
        case RecordKind.IP_UNBOUND:
            return replace(key, bound_changed=ts, renewed=ts)


def joined(known: KeyState, new: KeyState) -> KeyState:
    """Join what is heard to what is known of the same key; where times tie, the bound key wins."""
    if new.bound_changed == known.bound_changed:
        ip_bound = known.ip_bound or new.ip_bound
    else:
        ip_bound = max(known, new, key=lambda key: key.bound_changed).ip_bound
    return replace(
        known,
        account=new.account or known.account,
        last_use=max(known.last_use, new.last_use),
        created=max(known.created, new.created),
        renewed=max(known.renewed, new.renewed),
        ip_bound=ip_bound,
        bound_changed=max(known.bound_changed, new.bound_changed),
        deleted=max(known.deleted, new.deleted),
    )
