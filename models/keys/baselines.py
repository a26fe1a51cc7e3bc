"""A key's own past in one quantity, and how far a value lies from it.

Observations are pooled for an hour, then join today, and when the day is over, the past. What a key
is measured against is its past; a key that has none yet, against today, but never against the hour
that is running: a burst cannot make itself usual.
"""

import numpy as np
from numba import njit

from models.entities import Record
from models.keys.state import MEMORY, PRIORS, SETTLED
from models.market import state as m


@njit(cache=True)
def learn(b: Record, value: float) -> None:
    """Add an observation to the running hour (Welford 1962)."""
    hour = b.hour
    hour.n += 1.0
    deviation = value - hour.mean
    hour.mean += deviation / hour.n
    hour.m2 += deviation * (value - hour.mean)


@njit(cache=True)
def _merge(into: Record, new: Record) -> None:
    """Move the observations of one pool into another (Chan et al. 1979)."""
    if new.n > 0.0:
        n = into.n + new.n
        deviation = new.mean - into.mean
        into.m2 += new.m2 + deviation * deviation * into.n * new.n / n
        into.mean += deviation * new.n / n
        into.n = n
    new.n = 0.0
    new.mean = 0.0
    new.m2 = 0.0


@njit(cache=True)
def close_hour(b: Record) -> None:
    """Let the hour become part of today."""
    _merge(b.today, b.hour)


@njit(cache=True)
def is_day_over(day: int, now: int, pause: float) -> bool:
    """Whether a key's day that began at `day`, ms, is over: in its first pause of an hour.

    In the midst of what the key does it ends a day later: a burst never becomes its own past.
    """
    return bool(now - day > (m.DAY if pause > m.HOUR else 2 * m.DAY))


@njit(cache=True)
def close_day(b: Record) -> None:
    """Let today become part of the past, which weighs at most MEMORY observations."""
    past = b.past
    _merge(past, b.today)
    if past.n > MEMORY:
        past.m2 *= MEMORY / past.n
        past.n = MEMORY


@njit(cache=True)
def estimate(b: Record, which: int) -> tuple[float, float]:
    """Mean and standard deviation to expect of the next value.

    The past, shrunk towards what is usual for keys: with prior mean m, spread between keys s_b and
    spread within a key s_w, weighing two observations, the mean is (n x + 2 m) / (n + 2), and the
    variance the pooled one within the key plus the part 2 / (n + 2) of s_b^2.
    """
    past, today = b.past, b.today
    n, mean, m2 = past.n, past.mean, past.m2
    if n < SETTLED and today.n > 0.0:
        deviation = today.mean - mean
        total = n + today.n
        m2 += today.m2 + deviation * deviation * n * today.n / total
        mean += deviation * today.n / total
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
