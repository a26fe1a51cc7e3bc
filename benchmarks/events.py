"""Simulated order events as they lie on the topic: seeded, raw JSON."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from models.score.model import Model

NUMBERS: Final = ("price", "qty", "notional", "arrival_price")
SEED: Final = 20180307


def simulated(count: int, *, days: float = 1.0, keys: int = 400) -> list[bytes]:
    """Give the first events of a simulated exchange without thefts.

    Raises ValueError where it has fewer than `count`.
    """
    # kernels load after their cache is set
    from models.simulation import json_lines, regime_of, simulate

    events = b"".join(json_lines(simulate(regime_of((), days, keys), SEED))).splitlines()
    if len(events) < count:
        raise ValueError(f"{days:g} days of {keys} keys are {len(events)} events; not {count}")
    return events[:count]


def trained(events: list[bytes]) -> "Model":
    """Train on events, and compile whatever a model of theirs will need."""
    # kernels load after their cache is set
    import numpy as np

    from models.orders.decode import decode
    from models.training import train
    from streams.worker.compiling import compile_kernels

    decoded = decode(events, partition=0, offsets=np.arange(len(events)), now_ms=2**62)
    model = train(lambda: [decoded.batch])
    compile_kernels(model)
    return model


def with_plain_numbers(events: Iterable[bytes]) -> list[bytes]:
    """Write numbers as numbers, where a venue gives them as strings."""
    plain = []
    for event in map(msgspec.json.decode, events):
        given = {name: float(event[name]) for name in NUMBERS if event.get(name) is not None}
        plain.append(msgspec.json.encode(event | given))
    return plain
