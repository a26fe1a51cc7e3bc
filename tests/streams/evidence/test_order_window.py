import json
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer

from models.alerts.envelope import Place
from streams.evidence.order_window import LATE_MS, OrdersTopic, OrderWindowError
from streams.kafka.broker import EmbeddedBroker
from streams.kafka.partitioning import partition_of
from streams.topics import TopicSpec, ensure_topics
from tests.factories import NESTED

START = 1_670_562_611_000
SECONDS = 3000
SYMBOLS = ("AXSUSDT", "VIABTC", "BTCUSDT")
PARTITIONS = 3


def event(second: int, symbol: str, **fields: object) -> bytes:
    usual = {
        "event_id": f"{symbol}-{second}",
        "ts": START + 1000 * second,
        "venue": "v",
        "symbol": symbol,
        "api_key": f"k{second % 10}",
        "account": "a",
        "side": "buy",
        "price": "1.25",
        "qty": 2,
    }
    return json.dumps(usual | fields).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A broker with an event a second of each symbol, and some that are none."""
    with EmbeddedBroker() as broker:
        ensure_topics([broker.address], [TopicSpec("orders", PARTITIONS, "", "")])
        producer = KafkaProducer(bootstrap_servers=broker.address, linger_ms=50)
        for second in range(SECONDS):
            for symbol in SYMBOLS:
                broken = (b"{", NESTED)[second // 100 % 2]
                value = broken if second % 100 == 99 else event(second, symbol)
                producer.send("orders", value, key=symbol.encode())
        producer.flush()
        producer.close()
        yield broker.address


@pytest.fixture
def orders(server: str) -> Iterator[OrdersTopic]:
    with OrdersTopic([server], "orders") as topic:
        yield topic


def expected(first: int, last: int, symbol: str) -> list[str]:
    return [f"{symbol}-{second}" for second in range(first, last + 1) if second % 100 != 99]


def place_of(orders: OrdersTopic, second: int, symbol: str) -> Place:
    window = orders.window(START + 1000 * second, START + 1000 * second, symbol=symbol)
    return window.found[0].place


@pytest.mark.parametrize(("first", "last"), [(0, 5), (1000, 1250), (2990, 3100), (1500, 1500)])
def test_a_symbols_window_is_complete_wherever_it_lies(
    orders: OrdersTopic, first: int, last: int
) -> None:
    window = orders.window(START + 1000 * first, START + 1000 * last, symbol="AXSUSDT")
    ids = [one.order.event_id for one in window.found]
    assert ids == expected(first, min(last, SECONDS - 1), "AXSUSDT")
    assert window.complete


def test_known_offsets_spare_reading_the_rest(orders: OrdersTopic) -> None:
    near = place_of(orders, 2500, "AXSUSDT")
    assert near.partition == partition_of(b"AXSUSDT", PARTITIONS)
    window = orders.window(START + 2_500_000, START + 2_510_000, symbol="AXSUSDT", near=[near])
    assert [one.order.event_id for one in window.found] == expected(2500, 2510, "AXSUSDT")
    assert window.read < SECONDS * len(SYMBOLS)


def test_a_keys_window_spans_all_symbols_in_order_of_time(orders: OrdersTopic) -> None:
    near = place_of(orders, 1000, "AXSUSDT")
    window = orders.window(START + 1_000_000, START + 1_050_000, api_key="k3", near=[near])
    seconds = [1003, 1013, 1023, 1033, 1043]
    assert sorted(one.order.event_id for one in window.found) == sorted(
        f"{symbol}-{second}" for second in seconds for symbol in SYMBOLS
    )
    times = [one.order.ts for one in window.found]
    assert times == sorted(times)


def test_an_old_event_that_was_put_back_hides_none_of_those_before_it(server: str) -> None:
    ensure_topics([server], [TopicSpec("replayed", 1, "", "")])
    producer = KafkaProducer(bootstrap_servers=server, linger_ms=50)
    days_ago = -3 * 86_400
    for second in (*range(2500), days_ago, *range(2501, SECONDS)):
        producer.send("replayed", event(second, "AXSUSDT"))
    producer.flush()
    producer.close()
    last = [Place(0, SECONDS - 1)]
    with OrdersTopic([server], "replayed") as topic:
        window = topic.window(START, START + 1000 * SECONDS, symbol="AXSUSDT", near=last)
    assert window.complete
    assert len(window.found) == SECONDS - 1


def test_what_the_worker_refused_for_its_amounts_or_side_is_no_order(server: str) -> None:
    refused: list[dict[str, object]] = [
        {"price": "nan"},
        {"price": "inf"},
        {"price": -1},
        {"qty": "nan"},
        {"qty": "inf"},
        {"notional": "nan"},
        {"side": "short"},
    ]
    ensure_topics([server], [TopicSpec("refused", 1, "", "")])
    producer = KafkaProducer(bootstrap_servers=server, linger_ms=50)
    for fields in [{}, *refused, {}]:
        producer.send("refused", event(1, "AXSUSDT", **fields))
    producer.flush()
    producer.close()
    with OrdersTopic([server], "refused") as topic:
        window = topic.window(START, START + 2000, symbol="AXSUSDT")
    assert window.read == len(refused) + 2
    assert [one.order.price for one in window.found] == [1.25, 1.25]


def test_bounds_cut_a_window_short_and_say_so(server: str, orders: OrdersTopic) -> None:
    whole = (START, START + 1000 * SECONDS)
    few = orders.window(*whole, symbol="AXSUSDT", most=10)
    assert [one.order.event_id for one in few.found] == expected(0, 9, "AXSUSDT")
    assert not few.complete
    with OrdersTopic([server], "orders", most_read=100) as frugal:
        assert not frugal.window(*whole).complete


def test_events_are_found_again_at_their_places(orders: OrdersTopic) -> None:
    place = place_of(orders, 77, "VIABTC")
    gone = [Place(place.partition, 10**6), Place(99, 0)]
    [found] = orders.at([place, *gone])
    assert found.raw == event(77, "VIABTC")
    assert found.order.price == 1.25
    assert found.order.is_fill


def test_a_window_before_and_after_all_events_is_empty(orders: OrdersTopic) -> None:
    later = START + 1000 * SECONDS + 2 * LATE_MS
    assert orders.window(0, START - 1, symbol="AXSUSDT").found == []
    assert orders.window(later, later + 1, symbol="AXSUSDT").found == []


def test_a_topic_that_is_missing_is_named(server: str) -> None:
    with pytest.raises(OrderWindowError, match="topic other does not exist"):
        OrdersTopic([server], "other")
