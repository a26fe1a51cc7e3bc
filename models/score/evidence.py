"""Evidence: how surprising each feature of a fill is, and from where on a fill is suspect."""

from typing import NamedTuple

import numpy as np
from numba import njit

from models.keys import state as k
from models.orders.batch import Float32s, Float64s
from models.score.surprise import PLACES, surprise_of


class Scale(NamedTuple):
    """How surprising each feature is, and from where on a fill is suspect."""

    tables: Float64s  # (FEATURES, PLACES)
    gate: float


def blank_scale() -> Scale:
    """Give the scale on which nothing surprises: for the first pass of training."""
    tables = np.full((len(k.FEATURES), PLACES), np.inf)
    return Scale(tables, np.inf)


@njit(cache=True)
def weigh(scale: Scale, features: Float32s, evidence: Float32s) -> bool:
    """Write the surprises; says whether the fill is suspect."""
    total = 0.0
    for j in range(len(k.FEATURES)):
        evidence[j] = surprise_of(scale.tables[j], features[j])
        total += evidence[j]
    return total > scale.gate
