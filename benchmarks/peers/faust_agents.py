"""The job in stock Faust: an agent by symbol, an agent by key, a table for each.

Events are dictionaries, which Faust makes faster than its Records; both tables are in memory, with
the changelog that every table has. Fills are scored a thousand at a time, or after half a second.
"""

import faust

from benchmarks.peers.job import AT_ONCE, Judge
from benchmarks.peers.meter import ALERTS, ORDERS, Meter, Task
from benchmarks.peers.rolling import (
    Order,
    is_keyed_fill,
    measure_key,
    new_key,
    new_market,
    observe_market,
)


def build(task: Task) -> faust.App:
    """Make the app."""
    judge, meter = Judge(task.history), Meter(task)
    app = faust.App(
        task.name,
        broker=f"kafka://{task.address}",
        store="memory://",
        topic_partitions=task.partitions,
        web_enabled=False,
    )
    orders = app.topic(ORDERS, value_serializer="json")
    fills = app.topic(
        f"{task.name}.fills", value_serializer="json", key_serializer="raw", internal=True
    )
    alerts = app.topic(ALERTS, value_serializer="raw")
    markets = app.Table("markets", default=new_market)
    keys = app.Table("keys", default=new_key)
    waiting: list[tuple[Order, list[float]]] = []

    @app.agent(orders)
    async def observe(stream: faust.StreamT[Order]) -> None:
        async for order in stream:
            market = markets[order["symbol"]]
            told = observe_market(market, order)
            markets[order["symbol"]] = market
            if is_keyed_fill(order):
                await fills.send(
                    key=order["api_key"].encode(), value={"order": order, "told": told}
                )
            else:
                meter.add()

    @app.agent(fills)
    async def measure(stream: faust.StreamT[Order]) -> None:
        async for fill in stream:
            order = fill["order"]
            key = keys[order["api_key"]]
            waiting.append((order, measure_key(key, order, fill["told"])))
            keys[order["api_key"]] = key
            if len(waiting) >= AT_ONCE:
                await score()

    @app.timer(0.5)
    async def score() -> None:
        fills_now = waiting.copy()
        waiting.clear()
        for alert in judge.judge([o for o, _ in fills_now], [row for _, row in fills_now]):
            await alerts.send(value=alert)
        meter.add(len(fills_now))

    return app


if __name__ == "__main__":
    worker = faust.Worker(build(Task.given()), loglevel="WARNING", redirect_stdouts=False)
    worker.execute_from_commandline()
