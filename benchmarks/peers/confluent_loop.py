"""The job as a hand-written loop around confluent-kafka, with state in dictionaries.

Scores each batch that `consume` gives at once. Besides what `benchmarks.peers.job` leaves out, it
keeps no state beyond its own life, and a second one would not know the keys of the first.
"""

import orjson
from confluent_kafka import Consumer, Producer

from benchmarks.peers.job import Judge
from benchmarks.peers.meter import ALERTS, ORDERS, Meter, Task
from benchmarks.peers.rolling import (
    State,
    is_keyed_fill,
    measure_key,
    new_key,
    new_market,
    observe_market,
)

BATCH = 4096


def main() -> None:
    """Work until told to end."""
    task = Task.given()
    judge, meter = Judge(task.history), Meter(task)
    markets: dict[str, State] = {}
    keys: dict[str, State] = {}
    consumer = Consumer(
        {
            "bootstrap.servers": task.address,
            "group.id": task.name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": task.address})
    consumer.subscribe([ORDERS])
    while True:
        messages = [m for m in consumer.consume(BATCH, 0.1) if m.error() is None]
        fills, rows = [], []
        for message in messages:
            order = orjson.loads(message.value())
            told = observe_market(markets.setdefault(order["symbol"], new_market()), order)
            if is_keyed_fill(order):
                fills.append(order)
                key = keys.setdefault(order["api_key"], new_key())
                rows.append(measure_key(key, order, told))
        for alert in judge.judge(fills, rows):
            producer.produce(ALERTS, alert)
        producer.poll(0)
        if messages:
            consumer.commit(asynchronous=True)
        meter.add(len(messages))


if __name__ == "__main__":
    main()
