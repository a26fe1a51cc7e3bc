"""Writes what was gathered as a folder of files that speak for themselves, with their hashes."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from models.alerts.envelope import rfc3339
from models.alerts.masking import masked
from streams.csv_cells import guarded
from streams.evidence.gather import Gathered
from streams.evidence.order_window import FoundOrder, WindowOrder
from streams.evidence.plot import Point, price_chart
from streams.freeze.actions import Act, Entry, Outcome

MANIFEST: Final = "manifest.json"

# What a user may know of an own order; not who stood on the other side.
OWN_FIELDS: Final = (
    "event_id",
    "ts",
    "venue",
    "symbol",
    "api_key",
    "account",
    "app",
    "order_id",
    "side",
    "type",
    "status",
    "price",
    "qty",
    "notional",
    "maker",
    "network",
)
_IN_WORDS: Final = {
    (Act.FREEZE_KEY, Outcome.DONE): "the key was frozen",
    (Act.UNFREEZE_KEY, Outcome.DONE): "the key was unfrozen",
}


class FolderError(Exception):
    """The folder cannot be written."""


@dataclass(frozen=True, slots=True)
class Written:
    """What lies in the folder."""

    folder: Path
    files: list[str]
    orders: int
    prices: int
    actions: int
    complete: bool  # whether no bound cut the window short


def write_folder(gathered: Gathered, folder: Path, *, redacted: bool) -> Written:
    """Write the files and, last, their manifest.

    `redacted` gives what the user may see: the own orders, prices, and what was done to the key,
    but nobody else's data, and nothing of how it was found.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FolderError(f"folder {folder} is not empty; evidence is never mixed")
    except OSError as error:
        raise FolderError(f"folder {folder}: {error.strerror}") from error
    files = _for_user(gathered) if redacted else _in_full(gathered)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = _manifest(gathered, files, redacted=redacted)
    (folder / MANIFEST).write_bytes(_json(manifest))
    return Written(
        folder,
        [*files, MANIFEST],
        len(gathered.own.found),
        len(_fills(gathered)),
        len(gathered.actions),
        gathered.own.complete and gathered.market.complete,
    )


def _in_full(gathered: Gathered) -> dict[str, bytes]:
    alert = gathered.alert
    data = alert.envelope.data
    weighed = {one.place for one in gathered.weighed}
    orders = [
        {
            "partition": one.place.partition,
            "offset": one.place.offset,
            "weighed": one.place in weighed,
            "order": msgspec.Raw(one.raw),
        }
        for one in gathered.own.found
    ]
    models = {
        "model": data.model,
        "config": data.config,
        "threshold": data.threshold,
        "score": data.score,
        "policies": sorted({action.entry.policy for action in gathered.actions} - {""}),
        "roguekey": version("roguekey"),
    }
    return {
        "alert.json": alert.raw + b"\n",
        "orders.jsonl": b"".join(msgspec.json.encode(order) + b"\n" for order in orders),
        "prices.csv": _prices(gathered, everything=True),
        "prices.svg": _chart(gathered),
        "features.csv": _table(
            ("feature", "value", "typical", "contribution", "text"),
            (
                (reason.feature, reason.value, reason.typical, reason.contribution, reason.text)
                for reason in data.reasons
            ),
        ),
        "model.json": _json(models),
        "actions.jsonl": b"".join(action.raw + b"\n" for action in gathered.actions),
        "timeline.csv": _table(
            ("time", "seq", "act", "outcome", "rule", "by", "why", "case", "attempts"),
            (_told(action.entry) for action in gathered.actions),
        ),
        "summary.md": _summary(gathered),
    }


