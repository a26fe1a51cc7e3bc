"""Order events as others decode them: each takes a batch of raw JSON values.

Ours checks every field against its rule, refuses a bad event alone, reads numeric strings as
numbers, and gives columns with names as codes and stable hashes. Each docstring says what its peer
does instead, in the way in which its documentation does it.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from io import BytesIO
from typing import Any, Final

import msgspec
import numpy as np

from models.orders.decode import decode

Values = Sequence[bytes]
Decoder = Callable[[Values], Any]

OURS: Final = "roguekey"
LATER_MS: Final = 2_000_000_000_000  # a clock that no event of the sample is ahead of


class Order(msgspec.Struct):
    """An order event as one would declare it, types alone."""

    event_id: str
    ts: int
    venue: str
    symbol: str
    api_key: str | None
    account: str
    side: str
    app: str | None = None
    order_id: str | None = None
    type: str = "limit"
    status: str = "filled"
    price: float | None = None
    qty: float | None = None
    notional: float | None = None
    maker: bool = False
    arrival_price: float | None = None
    counterparty: str | None = None
    network: str | None = None


COLUMNS: Final = {
    field.name: next((kind for kind in (int, float, bool) if kind.__name__ in str(field.type)), str)
    for field in msgspec.structs.fields(Order)
}


def roguekey() -> Decoder:
    """Columns with codes and hashes, types and ranges checked; a bad event is refused alone."""

    def run(values: Values) -> object:
        return decode(values, partition=0, offsets=np.arange(len(values)), now_ms=LATER_MS)

    return run


def plain_msgspec() -> Decoder:
    """Structs, types checked; no ranges, no columns; a bad event ends the batch."""
    decode_one = msgspec.json.Decoder(Order).decode
    return lambda values: list(map(decode_one, values))


def orjson() -> Decoder:
    """Dictionaries, nothing checked, no columns; a bad event ends the batch."""
    loads = import_module("orjson").loads
    return lambda values: list(map(loads, values))


def pyarrow() -> Decoder:
    """Columns, types checked; no ranges, no codes or hashes; a bad event ends the batch."""
    arrow, json = import_module("pyarrow"), import_module("pyarrow.json")
    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    schema = arrow.schema({name: types[kind] for name, kind in COLUMNS.items()})
    parse = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    read = json.ReadOptions(use_threads=False, block_size=1 << 24)
    return lambda values: json.read_json(BytesIO(b"\n".join(values)), read, parse)


def polars() -> Decoder:
    """Columns, types checked; no ranges, no codes or hashes; a bad event ends the batch."""
    library = import_module("polars")
    types = {str: library.String, int: library.Int64, float: library.Float64, bool: library.Boolean}
    schema = {name: types[kind] for name, kind in COLUMNS.items()}
    return lambda values: library.read_ndjson(b"\n".join(values), schema=schema)


MAKERS: Final = {
    OURS: roguekey,
    "msgspec": plain_msgspec,
    "orjson": orjson,
    "pyarrow": pyarrow,
    "polars": polars,
}


def decoders(tell: Callable[[str], None]) -> Iterator[tuple[str, Decoder]]:
    """Give each decoder whose library is installed; tells of the others."""
    for name, make in MAKERS.items():
        try:
            decoder = make()
        except ImportError as error:
            tell(f"{name} is left out: {error}")
        else:
            yield name, decoder
