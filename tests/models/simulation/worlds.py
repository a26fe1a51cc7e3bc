"""Small worlds for the tests of the simulator, each simulated once."""

from dataclasses import replace
from functools import cache

import numpy as np

from models.simulation import REGIMES, Regime, Tape, simulate
from models.simulation.world import World, draw_world

SMALL = replace(
    REGIMES["standard"],
    days=1.0,
    n_keys=240,
    n_symbols=40,
    n_apps=6,
    events=12_000,
    attacks={"blitz": 2.0, "drip": 2.0, "stealth": 2.0, "midcap": 1.0},
)


@cache
def small_tape(seed: int = 1) -> Tape:
    """Tape of a day among 240 keys."""
    return simulate(SMALL, seed)


@cache
def attacked_tape(kind: str, seed: int = 1, rate: float = 8.0) -> Tape:
    """Tape on which only one kind of theft happens, and every venue gives every field."""
    return simulate(_open_book(replace(SMALL, attacks={kind: rate}, lookalikes={})), seed)


def _open_book(regime: Regime) -> Regime:
    return replace(
        regime,
        gives_counterparty=1.0,
        gives_network=1.0,
        gives_arrival=1.0,
        gives_order_id=1.0,
        gives_both_sides=1.0,
    )


def small_world(seed: int) -> World:
    """World of 240 keys before anybody trades."""
    return draw_world(np.random.default_rng(seed), SMALL)