def _for_user(gathered: Gathered) -> dict[str, bytes]:
    data, account = gathered.alert.envelope.data, gathered.alert.account
    own = [one for one in gathered.own.found if one.order.account == account]
    notice = {
        "id": gathered.alert.envelope.id,
        "time": gathered.alert.envelope.time,
        "api_key": gathered.alert.api_key,
        "account": account,
        "app": data.app if isinstance(data.app, str) else None,
        "symbol": data.symbol,
        "venue": data.venue,
        "what": "orders of this key were unusual, and may not have been yours",
    }
    done = [
        (rfc3339(action.entry.ts), words)
        for action in gathered.actions
        if (words := _IN_WORDS.get((action.entry.act, action.entry.outcome)))
    ]
    return {
        "notice.json": _json(notice),
        "orders.jsonl": b"".join(_own(one) + b"\n" for one in own),
        "prices.csv": _prices(gathered, everything=False),
        "prices.svg": _chart(gathered),
        "timeline.csv": _table(("time", "what"), done),
    }


def _own(one: FoundOrder) -> bytes:
    order = msgspec.json.decode(one.raw)
    return msgspec.json.encode({name: order[name] for name in OWN_FIELDS if name in order})


def _fills(gathered: Gathered) -> list[WindowOrder]:
    return [one.order for one in gathered.market.found if one.order.is_fill]


def _prices(gathered: Gathered, *, everything: bool) -> bytes:
    key = gathered.alert.api_key
    fills = _fills(gathered)
    if not everything:
        own = ((o.ts, o.price, "yes" if key and o.api_key == key else "") for o in fills)
        return _table(("ts", "price", "own"), own)
    rows = (
        (o.ts, o.price, o.qty, o.side, "yes" if o.maker else "", o.account, _mine(o, key))
        for o in fills
    )
    return _table(("ts", "price", "qty", "side", "maker", "account", "accused"), rows)


def _mine(order: WindowOrder, key: str | None) -> str:
    return "yes" if key is not None and order.api_key == key else ""


def _chart(gathered: Gathered) -> bytes:
    data, key = gathered.alert.envelope.data, gathered.alert.api_key
    points = [
        Point(order.ts, order.price, bool(_mine(order, key)), order.side == "buy")
        for order in _fills(gathered)
        if order.price is not None
    ]
    title = f"{data.symbol} on {data.venue}, {rfc3339(gathered.from_ts)[:10]}"
    window = (gathered.from_ts, gathered.to_ts)
    return price_chart(points, title, *window, alert_ts=data.event_ts).encode()


def _told(entry: Entry) -> tuple[Any, ...]:
    return (
        rfc3339(entry.ts),
        entry.seq,
        entry.act,
        entry.outcome,
        entry.rule or "",
        entry.who,
        entry.why,
        entry.case,
        entry.attempts,
    )


def _summary(gathered: Gathered) -> bytes:
    alert, data = gathered.alert, gathered.alert.envelope.data
    subject = masked(alert.envelope.subject) if alert.api_key else alert.envelope.subject
    lines = [
        f"# Alert {alert.envelope.id}",
        "",
        f"{alert.envelope.type} of {subject}, {alert.envelope.time}, {data.symbol} on {data.venue}",
        f"severity {data.severity}, score {data.score:g}, recommended: {data.recommended_action}",
        "",
        *(f"- {reason.text}" for reason in data.reasons),
        "",
        "## What was done",
        "",
        *(
            f"- {rfc3339(one.entry.ts)} {one.entry.act} {one.entry.outcome}, by {one.entry.who}: "
            f"{one.entry.why}"
            for one in gathered.actions
        ),
    ]
    return ("\n".join(lines) + "\n").encode()


def _manifest(gathered: Gathered, files: dict[str, bytes], *, redacted: bool) -> dict[str, Any]:
    alert = gathered.alert
    manifest = {
        "alert": alert.envelope.id,
        "redacted": redacted,
        "window": {"from_ts": gathered.from_ts, "to_ts": gathered.to_ts},
        "complete": gathered.own.complete and gathered.market.complete,
        "files": {
            name: {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
    }
    if not redacted:
        manifest["read"] = {
            "alert": {"partition": alert.place.partition, "offset": alert.place.offset},
            "weighed": [{"partition": p.partition, "offset": p.offset} for p in alert.places],
            "actions": [action.offset for action in gathered.actions],
        }
    return manifest


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([guarded(value) for value in row] for row in rows)
    return text.getvalue().encode()
