"""Random draws that the simulator repeats: wide distributions, and noise by hashing."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from models.orders.batch import Float64s, Int64s, UInt64s

Rng: TypeAlias = np.random.Generator

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """One draw whose logarithm is uniform between those of `low` and `high`."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def log_uniforms(rng: Rng, low: float, high: float, n: int) -> Float64s:
    """Draw `n` values whose logarithms are uniform, shape (n,)."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def log_normals(rng: Rng, median: ArrayLike, sigma: float, n: int) -> Float64s:
    """Draw `n` log-normal values around `median`, shape (n,)."""
    scaled: Float64s = np.asarray(median, np.float64) * np.exp(sigma * rng.standard_normal(n))
    return scaled


def counts(rng: Rng, mean: float) -> int:
    """Draw a count with the given mean, more scattered than Poisson."""
    return int(rng.poisson(mean * rng.gamma(4.0, 0.25))) if mean > 0 else 0


def split(rng: Rng, total: float, parts: int, evenness: float = 2.0) -> Float64s:
    """Cut `total` into `parts` positive pieces, shape (parts,); the evener, the more alike."""
    return rng.dirichlet(np.full(parts, evenness)) * total


def mix(*columns: ArrayLike) -> UInt64s:
    """Hash integers to 64 bits (splitmix64 chained), the same for the same input; broadcast."""
    state = np.asarray(0x9E3779B97F4A7C15, np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            state = state ^ np.asarray(column).astype(np.int64).astype(np.uint64)
            state = state + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return np.atleast_1d(state)


def hash_uniform(*columns: ArrayLike) -> Float64s:
    """Uniform noise in [0, 1) that is a function of integers, so it needs no generator."""
    return (mix(*columns) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def ranks(groups: Int64s) -> Int64s:
    """Position of each element within its run of equal values; `groups` must be sorted.

    >>> ranks(np.array([4, 4, 7, 9, 9, 9])).tolist()
    [0, 1, 0, 0, 1, 2]
    """
    if not len(groups):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    sizes = np.diff(np.r_[starts, len(groups)])
    return np.arange(len(groups), dtype=np.int64) - np.repeat(starts, sizes).astype(np.int64)
