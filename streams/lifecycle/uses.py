"""When keys were last used, out of order events: only what is needed of each is decoded.

Any event of a key is a use of it, rejected orders too, and also an event that the detector would
refuse: who can say that the key was not at work?
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from typing_extensions import override

from models.orders.limits import EARLIEST_MS
from models.unreadable import UNREADABLE
from streams.lifecycle.store import HOUR_MS

Time = Annotated[int, Meta(ge=EARLIEST_MS, le=2**63 - 1)]
Id = str | int | float | None


class Use(msgspec.Struct, gc=False):
    """What counts of an order event."""

    ts: Time
    api_key: str | None
    account: str | None = None

    def is_after(self, moment: int) -> bool:
        """Whether the event says of itself that it comes later."""
        return self.ts > moment


class Undated(Use, gc=False):
    """An event whose own time is no time; it has the broker's."""

    @override
    def is_after(self, moment: int) -> bool:
        return False


class Unreadable(Undated, gc=False):
    """An event of which nothing is known, so that it is no sign that orders arrive."""


class _Key(msgspec.Struct):
    api_key: Id


class _Rest(msgspec.Struct):
    ts: Time
    account: Id = None


_decode: Final = msgspec.json.Decoder(Use, strict=False).decode
_decode_key: Final = msgspec.json.Decoder(_Key).decode
_decode_rest: Final = msgspec.json.Decoder(_Rest, strict=False).decode


@dataclass(slots=True)
class Uses:
    """What a batch of order events says."""

    last: dict[str, Use] = field(default_factory=dict)  # the latest use of each key
    hours: set[int] = field(default_factory=set)  # since the epoch, of which there are orders
    events: int = 0
    unreadable: int = 0

    def add(self, uses: Iterable[Use]) -> None:
        """Take uses in."""
        last = self.last
        for use in uses:
            key = use.api_key
            if key:
                known = last.get(key)
                if known is None or use.ts > known.ts:
                    last[key] = use

    def rows(self, now: int) -> list[tuple[str, str | None, int]]:
        """Give key, account and time of each last use; a time ahead of `now` counts as now.

        They are in order of the keys, in which a table takes them four times as fast.
        """
        return [(key, use.account, min(use.ts, now)) for key, use in sorted(self.last.items())]


def decode_uses(values: Sequence[bytes | None], timestamps: Sequence[int]) -> list[Use]:
    """Read order events; gives a use for each, in their order.

    An event whose own time is no time counts at the time that the broker has for it. A key that is
    a number counts as its text: better a use too many than a key removed that was used.
    """
    uses: list[Use] = []
    decoded = map(_decode, (value or b"" for value in values))
    while True:
        try:
            uses.extend(decoded)  # keeps what came before an error
        except UNREADABLE:
            at = len(uses)
            uses.append(_use_of(values[at] or b"", max(EARLIEST_MS, timestamps[at])))
        else:
            return uses


def _use_of(value: bytes, broker_time: int) -> Use:
    """Give what can be known of an event that is not as it should be."""
    try:
        api_key = _text(_decode_key(value).api_key)
    except UNREADABLE:
        return Unreadable(broker_time, None)
    try:
        rest = _decode_rest(value)
    except UNREADABLE:
        return Undated(broker_time, api_key)
    return Use(rest.ts, api_key, _text(rest.account))


def _text(found: Id) -> str | None:
    """Give an id as text.

    >>> _text(4711), _text(4711.0), _text("k1")  # a table with gaps makes its numbers floats
    ('4711', '4711', 'k1')
    """
    if isinstance(found, float):
        return f"{found:.0f}" if found.is_integer() else repr(found)
    return None if found is None else str(found)


def hours_of(uses: Iterable[Use], now: int) -> set[int]:
    """Give the hours since the epoch in which there were orders; none after `now`."""
    hours = {use.ts // HOUR_MS for use in uses if type(use) is not Unreadable}
    return {min(hour, now // HOUR_MS) for hour in hours}
