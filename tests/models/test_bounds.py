import numpy as np

from models.bounds import BOUNDS, Bounds
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.batch import Float32s
from models.score.evidence import blank_scale
from models.snapshot import Snapshot
from tests.factories import TS, Event, batch_of, order

FEW = Bounds(markets=8, keys=32, pairs=64)
COMERS = 200  # keys, each in a market of its own


def tape(last_key: str) -> list[Event]:
    """Fills of keys that come and go, then one more by some key."""
    keys = [*(f"k{n}" for n in range(COMERS)), last_key]
    return [
        order(event_id=f"e{n}", ts=TS + 1000 * n, api_key=key, symbol=f"S{n % COMERS}")
        for n, key in enumerate(keys)
    ]


def lived(last_key: str, bounds: Bounds) -> tuple[Float32s, list[Snapshot]]:
    """Give the features of the last fill, and what both stages remember."""
    market, keys = MarketStage(bounds), KeyStage(blank_scale(), bounds)
    rows = keys.assess(market.observe(batch_of(tape(last_key))))
    return rows.told["features"][-1], [market.snapshot(), keys.snapshot()]


def test_no_table_outgrows_its_bound_and_those_that_came_last_are_remembered() -> None:
    _, (market, keys) = lived("k199", FEW)
    most = {"_markets": 8, "_keys": 32, "ids": COMERS + 1}
    for name, records in [*market.records.items(), *keys.records.items()]:
        assert len(records.array) <= most.get(name, 64), name
    assert len(keys.records["_keys"].array) == 32
    _, (_, latest) = lived("k170", FEW)
    remembered = set(keys.records["_keys"].array["hash"].tolist())
    assert remembered == set(latest.records["_keys"].array["hash"].tolist())


def test_a_key_that_was_forgotten_is_met_as_a_new_one() -> None:
    returned, stranger = lived("k0", FEW)[0], lived("never seen", FEW)[0]
    np.testing.assert_array_equal(returned, stranger)
    returned, stranger = lived("k0", BOUNDS)[0], lived("never seen", BOUNDS)[0]
    assert not np.array_equal(returned, stranger)
