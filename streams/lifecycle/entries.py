"""What the inactive-key policy tells the world: entries of `key.lifecycle`, keyed by API key.

The notifier's webhook gets entries of the same form, the id as `webhook-id`. Delivery is at least
once: `id` tells a repeated entry.
Readers ignore fields that they do not know; new ones are added with a default.
"""

from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

CONTENT_TYPE: Final = b"application/json"


class Kind(StrEnum):
    """What happened."""

    NOTICE = "notice"  # the owner was told: the clock of business days runs
    NOTICE_FAILED = "notice_failed"  # nobody could be told: no clock runs; it is tried again later
    CONFIRMATION = "confirmation"  # the days are over: the owner was told that the key goes now
    REMOVAL = "removal"  # the exchange removed the key
    REMOVAL_FAILED = "removal_failed"  # the exchange did not; it is tried again later
    RESCUE = "rescue"  # the key stays; `reason` says why
    LATE_USE = "late_use"  # a removed key turns out to have been used: restore it
    HOLD = "hold"  # of the policy, no key: nothing is done until an operator has looked
    RESUME = "resume"  # of the policy, no key: it acts again


class Reason(StrEnum):
    """Why: of a rescue, a late use or a hold; `inactive` of everything on the way to removal."""

    INACTIVE = "inactive"
    USED = "used"
    IP_BOUND = "ip_bound"
    EXEMPT = "exempt"
    DELETED = "deleted"  # by its owner
    CREATED = "created"  # again, under the same id
    NOT_OBSERVED = "not_observed"  # uses may have been missed: its clock starts anew
    USED_AFTER_REMOVAL = "used_after_removal"  # the exchange still accepts it
    LOST_ORDERS = "lost_orders"  # the topic dropped orders that were never read
    SILENCE = "silence"  # no orders at all for too long
    BUDGET = "budget"  # more removals are due than a day allows
    ACKNOWLEDGED = "acknowledged"  # by an operator
    RECOVERED = "recovered"  # of itself


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry. Times are ms since the Unix epoch, UTC; what is null or unknown is left out."""

    id: str  # the same when the entry is sent again
    kind: Kind
    ts: int  # when it happened
    mode: str  # dry-run: nothing was sent, nobody was told; enforce
    text: str  # one sentence for people, the key masked in it
    reason: Reason
    policy: str  # name of the preset, such as binance
    version: int = 1
    api_key: str | None = None  # null: of the policy as a whole
    account: str | None = None  # its owner, where known
    phase: str | None = None  # of the key from now on: see models.lifecycle.machine.Phase
    idle_since: int | None = None  # from when its days of inactivity are counted
    last_use: int | None = None
    notified_at: int | None = None  # when the notice went out
    removal_due: int | None = None  # the owner's last moment to use it
    actor: str | None = None  # operator who acknowledged

    def encode(self) -> bytes:
        """Give the JSON, without a newline."""
        return msgspec.json.encode(self)


_decode: Final = msgspec.json.Decoder(Entry).decode


def decode_entry(value: bytes) -> Entry:
    """Read an entry; `msgspec.MsgspecError` where it is none."""
    return _decode(value)


def entry_id(kind: Kind, api_key: str, *basis: int | str) -> str:
    """Id of what happens once to this key on this basis: 32 hexadecimal digits.

    >>> entry_id(Kind.NOTICE, "k1", 5) == entry_id(Kind.NOTICE, "k1", 5)
    True
    """
    parts = msgspec.json.encode([kind, api_key, *basis])
    return blake2b(parts, digest_size=16).hexdigest()
