import asyncio

from streams.kafka.broker import EmbeddedBroker
from streams.worker import raised_before
from streams.worker.raised_before import RaisedBefore
from tests.streams.conftest import Produce


def looked_up(broker: EmbeddedBroker, topic: str) -> RaisedBefore:
    found = RaisedBefore([broker.address], topic, {})
    asyncio.run(found.look_up())
    return found


def test_what_lies_on_the_topic_is_no_news_whatever_its_partition(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    before = looked_up(broker, orders)
    assert before.is_news(b"a")
    produce(orders, 0, [b"a", b"b"])
    produce(orders, 3, [b"c"])
    assert before.is_news(b"a")  # it was looked up when all was new
    after = looked_up(broker, orders)
    assert [after.is_news(value) for value in (b"a", b"b", b"c", b"d")] == [False] * 3 + [True]


def test_only_the_end_of_a_long_topic_is_read(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    values = [b"%d" % n for n in range(raised_before.MOST + 5)]
    produce(orders, 0, values)
    found = looked_up(broker, orders)
    assert [value for value in values if found.is_news(value)] == values[:5]


def test_without_the_topic_all_is_news(broker: EmbeddedBroker) -> None:
    assert looked_up(broker, "nowhere").is_news(b"a")
