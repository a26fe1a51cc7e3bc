import numpy as np

from models.simulation.world import sides
from tests.models.simulation.worlds import small_world


def test_a_thin_market_is_of_the_venue_within_the_volumes_and_new_to_the_key() -> None:
    world, rng = small_world(1), np.random.default_rng(1)
    median = float(np.median(world.markets.adv))
    for actor in range(60):
        market = world.thin_market(rng, actor, median / 1e3, median)
        assert market is not None
        assert world.markets.venue[market] == world.people.venue[actor]
        assert market not in world.people.usual_markets(actor)


def test_where_no_volume_fits_several_near_ones_are_chosen() -> None:
    world, rng = small_world(2), np.random.default_rng(2)
    chosen = {world.thin_market(rng, 1, 1e-3, 1e-2) for _ in range(200)}
    assert len(chosen) >= 3


def test_strangers_are_of_the_venue_and_without_keys() -> None:
    world, rng = small_world(3), np.random.default_rng(3)
    venues = rng.integers(0, world.regime.n_venues, 500).astype(np.int32)
    drawn = world.strangers(rng, venues)
    assert (world.people.venue[drawn] == venues).all()
    assert (drawn >= world.people.n_keys).all()


def test_habit_times_lie_within_each_life() -> None:
    world, rng = small_world(4), np.random.default_rng(4)
    actors = np.arange(len(world.people))
    ts = world.habit_times(rng, actors)
    assert (ts >= np.maximum(world.people.born, world.start)).all()
    assert (ts <= np.minimum(world.people.stops, world.end)).all()


def test_the_robbed_are_no_longer_honest_keys() -> None:
    world = small_world(5)
    world.labels.leaked.update({3, 8})
    assert not np.isin(world.honest_keys(), [3, 8]).any()
    assert world.honest_keys(np.array([2, 3])).tolist() == [2]


def test_every_market_has_somebody_who_makes_it() -> None:
    world = small_world(6)
    for market, makers in enumerate(world.makers):
        assert len(makers)
        assert (world.people.venue[makers] == world.markets.venue[market]).all()


def test_sides_are_bought_with_the_chance_asked_for() -> None:
    drawn = sides(np.random.default_rng(1), 10_000, 0.8)
    assert 0.78 < (drawn > 0).mean() < 0.82
