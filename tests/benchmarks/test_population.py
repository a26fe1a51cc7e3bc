import numpy as np

from benchmarks.population import BATCH, Population


def test_everyone_trades_once_before_any_key_trades_again() -> None:
    batches = list(Population(10_000, 7).everyone())
    keys = [name for batch in batches for name in batch.keys.strings]
    assert len(keys) == len(set(keys)) == 10_000
    assert len(np.unique(np.concatenate([batch.event_hash for batch in batches]))) == 10_000


def test_a_key_trades_one_market_under_one_name_whatever_the_batch() -> None:
    population = Population(50, 7)
    markets: dict[str, set[str]] = {}
    for batch in population.batches(2):
        assert len(batch) == BATCH
        for key, market in zip(batch.key.tolist(), batch.market.tolist(), strict=True):
            markets.setdefault(batch.keys.strings[key], set()).add(batch.markets.strings[market])
    assert len(markets) == 50
    assert {len(of_key) for of_key in markets.values()} == {1}


def test_the_same_population_gives_the_same_events() -> None:
    first, second = (next(iter(Population(50, 7).batches(1))) for _ in range(2))
    assert (first.event_hash == second.event_hash).all()
    assert (first.price == second.price).all()
