"""Figures: verdicts of one method on several tapes, pooled, with intervals over incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from models.evaluation.intervals import Estimate, pooled_share, rate_of
from models.evaluation.verdicts import Theft, Verdict

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Met:
    """How thefts of one kind were met; medians are over the keys that were caught."""

    keys: int
    caught: int
    recall: Estimate
    incidents: int
    noticed: int  # incidents of which a key was caught
    median_orders: float | None  # rogue orders until the alert, those that raised it included
    median_seconds: float | None  # from the first rogue order to the alert
    rogue: float  # USD
    lost: float  # USD of it before the alert on its key, or without one
    loss_prevented: Estimate  # share that came after, were the key frozen at once


@dataclass(frozen=True, slots=True)
class Figures:
    """What the alerts of one method were worth."""

    met: dict[str, Met]  # by kind of theft; ALL first
    false_keys: int  # keys alerted that were not being misused
    key_days: float
    false_per_1000_key_days: Estimate
    false_per_1000_active_key_days: float
    false_per_million_orders: float
    precision: float | None  # share of the alerted keys that were being misused


def figures_of(verdicts: Sequence[Verdict]) -> Figures:
    """Pool verdicts."""
    thefts = [theft for verdict in verdicts for theft in verdict.thefts]
    kinds = sorted({theft.kind for theft in thefts})
    met = {ALL: _met(thefts)}
    met |= {kind: _met([theft for theft in thefts if theft.kind == kind]) for kind in kinds}
    false = sum(len(verdict.false) for verdict in verdicts)
    key_days = sum(verdict.exposure.key_days for verdict in verdicts)
    active = sum(verdict.exposure.active_key_days for verdict in verdicts)
    orders = sum(verdict.exposure.orders for verdict in verdicts)
    alerted = met[ALL].caught + false
    return Figures(
        met=met,
        false_keys=false,
        key_days=key_days,
        false_per_1000_key_days=rate_of(false, key_days / 1e3),
        false_per_1000_active_key_days=1e3 * false / active if active else 0.0,
        false_per_million_orders=1e6 * false / orders if orders else 0.0,
        precision=met[ALL].caught / alerted if alerted else None,
    )


def _met(thefts: Sequence[Theft]) -> Met:
    orders = [count for theft in thefts for count in theft.orders_until]
    delays = [delay for theft in thefts for delay in theft.delays_s]
    rogue, saved = [theft.rogue for theft in thefts], [theft.saved for theft in thefts]
    keys, caught = [theft.keys for theft in thefts], [theft.caught for theft in thefts]
    return Met(
        keys=sum(keys),
        caught=sum(caught),
        recall=pooled_share(caught, keys),
        incidents=len(thefts),
        noticed=sum(count > 0 for count in caught),
        median_orders=median(orders) if orders else None,
        median_seconds=median(delays) if delays else None,
        rogue=sum(rogue),
        lost=sum(rogue) - sum(saved),
        loss_prevented=pooled_share(saved, rogue),
    )
