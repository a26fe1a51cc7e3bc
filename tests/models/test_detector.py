"""The whole detector: what is alerted depends on the events alone, never on how they arrived."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alerts.envelope import Alert, AlertType
from models.detector import Detector
from models.market.state import DAY, HOUR
from models.orders.batch import Int64s, OrderBatch, venue_and_symbol
from models.orders.hashing import stable_hashes
from models.score.model import Model
from models.simulation import to_orders
from models.training import train
from tests.models.simulation.worlds import small_tape


@pytest.fixture(scope="module")
def model() -> Model:
    model = train(lambda: [to_orders(small_tape())])
    return replace(model, critical=model.critical - 8.0)  # so that a small tape has alerts


@pytest.fixture(scope="module")
def undisturbed(model: Model) -> list[Alert]:
    """What one partition raises that is read at once."""
    return told(model, to_orders(small_tape()), [])


def told(model: Model, orders: OrderBatch, cuts: Iterable[int]) -> list[Alert]:
    """Alerts of one partition whose events come in batches that end at `cuts`."""
    detector, alerts = Detector(model), []
    for start, stop in pairwise([0, *sorted(cuts), len(orders)]):
        alerts += detector.observe(orders.take(np.arange(start, stop)))
    return alerts + detector.idle()


def told_of_partitions(
    model: Model, orders: OrderBatch, partitions: int, steps: Iterable[tuple[int, int]]
) -> list[Alert]:
    """Alerts where symbols lie in partitions; a step reads so many events of one of them."""
    detector, alerts = Detector(model, partitions), []
    homes = homes_of(orders, partitions)
    unread = [np.flatnonzero(homes == home) for home in range(partitions)]
    to_the_end = [(home, len(orders)) for home in range(partitions)]
    for step, count in [*steps, *to_the_end]:
        home = step % partitions
        rows, unread[home] = unread[home][:count], unread[home][count:]
        alerts += detector.observe(orders.take(rows), home)
    assert detector.late == 0
    for home in range(partitions):
        alerts += detector.idle(home)
    return alerts


def homes_of(orders: OrderBatch, partitions: int) -> Int64s:
    symbols = [venue_and_symbol(market)[1] for market in orders.markets.strings]
    homes = stable_hashes(symbols) % np.uint64(partitions)
    return homes[orders.market].astype(np.int64)


def encoded(alerts: Iterable[Alert]) -> list[bytes]:
    return [alert.encode() for alert in alerts]


def test_the_tape_has_alerts_of_every_kind(undisturbed: list[Alert]) -> None:
    assert {alert.type for alert in undisturbed} == set(AlertType)
    assert len({alert.id for alert in undisturbed}) == len(undisturbed) > 20


@pytest.mark.parametrize("size", [7, 4096])
def test_the_size_of_the_batches_changes_no_alert(
    model: Model, undisturbed: list[Alert], size: int
) -> None:
    orders = to_orders(small_tape())
    alerts = told(model, orders, range(size, len(orders), size))
    assert encoded(alerts) == encoded(undisturbed)


def test_event_by_event_a_theft_raises_the_same_alerts(
    model: Model, undisturbed: list[Alert]
) -> None:
    orders = to_orders(small_tape())
    leak = next(alert for alert in undisturbed if alert.type == AlertType.APP_LEAK)
    at = orders.event_id.index(leak.data.event_id)
    alerts = told(model, orders, range(at - 200, at + 200))
    assert encoded(alerts) == encoded(undisturbed)


@settings(max_examples=15)
@given(shares=st.lists(st.floats(0, 1), max_size=30))
def test_no_cut_of_the_tape_changes_an_alert(
    model: Model, undisturbed: list[Alert], shares: list[float]
) -> None:
    orders = to_orders(small_tape())
    cuts = [int(share * len(orders)) for share in shares]
    assert encoded(told(model, orders, cuts)) == encoded(undisturbed)


@pytest.mark.parametrize("partitions", [1, 3, 8])
@settings(max_examples=8)
@given(steps=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3_000)), max_size=40))
def test_no_place_of_the_symbols_and_no_interleaving_changes_an_alert(
    model: Model, undisturbed: list[Alert], partitions: int, steps: list[tuple[int, int]]
) -> None:
    alerts = told_of_partitions(model, to_orders(small_tape()), partitions, steps)
    assert encoded(alerts) == encoded(undisturbed)


def test_partitions_that_advance_together_alert_before_the_tape_ends(
    model: Model, undisturbed: list[Alert]
) -> None:
    orders = to_orders(small_tape())
    detector, alerts = Detector(model, 3), []
    homes = homes_of(orders, 3)
    for part in np.array_split(np.arange(len(orders)), 20):
        for home in range(3):
            alerts += detector.observe(orders.take(part[homes[part] == home]), home)
    assert 0 < len(alerts) <= len(undisturbed)
    assert encoded(alerts) == encoded(undisturbed[: len(alerts)])


def test_the_same_events_give_the_same_bytes_again(model: Model, undisturbed: list[Alert]) -> None:
    again = told(model, to_orders(small_tape()), [])
    assert encoded(again) == encoded(undisturbed)
    assert [alert.places for alert in again] == [alert.places for alert in undisturbed]


def test_events_that_are_delivered_twice_change_no_alert(
    model: Model, undisturbed: list[Alert]
) -> None:
    orders = to_orders(small_tape())
    detector, alerts = Detector(model), []
    for part in np.array_split(np.arange(len(orders)), 9):
        alerts += detector.observe(orders.take(part))
        alerts += detector.observe(orders.take(part))
    assert encoded(alerts + detector.idle()) == encoded(undisturbed)
    assert detector.duplicates == len(orders)


def test_the_same_events_on_another_date_are_judged_alike(
    model: Model, undisturbed: list[Alert]
) -> None:
    orders = to_orders(small_tape())
    events = orders.events.copy()
    events["ts"] += 400 * DAY
    later = told(model, replace(orders, events=events), [])
    assert [(alert.id, alert.data.score, alert.data.reasons) for alert in later] == [
        (alert.id, alert.data.score, alert.data.reasons) for alert in undisturbed
    ]


def test_a_market_that_runs_ahead_changes_no_alert(model: Model, undisturbed: list[Alert]) -> None:
    orders = to_orders(small_tape())
    detector = Detector(model)
    cuts = np.array_split(np.arange(len(orders)), 10)
    observed = [detector.in_market(orders.take(rows)) for rows in cuts]
    alerts = [alert for each in observed for alert in detector.judge(each)]
    assert encoded(alerts + detector.idle()) == encoded(undisturbed)


def test_nothing_is_told_while_a_partition_has_not_been_heard_of(model: Model) -> None:
    detector = Detector(model, 2)
    assert detector.observe(to_orders(small_tape())) == []
    assert detector.idle(0) == []
    assert len(detector.idle(1)) > 0


def test_a_warm_up_alerts_nothing_and_leaves_no_incident_open(model: Model) -> None:
    detector = Detector(model)
    assert detector.clock() == 0
    detector.observe(to_orders(small_tape()))
    detector.end_warmup()
    assert detector.clock() == small_tape().ts.max()
    assert detector.idle() == []


def test_what_came_twice_and_what_came_late_is_counted(model: Model) -> None:
    orders = to_orders(small_tape())
    first, last = np.array_split(np.arange(len(orders)), 2)
    detector = Detector(model, 2)
    detector.observe(orders.take(last))
    detector.observe(orders.take(last))
    assert (detector.duplicates, detector.late) == (len(last), 0)
    detector.idle(0)
    detector.idle(1)
    detector.observe(orders.take(first), 1)
    detector.idle(1)
    keyed = orders.key[first] >= 0
    assert (detector.duplicates, detector.late) == (len(last), keyed.sum())


def test_an_event_that_runs_ahead_is_counted(model: Model) -> None:
    orders = to_orders(small_tape()).take(np.arange(100))
    orders.ts[50] += 10 * HOUR
    detector = Detector(model)
    detector.observe(orders)
    assert detector.ahead == 1
