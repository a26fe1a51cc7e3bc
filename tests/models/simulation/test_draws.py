import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.simulation.draws import hash_uniform, log_uniform, mix, ranks, split


@given(st.integers(0, 2**40), st.integers(1, 2_000))
def test_hashing_a_run_of_integers_repeats_none(first: int, n: int) -> None:
    assert len(np.unique(mix(np.arange(first, first + n)))) == n


def test_hashed_noise_is_uniform_and_the_same_every_time() -> None:
    noise = hash_uniform(np.arange(20_000), 5)
    assert noise.min() >= 0
    assert noise.max() < 1
    np.testing.assert_allclose(np.quantile(noise, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)
    np.testing.assert_array_equal(noise, hash_uniform(np.arange(20_000), 5))
    assert abs(np.corrcoef(noise, hash_uniform(np.arange(20_000), 6))[0, 1]) < 0.03


@given(st.floats(1e-3, 1e9), st.integers(1, 60), st.integers(0, 99))
def test_pieces_of_a_split_add_up_to_the_whole(total: float, parts: int, seed: int) -> None:
    pieces = split(np.random.default_rng(seed), total, parts)
    assert len(pieces) == parts
    np.testing.assert_allclose(pieces.sum(), total)


@given(arrays.arrays(np.int64, st.integers(0, 40), elements=st.integers(0, 5)))
def test_ranks_count_up_within_each_run(groups: np.ndarray) -> None:
    groups = np.sort(groups)
    naive = [int((groups[:place] == group).sum()) for place, group in enumerate(groups)]
    assert ranks(groups).tolist() == naive


@given(st.integers(0, 99))
def test_a_log_uniform_draw_stays_between_its_bounds(seed: int) -> None:
    assert 2.0 <= log_uniform(np.random.default_rng(seed), 2.0, 50.0) <= 50.0
