"""The job of the peers: `rolling` features of each fill, an isolation forest, alerts.

Left out, in favour of the peers: the check of values (they must only be JSON), duplicates and dead
letters, the order of events that come through several partitions, evidence weighed feature by
feature, apps and profiteers, incidents, and the reasons of an alert.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from sklearn.ensemble import IsolationForest

from benchmarks.peers.rolling import Order, Past

TREES: Final = 100
SAMPLE_SIZE: Final = 256
USUAL: Final = 0.9995  # share of the training fills that stay below the threshold
AT_ONCE: Final = 1000  # fills that are scored together, where nothing else says how many


class Judge:
    """A forest grown on the past, and the score beyond which an order is alerted."""

    def __init__(self, history: Path) -> None:
        rows = np.array(_measured(history), np.float32)
        self._forest = IsolationForest(
            n_estimators=TREES, max_samples=SAMPLE_SIZE, random_state=1
        ).fit(rows)
        self._threshold = float(np.quantile(-self._forest.score_samples(rows), USUAL))

    def judge(self, orders: Sequence[Order], rows: Sequence[Sequence[float]]) -> list[bytes]:
        """Score fills, and give the alerts, as JSON."""
        if not rows:
            return []
        scores = -self._forest.score_samples(np.array(rows, np.float32))
        return [
            orjson.dumps(
                {
                    "type": "leaked_key",
                    "api_key": orders[row]["api_key"],
                    "event_id": orders[row]["event_id"],
                    "score": float(scores[row]),
                }
            )
            for row in np.flatnonzero(scores > self._threshold).tolist()
        ]


def _measured(history: Path) -> list[list[float]]:
    past = Past()
    rows = map(past.measure, map(orjson.loads, history.read_bytes().splitlines()))
    return [row for row in rows if row is not None]
