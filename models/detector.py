"""The detector: one pure function of events and state, called by the live workers and by replay.

Data goes one way: orders, market stage, key stage, alert stage. Live, each stage has partitions of
its own and a Kafka topic lies between; here they stand one behind the other in one process, and two
threads may share the way: so the kernels leave the interpreter to others while they run. A worker's
do not, because its threads would only take turns more often on its one core.
"""

from typing import NamedTuple

import numpy as np

from models.alerts.envelope import Alert
from models.alerts.stage import AlertStage, Watch
from models.keys.assess import assess_freely
from models.keys.stage import KeyStage
from models.market.kernel import observe_freely
from models.market.stage import MarketStage
from models.merge import Merge
from models.orders.batch import OrderBatch
from models.rows import Rows
from models.score.evidence import NOTABLE
from models.score.model import Model


class Observed(NamedTuple):
    """What the market stage of a partition gives, to be judged in this order."""

    partition: int
    rows: Rows
    clock: int  # time up to which it has been read, ms


class Detector:
    """A market stage for each partition of orders, and the later stages over all of them."""

    def __init__(self, model: Model, partitions: int = 1) -> None:
        self._model = model
        self._markets = [MarketStage(kernel=observe_freely) for _ in range(partitions)]
        self._keys = KeyStage(model.scale, kernel=assess_freely)
        self._start_over(AlertStage(model))

    def clock(self, partition: int = 0) -> int:
        """Time up to which a partition has been read, ms; 0 before its first event."""
        return self._markets[partition].clock

    @property
    def duplicates(self) -> int:
        """Events that had been seen before."""
        return sum(market.duplicates for market in self._markets)

    @property
    def ahead(self) -> int:
        """Events too far ahead of the clock of their partition for it to follow."""
        return sum(market.ahead for market in self._markets)

    @property
    def late(self) -> int:
        """Events of keys that came after the time had passed that they belong to."""
        return self._by_key.late

    def observe(self, batch: OrderBatch, partition: int = 0) -> list[Alert]:
        """Learn the next events of a partition and give the alerts that are due."""
        return self.judge(self.in_market(batch, partition))

    def in_market(self, batch: OrderBatch, partition: int = 0) -> Observed:
        """Take the first half of the way, which may run ahead, in a thread of its own.

        The two have no state in common, and `judge` takes what this gives in the same order.
        """
        market = self._markets[partition]
        return Observed(partition, market.observe(batch), market.clock)

    def judge(self, observed: Observed) -> list[Alert]:
        """Take the second half of the way and give the alerts that are due."""
        self._by_key.add(*observed)
        return self._go_on()

    def idle(self, partition: int = 0) -> list[Alert]:
        """Wait no longer for a partition that has been read to its end."""
        self._by_key.idle(partition)
        return self._go_on()

    def end_warmup(self) -> None:
        """Learn what was held back, and forget the counts and what would have been alerted.

        Which keys are followers is kept.
        """
        for partition, market in enumerate(self._markets):
            self.idle(partition)
            market.duplicates = market.ahead = 0
        self._start_over(AlertStage(self._model, self._alerts.followers))

    def watch(self, watch: Watch) -> None:
        """Let `watch` know every notable fill and its rank from now on, whatever is alerted."""
        self._alerts.watch = watch

    def _start_over(self, alerts: AlertStage) -> None:
        self._alerts = alerts
        self._by_key = Merge(len(self._markets))

    def _go_on(self) -> list[Alert]:
        ready = self._by_key.ready()
        return [] if ready is None else self._alerts.judge(suspects_of(self._keys.assess(ready)))


def suspects_of(rows: Rows) -> Rows:
    """Give the fills that are notable, and offers: all that the alert stage needs."""
    return rows.take(np.flatnonzero((rows.told["odds"] > NOTABLE) | rows.told["offer"]))
