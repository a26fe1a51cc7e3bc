import numpy as np
import pytest

from models.simulation.crowds import CROWDS
from models.simulation.lookalikes import SINGLES, resemble_all
from models.simulation.regimes import LOOKALIKES
from models.simulation.world import World
from tests.models.simulation.worlds import small_world

MIDDLE = 43_200_000


def happen(kind: str, seed: int) -> World:
    world = small_world(seed)
    # a listing follows up a coin that was set apart
    world.coins.listed[5] = world.start + MIDDLE
    (SINGLES | CROWDS)[kind](np.random.default_rng(seed), world, world.start + MIDDLE)
    return world


def test_every_look_alike_of_the_regimes_has_its_doing() -> None:
    assert set(SINGLES) | set(CROWDS) == set(LOOKALIKES)
    assert not set(SINGLES) & set(CROWDS)


@pytest.mark.parametrize("kind", sorted(SINGLES | CROWDS))
def test_a_look_alike_is_noted_and_touches_no_label_of_theft(kind: str) -> None:
    noted = []
    for seed in range(6):
        world = happen(kind, seed)
        noted += [note.kind for note in world.labels.lookalikes]
        assert not world.labels.leaked
        assert all((chunk["incident"] < 0).all() for chunk in world.flow.chunks)
        assert not any(chunk["forced"].any() for chunk in world.flow.chunks)
    assert kind in noted


def test_a_portfolio_switch_sells_before_it_buys_one_coin() -> None:
    world = happen("portfolio-switch", 1)
    rows = world.flow.collect(world.start, world.end)
    actor = world.labels.lookalikes[0].actors[0]
    own = rows["taker"] == actor
    sold = rows["ts"][own & (rows["side"] < 0)]
    bought = own & (rows["side"] > 0)
    assert sold.min() < rows["ts"][bought].min()
    assert len(np.unique(rows["market"][bought])) == 1


def test_a_thin_signal_moves_keys_of_one_app_alone() -> None:
    world = happen("signal-thin", 2)
    actors = np.array(world.labels.lookalikes[0].actors)
    assert len(np.unique(world.people.app[actors])) == 1


def test_only_the_kinds_asked_for_happen() -> None:
    world = small_world(3)
    for seed in range(20):
        resemble_all(np.random.default_rng(seed), world, {"big-thin-buy"})
    assert {note.kind for note in world.labels.lookalikes} == {"big-thin-buy"}
