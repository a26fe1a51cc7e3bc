import numpy as np
import pytest

from models.market.stage import MarketStage
from models.rows import NEVER
from models.score.model import Model
from streams.row_frames import unpack_rows
from streams.stages import AlertPartition, KeyPartition, MarketPartition, Reader
from streams.transport import Run
from streams.warmup import Stages
from tests.factories import NOW_MS, TS, encode, order
from tests.streams.conftest import Trained


def run_of(values: list[bytes], first: int = 0) -> Run:
    offsets = np.arange(first, first + len(values))
    return Run(values, offsets, np.zeros(len(values), np.int64))


def orders_run(count: int, first: int = 0) -> Run:
    numbers = range(first, first + count)
    return run_of([encode(order(event_id=f"e{n}", ts=TS + n)) for n in numbers], first)


@pytest.fixture
def model(trained: Trained) -> Model:
    return trained.model


def test_what_was_read_before_is_left_out() -> None:
    reader = Reader()
    assert reader.unread(run_of([b"0", b"1", b"2"])) is not None
    again = reader.unread(run_of([b"1", b"2", b"3"], 1))
    assert again is not None
    assert (again.values, again.offsets.tolist()) == ([b"3"], [3])
    assert reader.unread(run_of([b"0", b"1"])) is None


def test_every_partition_of_keys_hears_of_every_batch() -> None:
    market = MarketPartition(2, 3, MarketStage())
    frames, refused = market.observe(orders_run(5), NOW_MS)
    assert refused == []
    assert [target for target, _ in frames] == [0, 1, 2]
    found = [unpack_rows(frame) for _, frame in frames]
    assert {(frame.source, frame.passed) for frame in found} == {(2, TS + 4)}
    assert sorted(len(frame.rows or ()) for frame in found) == [0, 0, 5]


def test_what_is_delivered_again_gives_nothing() -> None:
    market = MarketPartition(0, 2, MarketStage())
    market.observe(orders_run(5), NOW_MS)
    assert market.observe(orders_run(5), NOW_MS) == ([], [])
    assert (market.events, market.duplicates) == (5, 0)


def test_a_partition_counts_what_it_took_refused_and_knew_already() -> None:
    market = MarketPartition(0, 2, MarketStage())
    market.observe(orders_run(5), NOW_MS)
    market.observe(orders_run(5, first=0), NOW_MS)
    again = [encode(order(event_id="e4", ts=TS + 4)), b"bad"]
    market.observe(run_of(again, 5), NOW_MS)
    assert (market.events, market.refused, market.duplicates, market.ahead) == (7, 1, 1, 0)


def test_an_idle_partition_says_so_to_all() -> None:
    frames = MarketPartition(1, 2, MarketStage()).idle()
    assert [target for target, _ in frames] == [0, 1]
    assert all(unpack_rows(frame).passed == NEVER for _, frame in frames)


def test_nothing_passes_before_every_source_was_heard_of(model: Model) -> None:
    first, second = (MarketPartition(number, 1, MarketStage()) for number in (0, 1))
    keys = KeyPartition(0, 2, Stages(model).key(0))
    frames = [frame for _, frame in first.observe(orders_run(5), NOW_MS)[0]]
    [told] = keys.assess(run_of(frames))
    assert keys.newest == TS + 4
    assert unpack_rows(told).passed == keys.passed < TS
    idle = [frame for _, frame in second.idle()]
    keys.assess(run_of(idle, 1))
    assert keys.passed == TS + 4
    both = [frame for _, frame in first.idle()]
    [told] = keys.assess(run_of(both, 2))
    assert unpack_rows(told).passed == keys.passed == NEVER
    assert keys.late == 0


def test_idleness_goes_through_to_the_alert_stage(model: Model) -> None:
    keys, alerts = KeyPartition(0, 1, Stages(model).key(0)), AlertPartition(1, model)
    idle = [frame for _, frame in MarketPartition(0, 1, MarketStage()).idle()]
    assert alerts.judge(run_of(keys.assess(run_of(idle)))) == []
    assert alerts.passed == NEVER
