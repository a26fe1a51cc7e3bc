"""Turns public trade tapes into order events, so that real markets can be replayed.

The header tells a tape's kind. Times, prices and sizes are the tape's own; what a tape does not
tell is not made up: without accounts every event is anonymous and without an API key, and so is
market context only.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.tapes.files import TapeError, new_tape, read_tape

ANONYMOUS: Final = "anonymous"

# Rough means over the years of the tapes: they put trades on one scale and are no price history.
USD_PER_QUOTE: Final = {
    "SOL": 150.0,
    "BTC": 20_000.0,
    "ETH": 1_500.0,
    "DOGE": 0.05,
    "EUR": 1.1,
    "GBP": 1.3,
    "KRW": 0.00075,
    "RUR": 0.015,
}

Row = Mapping[str, str]
Event = dict[str, Any]


class _MisfitError(Exception):
    """The header or a row is of no known kind of tape."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Events in the order of their time, and how many rows had no usable price or size."""

    events: list[Event]
    skipped: int
    kinds: list[str]  # one per file


@dataclass(frozen=True, slots=True)
class TapeKind:
    """One form of tape: the columns that give it away, and how a row becomes an event."""

    name: str
    columns: frozenset[str]
    event: Callable[[Row, Mapping[str, float]], Event]


def import_tapes(paths: Sequence[Path], usd_per_quote: Mapping[str, float]) -> Imported:
    """Read tapes, `.csv`, `.csv.gz` or `.csv.zst`, into order events sorted by time.

    The same files in the same order give the same events. An id is made of venue, symbol and the
    tape's own trade id, or its time where it has none; what then repeats is numbered.

    Parameters
    ----------
    usd_per_quote : value of one unit of a quote currency in USD; where a quote is not in it, the
        event has no `notional`.

    Raises
    ------
    TapeError
        If a file cannot be read, its header is of no known kind, or a row does not fit it.
    """
    usd_per_quote = {**USD_PER_QUOTE, **usd_per_quote}
    rows: list[Event] = []
    kinds = []
    for path in paths:
        kind, events = _read(path, usd_per_quote)
        kinds.append(kind.name)
        rows.extend(events)
    usable = [event for event in rows if event["price"] > 0 and event["qty"] > 0]
    usable.sort(key=lambda event: event["ts"])  # stable: the tape's own order within a millisecond
    _number_repeated_ids(usable)
    return Imported(usable, len(rows) - len(usable), kinds)


def write_events(events: Iterable[Event], path: Path) -> None:
    """Write a tape of order events; `.gz` and `.zst` are compressed."""
    encode = msgspec.json.Encoder().encode
    with new_tape(path) as file:
        file.writelines(encode(event) + b"\n" for event in events)


def _read(path: Path, usd_per_quote: Mapping[str, float]) -> tuple[TapeKind, list[Event]]:
    lines = (line.decode() for chunk in read_tape(path) for line in chunk.lines)
    try:
        rows = csv.DictReader(lines)
        kind = _kind_of(rows.fieldnames or ())
        return kind, list(_events(rows, kind, usd_per_quote))
    except (_MisfitError, UnicodeDecodeError, csv.Error) as error:
        raise TapeError(f"{path}: {error}") from error


def _events(
    rows: "csv.DictReader[str]", kind: TapeKind, rates: Mapping[str, float]
) -> Iterator[Event]:
    for row in rows:
        try:
            yield kind.event(row, rates)
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # or cells are missing
            raise _MisfitError(f"line {rows.line_num} does not fit {kind.name}: {error}") from error


def _kind_of(header: Iterable[str]) -> TapeKind:
    columns = set(header)
    for kind in KINDS:
        if kind.columns <= columns:
            return kind
    known = "; ".join(f"{kind.name} ({', '.join(sorted(kind.columns))})" for kind in KINDS)
    raise _MisfitError(f"columns are {', '.join(sorted(columns)) or 'none'}; must be of {known}")


def _number_repeated_ids(events: Iterable[Event]) -> None:
    seen: Counter[str] = Counter()
    for event in events:
        plain = event["event_id"]
        seen[plain] += 1
        if seen[plain] > 1:
            event["event_id"] = f"{plain}#{seen[plain]}"


