"""The job in Quix Streams: state by symbol, a group-by, state by key, a batching sink that scores.

State lies in RocksDB, each with its changelog, as it does by default; the sink scores what came
between two commits, here a second.
"""

import tempfile

from quixstreams import Application, State
from quixstreams.sinks.base import BatchingSink, SinkBatch

from benchmarks.peers.job import Judge
from benchmarks.peers.meter import ALERTS, ORDERS, Meter, Task
from benchmarks.peers.rolling import (
    Order,
    is_keyed_fill,
    measure_key,
    new_key,
    new_market,
    observe_market,
)


class Judging(BatchingSink):
    """Scores fills in batches, and sends the alerts."""

    def __init__(self, app: Application, judge: Judge, meter: Meter) -> None:
        super().__init__()
        self._producer = app.get_producer()
        self._judge, self._meter = judge, meter

    def write(self, batch: SinkBatch) -> None:
        """Score what was gathered."""
        fills = [item.value for item in batch]
        for alert in self._judge.judge(
            [fill["order"] for fill in fills], [fill["features"] for fill in fills]
        ):
            self._producer.produce(ALERTS, alert)
        self._meter.add(len(fills))


def run(task: Task, folder: str) -> None:
    """Work until told to end."""
    meter = Meter(task)
    app = Application(
        broker_address=task.address,
        consumer_group=task.name,
        auto_offset_reset="earliest",
        commit_interval=1.0,
        state_dir=folder,
        loglevel="WARNING",
    )

    def observe(order: Order, state: State) -> Order:
        market = state.get("market") or new_market()
        told = observe_market(market, order)
        state.set("market", market)
        return {"api_key": order.get("api_key"), "order": order, "told": told}

    def is_measured(fill: Order) -> bool:
        if is_keyed_fill(fill["order"]):
            return True
        meter.add()
        return False

    def measure(fill: Order, state: State) -> Order:
        key = state.get("key") or new_key()
        features = measure_key(key, fill["order"], fill["told"])
        state.set("key", key)
        return {"order": fill["order"], "features": features}

    orders = app.dataframe(app.topic(ORDERS, value_deserializer="json"))
    fills = orders.apply(observe, stateful=True).filter(is_measured).group_by("api_key")
    fills.apply(measure, stateful=True).sink(Judging(app, Judge(task.history), meter))
    app.run()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as state:
        run(Task.given(), state)
