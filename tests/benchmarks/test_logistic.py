import numpy as np
import pytest

from benchmarks.logistic import fit_bounded


def test_a_coefficient_stays_within_its_bounds_and_the_others_find_the_truth() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20_000, 3))
    odds = x @ np.array([1.5, -1.0, 0.0])
    y = rng.random(len(x)) < 1 / (1 + np.exp(-odds))
    free = fit_bounded(x, y, np.ones(len(x)), [(None, None)] * 3, 1e-3)
    bounded = fit_bounded(x, y, np.ones(len(x)), [(0.0, None)] * 3, 1e-3)
    assert free == pytest.approx([1.5, -1.0, 0.0, 0.0], abs=0.1)
    assert bounded[1] == 0.0
    assert bounded[0] > 1.0


def test_classes_weigh_the_same_however_many_rows_they_have() -> None:
    x = np.zeros((1_000, 1))
    y = np.arange(1_000) < 10
    fitted = fit_bounded(x, y, np.ones(1_000), [(None, None)], 1e-3)
    assert fitted == pytest.approx([0.0, 0.0], abs=1e-4)
