import numpy as np

from models.simulation.flow import MAKER, USUAL
from models.simulation.theft import (
    Theft,
    begin,
    buy_high,
    choose_victims,
    disguise,
    draw_craft,
    round_trips,
    sweep,
)
from models.simulation.world import World
from tests.models.simulation.worlds import small_world

NOON = 43_200_000


def theft_in(world: World, seed: int = 1) -> Theft:
    rng = np.random.default_rng(seed)
    craft = draw_craft(rng)
    victims = choose_victims(rng, world, craft, None, 1)
    market = world.thin_market(rng, int(victims[0]), 1e3, 1e5)
    assert market is not None
    return begin(rng, world, craft, "drip", market, victims, 3)


def owner_of(rows: dict[str, np.ndarray]) -> np.ndarray:
    owner: np.ndarray = np.where(rows["owner"] == MAKER, rows["maker"], rows["taker"])
    return owner


def test_victims_share_a_venue_and_the_app_asked_for_and_are_robbed_once() -> None:
    world = small_world(1)
    rng = np.random.default_rng(1)
    craft = draw_craft(rng)
    app = int(np.bincount(world.people.app[world.people.app >= 0]).argmax())
    victims = choose_victims(rng, world, craft, app, 5)
    assert len(np.unique(world.people.venue[victims])) == 1
    assert (world.people.app[victims] == app).all()
    begin(rng, world, craft, "blitz", 0, victims, 2)
    assert not np.isin(choose_victims(rng, world, craft, app, 500), victims).any()


def test_round_trips_lose_no_more_than_the_victim_owns() -> None:
    for seed in range(8):
        world = small_world(seed)
        theft = theft_in(world, seed)
        victim = int(theft.victims[0])
        when = world.start + np.arange(400) * 1_000
        markets = np.array([0], np.int32)
        round_trips(theft, disguise(theft), victim, markets, when, 0.02)
        rows = world.flow.collect(world.start, world.end)
        agreed = np.isfinite(rows["offset"])
        lost = (np.abs(rows["offset"]) * rows["usd"])[agreed].sum()
        assert lost < 2.5 * world.people.wealth[victim] + 400
        assert (owner_of(rows) == victim).all()


def test_round_trips_always_give_away_the_offset() -> None:
    world = small_world(2)
    theft = theft_in(world, 2)
    victim = int(theft.victims[0])
    when = world.start + np.arange(300) * 1_000
    round_trips(theft, disguise(theft), victim, np.array([0], np.int32), when, 0.02)
    rows = world.flow.collect(world.start, world.end)
    side = np.where(rows["taker"] == victim, rows["side"], -rows["side"])
    agreed = np.isfinite(rows["offset"])
    assert (side * rows["offset"] > 0)[agreed].all()


def test_a_victim_only_buys_high_and_for_the_loot() -> None:
    world = small_world(3)
    theft = theft_in(world, 3)
    victim = int(theft.victims[0])
    buy_high(theft, disguise(theft), victim, 1, world.start + np.arange(30), 900.0, 0.6)
    rows = world.flow.collect(world.start, world.end)
    side = np.where(rows["taker"] == victim, rows["side"], -rows["side"])
    assert (side > 0).all()
    np.testing.assert_allclose(rows["usd"].sum(), 900.0)
    assert (rows["incident"] == theft.number).all()


def test_a_sweep_sells_own_holdings_before_its_end_and_is_not_labelled_rogue() -> None:
    swept = 0
    for seed in range(8):
        world = small_world(seed)
        theft = theft_in(world, seed)
        victim = int(theft.victims[0])
        sweep(theft, victim, world.start + NOON, 1e3, disguise(theft))
        rows = world.flow.collect(0, 2**62)
        swept += victim in world.labels.incidents[theft.number].sweeps
        assert (rows["ts"] < world.start + NOON).all()
        assert (rows["side"] < 0).all()
        assert (rows["incident"] < 0).all()
        assert np.isin(rows["market"], world.people.usual_markets(victim)).all()
    assert 0 < swept < 8


def test_a_disguise_is_now_and_then_the_victims_own() -> None:
    theft = theft_in(small_world(4), 4)
    drawn = [disguise(theft) for _ in range(200)]
    assert 0.05 < np.mean([hide.network == USUAL for hide in drawn]) < 0.8
    assert np.mean([hide.app == USUAL for hide in drawn]) > 0.4
