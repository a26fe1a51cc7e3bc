"""The largest messages, and a symbol that does everything at once."""

import json
import random

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer

from models.market.stage import MarketStage
from models.orders.texts import Texts
from streams.settings import Settings
from streams.topics import FRAME_BYTES, MEBIBYTE
from streams.worker.row_frames import pack_words
from streams.worker.runs import Run
from streams.worker.stages import KeyPartition, MarketPartition, frames_of
from streams.worker.warmup import Stages
from tests.factories import NOW_MS, TS, encode, order
from tests.patience import PATIENCE_S
from tests.streams.aftermath import committed, make_topics
from tests.streams.conftest import Trained, as_values
from tests.streams.lives import Lives
from tests.streams.worker.sources import unpack_rows

AT_ONCE = 100_000
AROUND = 128  # bytes that Kafka puts around a record, at most


def run_of(values: list[bytes], first: int = 0) -> Run:
    offsets = np.arange(first, first + len(values))
    return Run(Texts.of(values), offsets, np.zeros(len(values), np.int64))


@pytest.mark.slow
def test_a_symbol_with_all_its_events_in_one_millisecond_gets_through_in_bounded_frames(
    trained: Trained,
) -> None:
    values = [
        encode(order(event_id=f"e{n}", ts=TS, api_key=f"k{n % 700}", order_id=f"o{n}"))
        for n in range(AT_ONCE)
    ]
    market = MarketPartition(0, 1, MarketStage(), born=1)
    keys = KeyPartition(0, 1, Stages(trained.model).key(0), born=1)
    offset = 0
    for start in range(0, AT_ONCE, 4096):
        parts, _ = market.observe(run_of(values[start : start + 4096], start), NOW_MS)
        frames = [frame for _, frame in frames_of(parts)]
        assert max(map(len, frames)) < FRAME_BYTES
        for frame in frames:
            keys.assess(run_of([frame], offset))
            offset += 1
    assert keys.again_from == 0  # all of it is held: the millisecond may not be over
    word = [word for _, word in market.words(NOW_MS)]
    suspects = keys.assess(run_of([pack_words(word)], offset))
    told = [frame for _, frame in frames_of(suspects)] or [pack_words(keys.words())]
    assert keys.again_from == keys.end
    assert keys.late == 0
    assert unpack_rows(told[-1]).word.read == offset + 1
    assert max(map(len, told)) < FRAME_BYTES


@pytest.mark.kafka
def test_events_of_a_mebibyte_are_read_and_refused_ones_kept_byte_for_byte(
    lives: Lives, kafka_settings: Settings
) -> None:
    settings = kafka_settings.model_copy(
        update={"partitions": 1, "checkpoint_interval_ms": 100, "dead_letter_ratio": 1.0}
    )
    make_topics(settings)
    size = MEBIBYTE - AROUND
    good = json.dumps(order(note="")).encode()
    good = good.replace(b'"note": ""', b'"note": "' + b"x" * (size - len(good)) + b'"')
    bad = random.Random(1).randbytes(size)  # which nothing compresses
    producer = KafkaProducer(
        bootstrap_servers=settings.bootstrap_servers(), max_request_size=2 * MEBIBYTE
    )
    for value in (good, bad, good):
        producer.send(settings.orders_topic, value, partition=0).get(timeout=PATIENCE_S)
    producer.close()
    pid = lives.start(as_values(settings))
    lives.until(lambda: committed(settings) == 3)
    lives.end(pid)
    consumer = KafkaConsumer(
        settings.dead_topic,
        bootstrap_servers=settings.bootstrap_servers(),
        auto_offset_reset="earliest",
        consumer_timeout_ms=5000,
    )
    assert [letter.value for letter in consumer] == [bad]
    consumer.close()