def _swap(row: Row, rates: Mapping[str, float]) -> Event:
    """Take a Solana swap: the trader's wallet is its account and its key."""
    trader, mint, venue = row["trader"], row["mint"], row["venue"].lower()
    price, qty = _number(row["price_sol"] or "0"), _number(row["tokens"] or "0")
    # The tape rounds sol to 1e-4, so the smallest swaps are worth 0 there.
    value = _number(row["sol"] or "0") or price * qty
    return {
        "event_id": f"{venue}:{mint}:{row['sig16'] or row['ts_s']}:{trader}",
        "ts": int(row["ts_s"]) * 1000,
        "venue": venue,
        "symbol": mint,
        "api_key": trader,
        "account": trader,
        # Programs that the swap called, sorted; where there are several (3 %), the last is taken.
        "app": row["app_prefixes"].rpartition(";")[2] or None,
        "side": _side(row["side"]),
        "price": price,
        "qty": qty,
        **_notional(value, rates.get("SOL")),
    }


def _public_trade(row: Row, rates: Mapping[str, float]) -> Event:
    """Take an exchange's public trade; `side` is the taker's, who is not known."""
    exchange = row.get("exchange") or "BINANCE"
    symbol, venue = row["symbol"], exchange.lower()
    price, qty = _number(row["price"]), _number(row["qty"])
    if exchange == "PHEMEX":  # sends integers: spot pairs (sBTCUSDT) ×1e8, contracts' prices ×1e4
        spot = symbol.startswith("s")
        price, qty = price / (1e8 if spot else 1e4), qty / (1e8 if spot else 1)
    return {
        "event_id": f"{venue}:{symbol}:{row['trade_id'] or row['ts_ms']}",
        "ts": int(row["ts_ms"]),
        "venue": venue,
        "symbol": symbol,
        "api_key": None,
        "account": ANONYMOUS,
        "side": _side(row["taker_side"]),
        "price": price,
        "qty": qty,
        **_notional(price * qty, rates.get(quote_of(symbol, exchange, rates))),
    }


def _own_trade(row: Row, rates: Mapping[str, float]) -> Event:
    """Take a trade of the one account of a Yobit history."""
    time = datetime.strptime(row["time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    ts, quote = int(time.timestamp()) * 1000, row["pair"].rpartition("/")[2]
    price, qty = _number(row["price"]), _number(row["amount"])
    return {
        "event_id": f"yobit:{row['pair']}:{ts}",
        "ts": ts,
        "venue": "yobit",
        "symbol": row["pair"],
        "api_key": "yobit-key",
        "account": "yobit-account",
        "side": _side(row["type"]),
        "price": price,
        "qty": qty,
        **_notional(price * qty, rates.get(quote)),
    }


def _number(cell: str) -> float:
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError(f"{cell} is no finite number")
    return number


def _side(cell: str) -> str:
    side = cell.lower()
    if side not in ("buy", "sell"):
        raise ValueError(f"the side is {cell!r}; must be buy or sell")
    return side


def _notional(value: float, usd: float | None) -> dict[str, float]:
    if not math.isfinite(value):
        raise ValueError("price times size is no finite number")
    return {"notional": value * usd} if usd and value > 0 else {}


def quote_of(symbol: str, exchange: str, quotes: Iterable[str]) -> str:
    """Quote currency of a pair; empty where it is none of `quotes`.

    >>> quote_of("GRTBTC", "HITBTC", ["BTC"]), quote_of("KRW-LAMB", "UPBIT", ["KRW"])
    ('BTC', 'KRW')
    """
    parts = re.split("[/_-]", symbol)
    if len(parts) > 1:
        quote = parts[0 if exchange == "UPBIT" else 1]
        return quote if quote in quotes else ""
    return next((quote for quote in quotes if symbol.endswith(quote)), "")


KINDS: Final = (
    TapeKind(
        "Solana swaps",
        frozenset({"mint", "ts_s", "trader", "price_sol", "tokens", "sol"}),
        _swap,
    ),
    TapeKind(
        "public trades",
        frozenset({"symbol", "ts_ms", "taker_side", "price", "qty", "trade_id"}),
        _public_trade,
    ),
    TapeKind("account history", frozenset({"time", "pair", "type", "price", "amount"}), _own_trade),
)
