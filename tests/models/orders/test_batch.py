from typing import Any

import numpy as np
import pytest

from models.orders.batch import NONE, ORDER, Names, OrderBatch
from tests.factories import at_home, bare_order, batch_of, order


def columns() -> dict[str, Any]:
    """All columns of one order but `home`."""
    events = batch_of([order()]).events
    return {name: events[name] for name in ORDER.names or () if name != "home"}


def homes_of(batch: OrderBatch) -> list[str | None]:
    return batch.apps.spelled(batch.home)


def test_a_batch_of_columns_is_the_one_that_they_were_taken_from() -> None:
    batch = batch_of([order()])
    again = OrderBatch.of(batch.event_id, batch.tables, **columns())
    assert again.events.tobytes() == batch.events.tobytes()
    assert homes_of(again) == [None]


def test_every_column_is_needed_and_no_other_is_known() -> None:
    batch, given = batch_of([order()]), columns()
    with pytest.raises(TypeError, match="no columns depth"):
        OrderBatch.of(batch.event_id, batch.tables, **given, depth=np.zeros(1))
    with pytest.raises(ValueError, match=r"price has shape \(2,\); must be \(1,\)"):
        OrderBatch.of(batch.event_id, batch.tables, **given | {"price": np.ones(2)})
    del given["price"]
    with pytest.raises(KeyError, match="price"):
        OrderBatch.of(batch.event_id, batch.tables, **given)


def test_a_column_is_a_view_of_the_records() -> None:
    batch = batch_of([order(), order(event_id="e-2")])
    batch.price[1] = 7.0
    assert batch.events["price"].tolist()[1] == 7.0
    assert batch.price.dtype == np.float64


def test_homes_stay_with_their_events_and_the_original_is_left_alone() -> None:
    tape = [bare_order(event_id=f"e-{n}", app="tag") for n in range(3)]
    batch = batch_of(tape)
    named = at_home(batch, ["one", None, "two"])
    assert homes_of(named) == ["one", None, "two"]
    assert homes_of(batch) == [None] * 3
    assert homes_of(named.take(np.array([2, 1]))) == ["two", None]
    assert named.take(np.array([1])).apps.strings == ["tag"]
    twice = OrderBatch.concat([named, at_home(batch, [None, "three", None])])
    assert homes_of(twice) == ["one", None, "two", None, "three", None]
    assert homes_of(twice.named_once()) == homes_of(twice)


def test_a_code_without_a_name_spells_nothing() -> None:
    names = Names.of(["a", "b"])
    assert names.spelled(np.array([1, NONE, 0], np.int32)) == ["b", None, "a"]
