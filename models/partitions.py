"""The detector over several partitions of orders: what the live workers do, in one process."""

from models.alerts.envelope import Alert
from models.alerts.stage import AlertStage
from models.detector import suspects_of
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.batch import OrderBatch
from models.rows import Merge
from models.score.model import Model


class PartitionedDetector:
    """A market stage for each partition, and the later stages over all of them."""

    def __init__(self, model: Model, partitions: int = 1) -> None:
        self._model = model
        self._markets = [MarketStage() for _ in range(partitions)]
        self._keys = KeyStage(model.scale)
        self._start_over()

    def clock(self, partition: int) -> int:
        """Time up to which a partition has been read, ms; 0 before its first event."""
        return self._markets[partition].clock

    def observe(self, partition: int, batch: OrderBatch) -> list[Alert]:
        """Learn the next events of a partition and give the alerts that are due."""
        market = self._markets[partition]
        self._by_key.add(partition, market.observe(batch), market.clock)
        return self._go_on()

    def idle(self, partition: int) -> list[Alert]:
        """Wait no longer for a partition that has been read to its end."""
        self._by_key.idle(partition)
        return self._go_on()

    def end_warmup(self) -> None:
        """Learn what was held back, and forget what would have been alerted."""
        for partition in range(len(self._markets)):
            self.idle(partition)
        self._start_over()

    def _start_over(self) -> None:
        self._alerts = AlertStage(self._model)
        self._by_key = Merge(len(self._markets))
        self._by_alert = Merge(1)

    def _go_on(self) -> list[Alert]:
        ready = self._by_key.ready()
        suspects = None if ready is None else suspects_of(self._keys.assess(ready))
        self._by_alert.add(0, suspects, self._by_key.watermark)
        due = self._by_alert.ready()
        return [] if due is None else self._alerts.judge(due)
