from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from models.orders.batch import Names, OrderBatch
from streams.kafka.partitioning import route
from streams.worker.frames import FrameError, pack, unpack
from streams.worker.order_frames import orders_of, pack_orders
from tests.factories import Event, bare_order, batch_of, order, tapes


def assert_equal(one: OrderBatch, other: OrderBatch) -> None:
    for field in fields(OrderBatch):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, Names):
            assert mine.strings == theirs.strings
            mine, theirs = mine.hashes, theirs.hashes
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


@given(tapes())
def test_orders_come_out_of_a_frame_as_they_went_in(tape: list[Event]) -> None:
    batch = batch_of(tape)
    extra = {"impact": np.arange(len(batch) * 3, dtype=np.float32).reshape(-1, 3)}
    frame = unpack(pack_orders(batch, extra, {"stage": "market"}))
    found = orders_of(frame)
    assert_equal(found.batch, batch)
    np.testing.assert_array_equal(found.extra["impact"], extra["impact"])
    assert frame.meta == {"stage": "market"}


@given(tapes(min_size=1))
def test_what_is_routed_to_all_partitions_is_the_whole_batch(tape: list[Event]) -> None:
    batch = batch_of(tape)
    arrived = [
        orders_of(unpack(pack_orders(batch.take(rows)))).batch
        for _, rows in route(batch.market % 3)
    ]
    assert sorted(id_ for part in arrived for id_ in part.event_id) == sorted(batch.event_id)
    for part in arrived:
        assert (np.diff(part.offset) > 0).all()


def test_an_extra_column_needs_a_row_for_each_event() -> None:
    with pytest.raises(FrameError, match=r"column extra impact .* with 1 rows"):
        pack_orders(batch_of([order()]), {"impact": np.zeros(2)})


def test_a_frame_without_orders_says_what_is_missing() -> None:
    with pytest.raises(FrameError, match="holds no orders: account, "):
        orders_of(unpack(pack({}, {}, {})))


@pytest.mark.parametrize("column", ["market", "key", "account", "app", "counterparty", "network"])
@pytest.mark.parametrize("code", [-2, 2])
def test_a_code_outside_its_table_never_reaches_a_kernel(column: str, code: int) -> None:
    two = ["1", "2"]  # each table holds two names, so that 2 is the first code behind its end
    whole = [order(symbol=n, api_key=n, account=n, app=n, counterparty=n, network=n) for n in two]
    changed: dict[str, Any] = {column: np.array([code, code], np.int32)}
    batch = replace(batch_of(whole), **changed)
    with pytest.raises(FrameError, match=f"column {column} holds codes {code} to {code}"):
        orders_of(unpack(pack_orders(batch)))


@pytest.mark.parametrize("column", ["market", "account"])
def test_every_event_has_a_market_and_an_account(column: str) -> None:
    changed: dict[str, Any] = {column: np.array([-1], np.int32)}
    batch = replace(batch_of([bare_order()]), **changed)
    with pytest.raises(FrameError, match="must be from 0"):
        orders_of(unpack(pack_orders(batch)))


def test_a_column_of_another_type_is_refused() -> None:
    batch = replace(batch_of([order()]), price=np.array([1], np.float32))
    with pytest.raises(FrameError, match="column price is float32"):
        orders_of(unpack(pack_orders(batch)))


def test_columns_that_are_not_as_many_as_their_names_are_refused() -> None:
    frame = unpack(pack_orders(batch_of([order()])))
    short = {
        name: column[:-1] if name.startswith("columns") else column
        for name, column in frame.columns.items()
    }
    with pytest.raises(FrameError, match="must have 1 rows each"):
        orders_of(unpack(pack(short, frame.tables, frame.meta)))
