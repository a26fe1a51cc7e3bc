"""Intervals: how far the figures of a few incidents can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

RESAMPLED: Final = 2_000  # times
INTERVAL: Final = (0.05, 0.95)  # quantiles: 90 %
Z: Final = 1.6449  # standard deviations to either of them
SEED: Final = 20221209


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 90 % interval."""

    value: float
    low: float
    high: float

    def as_share(self) -> str:
        """Give it for people, in per cent.

        >>> Estimate(0.9, 0.8, 1.0).as_share()
        '90% (80%–100%)'
        """
        return f"{self.value:.0%} ({self.low:.0%}–{self.high:.0%})"

    def as_rate(self) -> str:
        """Give it for people, with two digits."""
        return f"{self.value:.2g} ({self.low:.2g}–{self.high:.2g})"


def pooled_share(parts: Sequence[float], wholes: Sequence[float]) -> Estimate:
    """Sum of the parts over the sum of the wholes, each of shape (n,), one an incident.

    The interval comes from resampling whole incidents (bootstrap): the keys of one share one fate,
    so that many keys of few incidents say little. Zero where there is nothing.
    """
    part, whole = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    if whole.sum() <= 0.0:
        return Estimate(0.0, 0.0, 0.0)
    drawn = np.random.default_rng(SEED).integers(0, len(whole), (RESAMPLED, len(whole)))
    totals = whole[drawn].sum(axis=1)
    shares = part[drawn].sum(axis=1)[totals > 0.0] / totals[totals > 0.0]
    low, high = np.quantile(shares, INTERVAL).tolist()
    return Estimate(float(part.sum() / whole.sum()), low, high)


def rate_of(count: int, exposure: float) -> Estimate:
    """Rate of something rare that was seen `count` times, per unit of exposure.

    The interval is that of a Poisson count by Wilson and Hilferty's cube root (1931), within one
    per cent of the exact one (Garwood 1936): that nothing was seen does not make the rate zero.

    >>> rate_of(0, 1000.0).high > 0.0029
    True
    """
    if exposure <= 0.0:
        return Estimate(0.0, 0.0, 0.0)
    more = count + 1
    low = count * (1.0 - 1.0 / (9 * count) - Z / (3.0 * sqrt(count))) ** 3 if count else 0.0
    high = more * (1.0 - 1.0 / (9 * more) + Z / (3.0 * sqrt(more))) ** 3
    return Estimate(count / exposure, max(0.0, low) / exposure, high / exposure)
