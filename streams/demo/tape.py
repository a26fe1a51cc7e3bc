"""The demo's tape: simulated days, the last of them the day that is played to the worker."""

import json
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.simulation import Regime, Tape, regime_of, simulate
from streams.tapes.simulated import write_orders

DAYS: Final = 6
KEYS: Final = 900
START: Final = "2022-12-04"  # of the history; the day played is then that of a known leak
DAY_MS: Final = 86_400_000

# What no exchange should send, yet some day does.
MALFORMED: Final = (
    b'{"event_id":"m1","ts":',
    b"<html><body>502 Bad Gateway</body></html>",
    b'{"event_id":"m3","venue":"v","symbol":"S","api_key":"k","account":"a","side":"buy"}',
    b'{"event_id":"m4","ts":1670562611123,"venue":"v","symbol":"S","api_key":"k","account":"a",'
    b'"side":"buy","price":-1,"qty":2}',
    b'{"event_id":"m5","ts":1670562611123,"venue":"v","symbol":"S","api_key":"k","account":"a",'
    b'"side":"short","price":1,"qty":2}',
    b"\xff\xfe\x00",
)


@dataclass(frozen=True, slots=True)
class DemoTape:
    """Where the files of a demo lie, and what is in them."""

    history: Path
    day: Path
    labels: Path  # of the day
    history_events: int
    events: int  # of the day, with those that are malformed


def demo_regime(days: int = DAYS, keys: int = KEYS) -> Regime:
    """Give the demo's world, whose days begin at midnight."""
    return replace(regime_of(["demo"], days, keys), start=START)


def write_demo_tape(folder: Path, seed: int, days: int = DAYS, keys: int = KEYS) -> DemoTape:
    """Simulate, and write the history, the last day with a few malformed events, and its labels."""
    tape = simulate(demo_regime(days, keys), seed)
    begin = int(tape.ts[-1]) // DAY_MS * DAY_MS
    past = int(np.searchsorted(tape.ts, begin))
    paths = [folder / name for name in ("history.jsonl", "day.jsonl", "labels.json")]
    history, day, labels = paths
    _write(tape, past, history, day)
    labels.write_text(json.dumps(labels_since(tape.labels, begin)) + "\n", "utf-8")
    return DemoTape(history, day, labels, past, len(tape) - past + len(MALFORMED))


def labels_since(labels: dict[str, Any], begin: int) -> dict[str, Any]:
    """Give what happened at `begin` (ms) or later; of a theft that goes on, the rest of it."""
    leaked = {}
    for key, leak in labels["leaked"].items():
        rogue = [order for order in leak["rogue"] if order[0] >= begin]
        if rogue:
            leaked[key] = leak | {"first_rogue_ts": rogue[0][0], "rogue": rogue}
    hit = {leak["incident"] for leak in leaked.values()}
    return {
        "leaked": leaked,
        "incidents": [incident for incident in labels["incidents"] if incident["id"] in hit],
        "hard_negatives": [known for known in labels["hard_negatives"] if known["ts"] >= begin],
    }


def _write(tape: Tape, past: int, history: Path, day: Path) -> None:
    """Write all events into the history, and move those of the day into a file of their own."""
    write_orders(tape, history)
    with history.open("rb+") as whole, day.open("wb") as rest:
        size = sum(map(len, islice(whole, past)))
        spread = np.linspace(0, len(tape) - past, len(MALFORMED) + 2)[1:-1].astype(np.int64)
        waiting = dict(zip(spread.tolist(), MALFORMED, strict=True))
        for number, line in enumerate(whole):
            if number in waiting:
                rest.write(waiting[number] + b"\n")
            rest.write(line)
        whole.truncate(size)
