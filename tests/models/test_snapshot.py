"""A stage that was saved and restored goes on as if nothing had happened."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pytest

from models.alerts.stage import AlertStage
from models.bounds import BOUNDS, Bounds
from models.detector import suspects_of
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.batch import OrderBatch
from models.score.model import Model
from models.simulation import to_orders
from models.training import train
from tests.models.simulation.worlds import small_tape

S = TypeVar("S", MarketStage, KeyStage, AlertStage)
Make = tuple[Callable[[], MarketStage], Callable[[], KeyStage], Callable[[], AlertStage]]


@pytest.fixture(scope="module")
def model() -> Model:
    model = train(lambda: [to_orders(small_tape())])
    return replace(model, critical=model.critical - 8.0)  # so that a small tape has alerts


def state_of(stage: MarketStage | KeyStage | AlertStage) -> tuple[dict[str, bytes], bytes]:
    snapshot, alone = stage.snapshot(), stage.records()
    records = {name: kept.array.tobytes() for name, kept in snapshot.records.items()}
    assert records == {name: kept.array.tobytes() for name, kept in alone.items()}
    return records, snapshot.values


def reborn(stage: S, fresh: S) -> S:
    snapshot = stage.snapshot()
    records = {name: kept.array.copy() for name, kept in snapshot.records.items()}
    fresh.restore(records, snapshot.values)
    assert state_of(fresh) == state_of(stage)
    return fresh


def lived(make: Make, orders: OrderBatch, crashes: list[int]) -> tuple[list[bytes], list[Any]]:
    """Give the alerts of all orders, and the states at the end."""
    market, keys, stage = make[0](), make[1](), make[2]()
    alerts: list[bytes] = []
    for start, stop in pairwise([0, *crashes, len(orders)]):
        observed = market.observe(orders.take(np.arange(start, stop)))
        alerts += [a.encode() for a in stage.judge(suspects_of(keys.assess(observed)))]
        market, keys = reborn(market, make[0]()), reborn(keys, make[1]())
        stage = reborn(stage, make[2]())
    return alerts, [state_of(one) for one in (market, keys, stage)]


@pytest.mark.parametrize("bounded", [False, True])
def test_restored_stages_alert_and_remember_what_undisturbed_ones_do(
    model: Model, bounded: bool
) -> None:
    bounds = Bounds(markets=8, keys=50, pairs=200) if bounded else BOUNDS
    make: Make = (
        lambda: MarketStage(bounds),
        lambda: KeyStage(model.scale, bounds),
        lambda: AlertStage(model),
    )
    orders = to_orders(small_tape())
    crashes = sorted(np.random.default_rng(3).choice(len(orders), 7, replace=False).tolist())
    alerts, states = lived(make, orders, [])
    assert alerts
    assert lived(make, orders, crashes) == (alerts, states)
