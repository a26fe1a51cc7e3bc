"""The job as a hand-written loop around confluent-kafka, with state in dictionaries.

Scores each batch that `consume` gives at once. Besides what `benchmarks.peers.job` leaves out, it
keeps no state beyond its own life, and a second one would not know the keys of the first.
"""

import orjson
from confluent_kafka import Consumer, Producer

from benchmarks.peers.job import Judge
from benchmarks.peers.meter import ALERTS, ORDERS, Meter, Task
from benchmarks.peers.rolling import Past

BATCH = 4096


def main() -> None:
    """Work until told to end."""
    task = Task.given()
    judge, meter = Judge(task.history), Meter(task)
    past = Past()
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
            row = past.measure(order)
            if row is not None:
                fills.append(order)
                rows.append(row)
        for alert in judge.judge(fills, rows):
            producer.produce(ALERTS, alert)
        producer.poll(0)
        if messages:
            consumer.commit(asynchronous=True)
        meter.add(len(messages))


if __name__ == "__main__":
    main()
