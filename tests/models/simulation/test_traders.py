import numpy as np
import pytest

from models.simulation.traders import quiet_trade, strangers, trade_all
from models.simulation.world import World
from tests.models.simulation.worlds import small_world


@pytest.fixture(scope="module")
def busy_world() -> World:
    world = small_world(1)
    trade_all(np.random.default_rng(1), world, 12_000)
    return world


def test_about_the_number_of_orders_asked_for_is_made(busy_world: World) -> None:
    assert 8_000 < len(busy_world.flow) < 24_000


def test_savers_mostly_buy_and_makers_mostly_rest(busy_world: World) -> None:
    rows = busy_world.flow.collect(busy_world.start, busy_world.end)
    people = busy_world.people
    saving = np.isin(rows["taker"], people.of_kind("dca"))
    assert (rows["side"][saving] > 0).mean() > 0.85
    making = people.of_kind("maker")
    rests, takes = np.isin(rows["maker"], making).sum(), np.isin(rows["taker"], making).sum()
    assert rests > 5 * takes


def test_the_unused_never_trade(busy_world: World) -> None:
    rows = busy_world.flow.collect(busy_world.start, busy_world.end)
    unused = busy_world.people.of_kind("unused")
    assert not np.isin(rows["taker"], unused).any()
    assert not np.isin(rows["maker"], unused).any()


def test_liquid_markets_have_more_trade_than_thin_ones(busy_world: World) -> None:
    rows = busy_world.flow.collect(busy_world.start, busy_world.end)
    counts = np.bincount(rows["market"], minlength=len(busy_world.markets))
    assert np.corrcoef(np.log(busy_world.markets.adv), np.log1p(counts))[0, 1] > 0.6


def test_strangers_have_no_keys_and_their_trade_is_persistent_in_side() -> None:
    world = small_world(2)
    strangers(np.random.default_rng(2), world, 5_000)
    rows = world.flow.collect(world.start, world.end)
    assert (rows["taker"] >= world.people.n_keys).all()
    same = []
    for market in np.argsort(world.markets.adv)[-5:]:
        side = rows["side"][rows["market"] == market]
        same.append((side[1:] == side[:-1]).mean())
    assert np.mean(same) > 0.52


def test_quiet_trade_adds_up_to_its_amount_and_only_buys() -> None:
    world = small_world(3)
    quiet_trade(np.random.default_rng(3), world, 9, 4, 0, 1_000, 500.0, 12)
    rows = world.flow.collect(0, 1_000)
    assert rows["usd"].sum() == pytest.approx(500.0)
    bought = np.where(rows["taker"] == 9, rows["side"], -rows["side"])
    assert (bought > 0).all()
