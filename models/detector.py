"""The detector: one pure function of events and state, called by the live worker and by replay.

Data goes one way: orders, market stage, key stage, alert stage. Live, each stage has its partition
and a Kafka topic lies between; here they stand one behind the other, with one partition each.
"""

from typing import Final

import numpy as np

from models.alerts.envelope import Alert
from models.alerts.stage import AlertStage
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.batch import OrderBatch
from models.rows import Merge, Rows
from models.score.evidence import NOTABLE
from models.score.model import Model

ONLY: Final = 0  # the one source of a merge


class Detector:
    """All stages in one process."""

    def __init__(self, model: Model) -> None:
        self._market = MarketStage()
        self._keys = KeyStage(model.scale)
        self._alerts = AlertStage(model)
        self._by_key = Merge(1)
        self._by_alert = Merge(1)

    def observe(self, batch: OrderBatch) -> list[Alert]:
        """Learn a batch and give the alerts that are due."""
        self._by_key.add(ONLY, self._market.observe(batch), self._market.clock)
        return self._go_on()

    def finish(self) -> list[Alert]:
        """Give what was still held back in case more came at the same time."""
        self._by_key.idle(ONLY)
        return self._go_on()

    def _go_on(self) -> list[Alert]:
        ready = self._by_key.ready()
        suspects = None if ready is None else suspects_of(self._keys.assess(ready))
        self._by_alert.add(ONLY, suspects, self._by_key.watermark)
        due = self._by_alert.ready()
        return [] if due is None else self._alerts.judge(due)


def suspects_of(rows: Rows) -> Rows:
    """Give the fills that are notable: all that the alert stage needs."""
    return rows.take(np.flatnonzero(rows.extra["odds"] > NOTABLE))
