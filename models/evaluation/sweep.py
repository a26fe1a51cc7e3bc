"""The sweep: what each threshold would have found and falsely alerted, from one pass per tape."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.evaluation.figures import ALL, Figures, figures_of
from models.evaluation.sightings import Sightings
from models.evaluation.verdicts import Truth, Verdict
from models.orders.batch import Int64s
from models.score.model import rank_at

PER_DECADE: Final = 8
NEVER: Final = int(np.iinfo(np.int64).max)


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


# Settings to try, strictest first: falsely alerted keys per 1,000 key-days, from 0.01 to 100.
GRID: Final = tuple(
    _two_digits(10.0 ** (step / PER_DECADE)) for step in range(-2 * PER_DECADE, 2 * PER_DECADE + 1)
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One tape: what happened on it, and what the detector saw."""

    truth: Truth
    sightings: Sightings
    _since: Int64s = field(init=False)  # first rogue order of each sighted key, ms

    def __post_init__(self) -> None:
        leaked = self.truth.labels.leaked
        since = [
            leaked[key].first_rogue_ts if key in leaked else NEVER for key in self.sightings.keys
        ]
        object.__setattr__(self, "_since", np.array(since, np.int64))

    def verdict(self, setting: float) -> Verdict:
        """Judge what a setting alerts."""
        return self.truth.judge(self.sightings.alerts(rank_at(setting), self._since))


@dataclass(frozen=True, slots=True)
class Point:
    """One setting, and what it is worth on all tapes together."""

    setting: float  # falsely alerted keys per 1,000 key-days, as asked for
    figures: Figures


@dataclass(frozen=True, slots=True)
class Costs:
    """What mistakes cost, in USD."""

    false: float = 0.0  # a falsely alerted key
    missed: float = 0.0  # a leaked key that is never alerted
    lost: float = 0.0  # each USD of rogue orders before the alert
    leaks: float | None = None  # leaked keys per 1,000 key-days; None: as many as on the tapes

    def of(self, figures: Figures) -> float:
        """USD per 1,000 key-days."""
        met, thousands = figures.met[ALL], figures.key_days / 1e3
        if not thousands:
            return 0.0
        leaks = met.keys / thousands if self.leaks is None else self.leaks
        per_leak = (self.missed * (met.keys - met.caught) + self.lost * met.lost) / max(met.keys, 1)
        return self.false * figures.false_per_1000_key_days.value + leaks * per_leak


Choice = Callable[[Sequence[Point]], Point | None]


def sweep(trials: Sequence[Trial], settings: Iterable[float] = GRID) -> list[Point]:
    """Judge every setting on all tapes, strictest first."""
    return [
        Point(setting, figures_of([trial.verdict(setting) for trial in trials]))
        for setting in sorted(set(settings))
    ]


def within_budget(budget: float) -> Choice:
    """Choose what finds most keys, then prevents most loss, and as measured keeps to the budget.

    The strictest of several; None where no setting keeps to it, or nothing is there to be found.
    """

    def choose(points: Sequence[Point]) -> Point | None:
        kept = [
            p
            for p in points
            if p.figures.false_per_1000_key_days.value <= budget and p.figures.met[ALL].keys
        ]
        return max(kept, key=lambda point: _found(point.figures), default=None)

    return choose


def _found(figures: Figures) -> tuple[int, float]:
    met = figures.met[ALL]
    return met.caught, -met.lost


def cheapest(costs: Costs) -> Choice:
    """Choose the setting of least cost, the strictest of several."""
    return lambda points: min(points, key=lambda point: costs.of(point.figures), default=None)


def held_out(trials: Sequence[Trial], choose: Choice) -> Figures | None:
    """Judge the choice itself: on each tape, what the other tapes would have chosen.

    None where there is only one tape, or where some others allow no choice.
    """
    if len(trials) < 2:
        return None
    verdicts = []
    for at, trial in enumerate(trials):
        chosen = choose(sweep([*trials[:at], *trials[at + 1 :]]))
        if chosen is None:
            return None
        verdicts.append(trial.verdict(chosen.setting))
    return figures_of(verdicts)
