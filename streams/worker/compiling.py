"""Compiles the detector's kernels before a worker runs, since its event loop must not wait for it.

Where no compiled kernels were kept, a minute may pass: long enough for brokers to give a worker up.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from models.alerts.stage import AlertStage
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.decode import decode
from models.rows import Rows
from models.score.evidence import SUSPECT
from models.score.model import Model
from streams.worker.records import locate

ANY: Final = 1e3  # strength beyond all: with a threshold so far below, everything is alerted
NOW_MS: Final = 1670562612000
EVENTS: Final = (
    b'{"event_id":"1","ts":1670562611123,"venue":"v","symbol":"s","api_key":"k","account":"a",'
    b'"app":"p","side":"buy","price":1,"qty":1}',
    b'{"event_id":"2","ts":1670562611124,"venue":"v","symbol":"s","api_key":"l","account":"b",'
    b'"app":"p","side":"buy","price":2,"qty":9}',
)
ODD: Final = EVENTS[0].replace(b'"v"', b'"\\u0076"')  # decoded by other kernels than plain ones


def compile_kernels(model: Model) -> None:
    """Run two events through stages of their own, and hold both against their keys.

    So the way to an alert and its reasons is compiled, too.
    """
    locate(b"", 0, 0)
    offsets = np.arange(len(EVENTS))
    decoded = decode(EVENTS, partition=0, offsets=offsets, now_ms=NOW_MS)
    decode([ODD], partition=0, offsets=offsets[:1], now_ms=NOW_MS)
    rows = MarketStage().observe(decoded.batch)
    rows = Rows.concat([rows, rows]).take(np.arange(len(EVENTS)))
    fills = KeyStage(model.scale).assess(rows)
    fills.told["odds"] = 2.0 * SUSPECT
    AlertStage(replace(model, critical=-ANY)).judge(fills)
