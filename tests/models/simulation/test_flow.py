import numpy as np
import pytest

from models.simulation.flow import ANYBODY, NOT_ROGUE, Flow


def test_scalars_are_broadcast_and_columns_left_out_take_their_defaults() -> None:
    flow = Flow()
    flow.add(ts=np.array([3, 1]), market=7, taker=2, side=1, usd=5.0)
    rows = flow.collect(0, 10)
    assert rows["ts"].tolist() == [1, 3]
    assert rows["market"].tolist() == [7, 7]
    assert (rows["maker"] == ANYBODY).all()
    assert (rows["incident"] == NOT_ROGUE).all()
    assert np.isnan(rows["offset"]).all()


def test_only_what_lies_in_the_time_asked_for_is_collected() -> None:
    flow = Flow()
    flow.add(ts=np.arange(10), usd=1.0)
    assert flow.collect(3, 6)["ts"].tolist() == [3, 4, 5]


def test_nothing_added_is_nothing_collected() -> None:
    flow = Flow()
    flow.add(ts=np.empty(0, int), usd=np.empty(0))
    assert len(flow) == 0
    assert len(flow.collect(0, 10)["ts"]) == 0


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(TypeError, match="flow has no column price"):
        Flow().add(ts=1, price=2.0)
