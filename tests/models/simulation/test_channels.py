import numpy as np

from models.simulation.channels import follow_signal, ordinary_bot, run_channels
from tests.models.simulation.worlds import small_world


def test_followers_of_a_signal_buy_one_coin_at_their_usual_size_and_sell_it_later() -> None:
    world = small_world(1)
    rng = np.random.default_rng(1)
    group = world.people.of_kind("follower")
    group = group[world.people.born[group] <= world.start]
    joined = follow_signal(rng, world, group, 0, world.start + 1_000)
    rows = world.flow.collect(0, 2**62)
    bought = rows["side"] > 0
    assert set(rows["taker"][bought].tolist()) == set(joined.tolist())
    assert (world.markets.coin[rows["market"]] == 0).all()
    usual = world.people.size[rows["taker"][bought]]
    assert np.median(np.abs(np.log(rows["usd"][bought] / usual))) < 1.0
    for actor in joined.tolist():
        own = rows["taker"] == actor
        assert rows["ts"][own & bought].max() < rows["ts"][own & ~bought].min()


def test_channels_make_keys_of_one_app_buy_one_coin_within_seconds() -> None:
    world = small_world(2)
    run_channels(np.random.default_rng(2), world)
    rows = world.flow.collect(world.start, world.end)
    near = (np.diff(rows["ts"]) < 2_000) & (np.diff(world.markets.coin[rows["market"]]) == 0)
    near &= np.diff(world.people.app[rows["taker"]]) == 0
    near &= np.diff(rows["taker"]) != 0
    assert near.mean() > 0.05


def test_an_ordinary_bot_trades_its_own_markets_from_its_begin_on() -> None:
    world = small_world(3)
    begin = world.start + 7_000
    ordinary_bot(np.random.default_rng(3), world, 5, begin)
    rows = world.flow.collect(0, 2**62)
    assert len(rows["ts"])
    assert rows["ts"].min() >= begin
    assert np.isin(rows["market"], world.people.usual_markets(5)).all()
