import numpy as np

from models.simulation.crowds import set_listings
from models.simulation.world import draw_world
from tests.models.simulation.worlds import SMALL, small_tape, small_world


def test_the_thinner_a_market_the_wider_its_spread() -> None:
    markets = small_world(1).markets
    assert np.corrcoef(np.log(markets.adv), np.log(markets.half_spread))[0, 1] < -0.8


def test_volumes_span_orders_of_magnitude_and_thin_markets_trade_seldom() -> None:
    tape = small_tape()
    fill = tape.is_fill
    fills = np.bincount(tape.market[fill], minlength=len(tape.symbols))
    volume = np.bincount(tape.market[fill], tape.notional[fill], minlength=len(tape.symbols))
    assert np.quantile(volume, 0.9) > 30 * np.quantile(volume, 0.1)
    assert fills.max() > 20 * np.quantile(fills, 0.2)


def test_every_coin_is_listed_somewhere_and_no_market_name_repeats_on_a_venue() -> None:
    world = small_world(2)
    assert (world.markets.at >= 0).any(axis=0).all()
    named = list(zip(world.markets.venue.tolist(), world.markets.names, strict=True))
    assert len(set(named)) == len(named)


def test_a_coin_has_volatility_of_its_own_and_moves_with_the_market() -> None:
    coins = small_world(3).coins
    moves = np.diff(coins.log_price, axis=1)
    daily = moves.std(axis=1) * np.sqrt(720)
    assert np.median(np.abs(np.log(daily / coins.sigma))) < 0.6
    with_first = [np.corrcoef(moves[0], move)[0, 1] for move in moves[1:]]
    assert np.median(with_first) > 0.15


def test_prices_are_whole_ticks() -> None:
    tape = small_tape()
    digits = np.array([len(f"{price:.14g}".replace(".", "").strip("0")) for price in tape.price])
    assert np.quantile(digits, 0.9) <= 9


def test_volatility_is_clustered() -> None:
    world = draw_world(np.random.default_rng(5), SMALL)
    size = np.abs(np.diff(world.coins.log_price, axis=1))
    near = [np.corrcoef(row[1:], row[:-1])[0, 1] for row in size]
    assert np.median(near) > 0.02


def test_a_coin_to_be_listed_is_listed_within_the_tape() -> None:
    world = small_world(6)
    world.regime.lookalikes["listing"] = 200.0
    set_listings(np.random.default_rng(1), world)
    later = world.coins.listed[world.coins.listed > world.start - 3_600_000]
    assert len(later) > 3
    assert (later < world.end).all()
