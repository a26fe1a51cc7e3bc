"""A key's own past in one quantity, and how far a value lies from it."""

import numpy as np
from numba import njit

from models.entities import Record
from models.keys.state import MEMORY, PRIORS, SETTLED


@njit(cache=True)
def learn(b: Record, value: float) -> None:
    """Add an observation to today (Welford 1962)."""
    b.n_today += 1.0
    deviation = value - b.mean_today
    b.mean_today += deviation / b.n_today
    b.m2_today += deviation * (value - b.mean_today)


@njit(cache=True)
def close_day(b: Record) -> None:
    """Merge today into the past (Chan et al. 1979), which weighs at most MEMORY observations."""
    n = b.n + b.n_today
    if b.n_today > 0.0:
        deviation = b.mean_today - b.mean
        b.m2 += b.m2_today + deviation * deviation * b.n * b.n_today / n
        b.mean += deviation * b.n_today / n
        b.n = n
        if n > MEMORY:
            b.m2 *= MEMORY / n
            b.n = MEMORY
    b.n_today = 0.0
    b.mean_today = 0.0
    b.m2_today = 0.0


@njit(cache=True)
def estimate(b: Record, which: int) -> tuple[float, float]:
    """Mean and standard deviation to expect of the next value.

    The past, shrunk towards what is usual for keys: with prior mean m, spread between keys s_b and
    spread within a key s_w, weighing two observations, the mean is (n x + 2 m) / (n + 2), and the
    variance the pooled one within the key plus the part 2 / (n + 2) of s_b^2.
    """
    n, mean, m2 = b.n, b.mean, b.m2
    if n < SETTLED and b.n_today > 0.0:
        deviation = b.mean_today - mean
        total = n + b.n_today
        m2 += b.m2_today + deviation * deviation * n * b.n_today / total
        mean += deviation * b.n_today / total
        n = total
    weight = 2.0 / (n + 2.0)
    prior = PRIORS[which]
    within = (m2 + 2.0 * prior[2] * prior[2]) / (n + 2.0)
    return mean + (prior[0] - mean) * weight, np.sqrt(within + weight * prior[1] * prior[1])


@njit(cache=True)
def surprise(b: Record, which: int, value: float) -> float:
    """Count the standard deviations by which a value exceeds what the key's past suggests."""
    mean, deviation = estimate(b, which)
    return (value - mean) / deviation
