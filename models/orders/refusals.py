"""Why an order event was refused: one sentence that names the field, the value and the rule."""

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from models.unreadable import UNREADABLE

SHOWN: Final = 60  # characters of a refused value that a reason quotes
SHOWN_OF_A_KEY: Final = 4  # somebody may have put a secret where the public id belongs

_NAME: Final = "1 to 256 characters, none of them a control character"
_OPTIONAL_NAME: Final = "null, or at most 256 characters, none of them a control character"
RULES: Final = {
    "event_id": f"a string of {_NAME}",
    "ts": "whole milliseconds since 1970, and not before 2009-01-03",
    "venue": f"a string of {_NAME}",
    "symbol": f"a string of {_NAME}",
    "api_key": f"null or a string of {_NAME}",
    "account": f"a string of {_NAME}",
    "app": _OPTIONAL_NAME,
    "order_id": _OPTIONAL_NAME,
    "side": "buy or sell",
    "type": "market or limit",
    "status": "new, partially_filled, filled, canceled, rejected or expired",
    "price": "between 1e-12 and 1e+12",
    "qty": "between 1e-12 and 1e+15",
    "notional": "above 0 and at most 1e+12",
    "maker": "true or false",
    "arrival_price": "between 1e-12 and 1e+12",
    "counterparty": _OPTIONAL_NAME,
    "network": _OPTIONAL_NAME,
}

_MISSING_FIELD: Final = re.compile(r"Object missing required field `(\w+)`\Z")
_WRONG_FIELD: Final = re.compile(r" - at `\$\.(\w+)`\Z")
_read_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused event: its row among the raw values, the field at fault and the reason.

    The field is empty where the whole event cannot be read.
    """

    row: int
    field: str
    reason: str


def unreadable(row: int, value: bytes, error: Exception) -> Refusal:
    """Say why the decoder could not read `value`, given the error that it raised."""
    text = str(error)
    fault = _MISSING_FIELD.match(text) or _WRONG_FIELD.search(text)
    if fault and isinstance(error, msgspec.ValidationError):
        return broken_rule(row, value, fault[1], RULES[fault[1]])
    if not value:
        text = "there are no bytes"
    reason = f"the event must be one JSON object in UTF-8: {_one_line(text)}"
    return Refusal(row, "", reason)


def broken_rule(row: int, value: bytes, field: str, rule: str) -> Refusal:
    """Refuse `value` because its `field` breaks `rule` (what the field must be)."""
    try:
        sent = _read_fields(value).get(field)
    except UNREADABLE as error:
        # The field was at fault before the decoder came to where the JSON is broken.
        return unreadable(row, value, error)
    return Refusal(row, field, f"{field} is {_quoted(field, sent)}; must be {rule}")


def _quoted(field: str, sent: msgspec.Raw | None) -> str:
    """Quote what was sent as it was sent, in JSON: the number 5 and the string "5" differ."""
    if sent is None:
        return "missing"
    shown = _one_line(bytes(sent).decode(errors="backslashreplace"))
    limit = SHOWN_OF_A_KEY if field == "api_key" and shown != "null" else SHOWN
    return shown if len(shown) <= limit else shown[:limit] + "…"


def _one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]
