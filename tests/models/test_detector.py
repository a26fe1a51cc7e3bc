from dataclasses import replace

import numpy as np
import pytest

from models.detector import Detector
from models.market.state import HOUR
from models.score.model import Model
from models.simulation import to_orders
from models.training import train
from tests.models.simulation.worlds import small_tape


@pytest.fixture(scope="module")
def model() -> Model:
    model = train(lambda: [to_orders(small_tape())])
    return replace(model, critical=model.critical - 8.0)  # so that a small tape has alerts


def alerts_of(model: Model, partitions: int) -> list[bytes]:
    orders = to_orders(small_tape())
    homes = (orders.markets.hashes % np.uint64(partitions))[orders.market]
    detector = Detector(model, partitions)
    alerts = []
    for part in np.array_split(np.arange(len(orders)), 7):
        for home in range(partitions):
            rows = part[homes[part] == home]
            alerts += detector.observe(orders.take(rows), home)
    for home in range(partitions):
        alerts += detector.idle(home)
    return [alert.encode() for alert in alerts]


def test_the_cut_of_the_tape_changes_no_alert(model: Model) -> None:
    detector = Detector(model)
    alerts = detector.observe(to_orders(small_tape())) + detector.idle()
    assert len(alerts) > 0
    assert alerts_of(model, 1) == [alert.encode() for alert in alerts]


def test_the_number_of_partitions_changes_no_alert(model: Model) -> None:
    assert alerts_of(model, 5) == alerts_of(model, 1)


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
