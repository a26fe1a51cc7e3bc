import time

import numpy as np
import pytest
from faust.types import TP
from prometheus_client.parser import text_string_to_metric_families

from models.alerts.envelope import Action, Alert, AlertData, AlertType, Evidence
from models.market.stage import MarketStage
from models.market.state import MARKET
from models.orders.texts import Texts
from streams.watch.metrics import Metrics, TableSize, _Rate, sizes_of
from streams.watch.watchdog import Progress
from streams.worker.runs import Run
from streams.worker.stages import MarketPartition
from tests.factories import NOW_MS, encode, order


def shown(metrics: Metrics) -> dict[str, float]:
    """What a scrape reads, by name and values of the labels, which come in order of their names."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        " ".join([sample.name.removeprefix("roguekey_"), *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def run_of(*values: bytes) -> Run:
    offsets = np.arange(len(values))
    return Run(Texts.of(values), offsets, offsets)


def alert(kind: AlertType, severity: str) -> Alert:
    nothing = Evidence(0, 0, [])
    data = AlertData(
        event_id="e-1",
        event_ts=0,
        severity=severity,
        score=1.0,
        threshold=1.0,
        model="m",
        config="c",
        symbol="s",
        venue="v",
        reasons=[],
        recommended_action=Action.REVIEW,
        evidence=nothing,
    )
    return Alert("id", kind, "k43545", data, [])


def test_every_name_begins_with_the_prefix() -> None:
    families = text_string_to_metric_families(Metrics(Progress()).exposition().decode())
    assert all(family.name.startswith("roguekey_") for family in families)


def test_what_a_partition_takes_in_is_counted() -> None:
    metrics, market = Metrics(Progress()), MarketPartition(2, 4, MarketStage())
    now_ms = time.time_ns() // 1_000_000
    newest_ms = now_ms - 90_000
    event = encode(order(event_id="e-1", ts=newest_ms))
    values = [event, event, b"bad", encode(order(event_id="e-2", side="up"))]
    with metrics.counting(2, market):
        _, letters = market.observe(run_of(*values), now_ms)
    metrics.refused(letter.refusal for letter in letters)
    seen = shown(metrics)
    assert (seen["events_total"], seen["duplicates_total"], seen["dead_letters_total"]) == (4, 1, 2)
    assert (seen["refused_total event"], seen["refused_total side"]) == (1, 1)
    assert seen["event_age_seconds 2"] == pytest.approx(time.time() - newest_ms / 1000, abs=5)
    metrics.assigned([0, 1])
    assert "event_age_seconds 2" not in shown(metrics)
    assert shown(metrics)["events_total"] == 4


def test_alerts_are_counted_by_type_and_severity_and_shown_as_none_before() -> None:
    metrics = Metrics(Progress())
    assert shown(metrics)["alerts_total high leaked_key"] == 0
    metrics.alerted([alert(AlertType.LEAKED_KEY, "high"), alert(AlertType.APP_LEAK, "low")])
    assert shown(metrics)["alerts_total high leaked_key"] == 1
    assert shown(metrics)["alerts_total low app_leak"] == 1
    assert sum(value for name, value in shown(metrics).items() if "alerts_total" in name) == 2


def test_the_lag_is_what_lies_behind_the_offset_that_is_worked_on() -> None:
    progress = Progress()
    metrics = Metrics(progress)
    progress.begin(TP("orders", 1), 0)
    assert "consumer_lag 1 orders" not in shown(metrics)
    progress.ends[TP("orders", 1)] = 10
    assert shown(metrics)["consumer_lag 1 orders"] == 10
    progress.done(TP("orders", 1), 2)
    assert shown(metrics)["consumer_lag 1 orders"] == 8


def test_a_checkpoint_is_young_and_its_bytes_add_up() -> None:
    metrics = Metrics(Progress())
    metrics.checkpoint_done(100)
    metrics.checkpoint_done(40)
    seen = shown(metrics)
    assert seen["checkpoint_age_seconds"] < 5
    assert (seen["checkpoint_last_bytes"], seen["checkpoint_bytes_total"]) == (40, 140)
    assert seen["checkpoints_total"] == 2


def test_the_size_of_the_state_is_asked_for_at_every_scrape() -> None:
    sizes = [TableSize("keys", 3, 1024)]
    metrics = Metrics(Progress(), lambda: sizes)
    assert (shown(metrics)["state_rows keys"], shown(metrics)["state_bytes keys"]) == (3, 1024)
    sizes[0] = TableSize("keys", 4, 2048)
    assert (shown(metrics)["state_rows keys"], shown(metrics)["state_bytes keys"]) == (4, 2048)


def test_the_records_of_all_partitions_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    partitions = [MarketPartition(number, 4, MarketStage()) for number in range(2)]
    for number, partition in enumerate(partitions):
        events = [encode(order(event_id=f"{number}-{n}", symbol=f"s{n}")) for n in range(3)]
        partition.observe(run_of(*events), NOW_MS)
        monkeypatch.setattr(partition, "snapshot", None)  # which writes all of the state
    sizes = {size.table: size for size in sizes_of(partitions)}
    assert sizes["market.markets"].rows == 6
    assert sizes["market.markets"].bytes == 6 * MARKET.itemsize


def test_a_stage_is_timed_run_by_run() -> None:
    metrics = Metrics(Progress())
    for _ in range(3):
        with metrics.stage("orders"):
            pass
    seen = shown(metrics)
    assert seen["stage_seconds_count orders"] == 3
    assert seen["stage_seconds_bucket 1.0 orders"] == 3


def test_throughput_is_the_mean_of_the_last_minute() -> None:
    rate = _Rate(0.0)
    for second in range(1, 301):
        rate.add(500, float(second))
    assert rate.per_second(300.0) == pytest.approx(500)
    assert rate.per_second(330.0) == pytest.approx(250, rel=0.02)
    assert rate.per_second(900.0) == 0.0


def test_throughput_of_the_first_second_is_no_spike() -> None:
    rate = _Rate(0.0)
    rate.add(500, 0.001)
    assert rate.per_second(0.002) == 500
