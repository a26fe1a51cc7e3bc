from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.batch import Float64s
from models.simulation.exchange import Executions, execute
from models.simulation.market import Coins, Markets

DAY = 86_400_000
ADV = 1e6
SIGMA = 0.05


def two_venues() -> tuple[Coins, Markets]:
    """One coin at a constant price of 1, listed on two venues alike."""
    coins = Coins(["COIN"], np.array([SIGMA]), np.zeros((1, 1_000)), DAY / 100, np.zeros(1, int))
    both = np.zeros(2, np.int32)
    markets = Markets(
        venues=["here", "there"],
        names=["COINUSDT", "COINUSDT"],
        venue=np.array([0, 1], np.int32),
        coin=both,
        quote=both,
        quote_coin=both - 1,
        quote_rate=np.ones(2),
        adv=np.full(2, ADV),
        half_spread=np.full(2, 1e-4),
        tick=np.full(2, 1e-6),
        impact=np.ones(2),
        book_depth=np.full(2, 0.5),
        fast_ms=np.full(2, 6e4),
        slow_ms=np.full(2, 3.6e6),
        fast_share=np.full(2, 0.5),
        permanent=np.full(2, 0.1),
        lag_ms=np.full(2, 1e3),
        level_gap=np.full(2, 1e-3),
        at=np.array([[0], [1]], np.int32),
    )
    return coins, markets


def trade(ts: list[int], usd: list[float], **columns: list[float]) -> Executions:
    n = len(ts)
    given = {
        "ts": np.array(ts),
        "market": np.zeros(n, np.int32),
        "side": np.ones(n),
        "usd": np.array(usd, float),
        "offset": np.full(n, np.nan),
        "weight": np.ones(n),
        "noise": np.zeros(n),
    }
    for name, column in columns.items():
        given[name] = np.array(column, given[name].dtype)
    coins, markets = two_venues()
    return execute(given, coins, markets, np.full(2, ADV), 0)


def moves(done: Executions) -> Float64s:
    return np.abs(done.last - done.first)


def test_impact_grows_with_the_square_root_of_size() -> None:
    sizes = [0.001 * ADV, 0.01 * ADV, 0.1 * ADV]
    impact = [moves(trade([0], [usd]))[0] for usd in sizes]
    np.testing.assert_allclose(impact, SIGMA * np.sqrt([0.001, 0.01, 0.1]), rtol=1e-9)


@given(parts=st.integers(2, 50), share=st.floats(1e-4, 0.4))
def test_a_sliced_order_moves_the_price_as_far_as_a_whole_one(parts: int, share: float) -> None:
    whole = trade([0, 0], [share * ADV, 1e-9]).arrival[-1]
    sliced = trade([0] * (parts + 1), [share * ADV / parts] * parts + [1e-9]).arrival[-1]
    # the permanent part adds up the same moves
    assert sliced == pytest.approx(whole, rel=1e-3)


def test_an_emptied_book_costs_more_than_the_square_root() -> None:
    within = moves(trade([0], [0.5 * ADV]))[0]
    beyond = moves(trade([0], [1.0 * ADV]))[0]
    assert beyond > 2 * within


def test_a_sell_presses_the_price_as_a_buy_lifts_it() -> None:
    up = trade([0, 1], [1e4, 1.0])
    down = trade([0, 1], [1e4, 1.0], side=[-1.0, -1.0])
    assert up.arrival[1] == pytest.approx(-down.arrival[1])


def test_the_move_decays_to_its_permanent_part() -> None:
    done = trade([0, 1, 10 * 3_600_000], [1e5, 1e-9, 1e-9])
    assert done.arrival[0] == 0.0
    assert done.arrival[1] > 0.01
    assert 0 < done.arrival[2] < 0.2 * done.arrival[1]


def test_another_venue_follows_with_a_lag() -> None:
    done = trade([0, 0, 600_000], [1e5, 1e-9, 1e-9], market=[0, 1, 1])
    assert abs(done.arrival[1]) < 1e-6
    assert done.arrival[2] > 1e-4


def test_an_agreed_price_holds_and_moves_nothing_without_weight() -> None:
    done = trade([0, 1], [1e5, 1.0], offset=[0.03, 0.0], weight=[0.0, 0.0])
    assert done.first[0] == pytest.approx(0.03)
    assert done.levels.tolist() == [1, 1]
    assert done.arrival[1] == 0.0


def test_a_large_order_fills_at_several_levels_and_a_small_one_at_one() -> None:
    assert trade([0], [1.0]).levels[0] == 1
    assert trade([0], [1e5]).levels[0] > 3


def test_the_fundamental_price_is_read_between_grid_points() -> None:
    coins, markets = two_venues()
    coins = replace(coins, log_price=np.linspace(0, 1, 1_000)[None, :])
    columns = {
        "ts": np.array([int(2.5 * coins.grid_step) + 1_000]),
        "market": np.zeros(1, np.int32),
        "side": np.ones(1),
        "usd": np.ones(1),
        "offset": np.zeros(1),
        "weight": np.zeros(1),
        "noise": np.zeros(1),
    }
    done = execute(columns, coins, markets, np.full(2, ADV), 0)
    assert done.arrival[0] == pytest.approx(2.5 / 999)
