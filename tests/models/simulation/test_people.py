from dataclasses import replace

import numpy as np

from models.simulation.people import WEB, networks_of
from models.simulation.world import draw_world
from tests.models.simulation.worlds import SMALL, small_world


def test_everybody_calls_only_markets_of_his_own_venue_his_own() -> None:
    world = small_world(1)
    venues = world.markets.venue[world.people.homes]
    assert (venues == world.people.venue[:, None]).all()


def test_only_keys_have_apps_and_the_apps_differ_widely_in_size() -> None:
    world = draw_world(np.random.default_rng(1), replace(SMALL, n_keys=2_000, n_apps=20))
    people = world.people
    assert (people.app[people.of_kind(WEB)] == -1).all()
    sizes = np.bincount(people.app[: people.n_keys][people.app[: people.n_keys] >= 0])
    assert sizes.max() > 4 * np.median(sizes)


def test_some_accounts_have_several_keys() -> None:
    people = small_world(2).people
    keys_of_account = np.bincount(people.account[: people.n_keys])
    assert keys_of_account.max() > 1
    assert (keys_of_account == 1).sum() > 0.7 * people.n_keys


def test_usual_sizes_span_orders_of_magnitude_between_keys_but_not_within_one() -> None:
    people, rng = small_world(3).people, np.random.default_rng(1)
    draws = np.log(people.draw_sizes(rng, np.repeat(np.arange(200), 50))).reshape(200, 50)
    assert draws.mean(axis=1).std() > 2 * np.median(draws.std(axis=1))


def test_a_key_that_moves_app_trades_under_the_new_one_from_then_on() -> None:
    people = small_world(4).people
    people.app[3], people.later_app[3], people.app_moves[3] = 1, 2, 1_000
    app = people.app_at(np.array([3, 3, 3]), np.array([0, 999, 1_000]))
    assert app.tolist() == [1, 1, 2]


def test_a_network_serves_several_actors_and_some_actors_have_several() -> None:
    world = small_world(5)
    people = world.people
    who = np.repeat(np.arange(people.n_keys), 20)
    ts = world.start + np.tile(np.arange(20) * 36_000_00 * 7, people.n_keys)
    networks = networks_of(people, who, ts, people.app_at(who, ts)).reshape(-1, 20)
    changes = np.array([len(np.unique(row)) for row in networks])
    assert 0.1 < (changes > 1).mean() < 0.95
    assert len(np.unique(networks[:, 0])) < 0.9 * people.n_keys
