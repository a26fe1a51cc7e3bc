"""The job in Bytewax: two keyed `stateful_map` steps, and batches scored as they flow.

Without a recovery store: it forgets its state, and where it was, when it ends.
"""

from operator import itemgetter

import orjson
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from benchmarks.peers.job import Judge
from benchmarks.peers.meter import ALERTS, ORDERS, Meter, Task
from benchmarks.peers.rolling import (
    Order,
    State,
    is_keyed_fill,
    measure_key,
    new_key,
    new_market,
    observe_market,
)

Fill = tuple[Order, list[float]]


def observe(market: State | None, order: Order) -> tuple[State, Fill]:
    """Learn an event in its market."""
    market = market or new_market()
    return market, (order, observe_market(market, order))


def measure(key: State | None, fill: Fill) -> tuple[State, Fill]:
    """Measure a fill against its key's past."""
    key = key or new_key()
    order, told = fill
    return key, (order, measure_key(key, order, told))


def build(task: Task) -> Dataflow:
    """Make the flow."""
    judge, meter = Judge(task.history), Meter(task)

    def is_measured(fill: Fill) -> bool:
        if is_keyed_fill(fill[0]):
            return True
        meter.add()
        return False

    def score(fills: list[Fill]) -> list[KafkaSinkMessage[None, bytes]]:
        alerts = judge.judge([order for order, _ in fills], [row for _, row in fills])
        meter.add(len(fills))
        return [KafkaSinkMessage(None, alert) for alert in alerts]

    flow = Dataflow("peer")
    messages = kop.input("orders", flow, brokers=[task.address], topics=[ORDERS])
    orders = op.map("decode", messages.oks, lambda message: orjson.loads(message.value))
    by_symbol = op.key_on("by symbol", orders, itemgetter("symbol"))
    observed = op.key_rm("observed", op.stateful_map("observe", by_symbol, observe))
    fills = op.filter("keyed fills", observed, is_measured)
    by_key = op.key_on("by key", fills, lambda fill: fill[0]["api_key"])
    measured = op.key_rm("measured", op.stateful_map("measure", by_key, measure))
    alerts = op.flat_map_batch("score", measured, score)
    kop.output("alerts", alerts, brokers=[task.address], topic=ALERTS)
    return flow


if __name__ == "__main__":
    cli_main(build(Task.given()))
