"""The detector's scores with one thing at a time taken out, and what it then finds."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.contest import BUDGET, JUDGING_SEED, TRAINING_SEED
from benchmarks.detector_scores import WHOLE, detector_sightings
from benchmarks.labelled_tape import LabelledTape
from benchmarks.peaks import Peaks, Sightings
from models.alerts.reasons import KINDS
from models.evaluation.verdicts import Verdict
from models.keys import state as k
from models.records import copied
from models.rows import Rows
from models.score.evidence import CONDUCT, WEIGHTS
from models.score.model import Model
from models.simulation import Regime
from models.training import train

NO_COMPANY: Final = "the same, without usual company"
# Budgets over which recall is averaged: a few keys more or fewer say little of one alone.
AROUND: Final = tuple((BUDGET * np.geomspace(1 / 3, 3.0, 9)).tolist())


def counted_features() -> list[str]:
    """Give the features that count in the weights in use, or in what is called usual conduct."""
    return [name for name in k.FEATURES if WEIGHTS.get(name) or name in CONDUCT]


def families() -> dict[str, list[str]]:
    """Give the features that count, by kind of evidence; only kinds of several."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in counted_features():
        found[KINDS[name]].append(name)
    return {family: names for family, names in sorted(found.items()) if len(names) > 1}


def blinded(model: Model, features: list[str]) -> Model:
    """Model to which some features never surprise."""
    scale = model.scale.copy()
    scale[[k.FEATURES.index(name) for name in features]] = np.inf
    return replace(model, scale=scale)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a variant finds on one tape."""

    verdict: Verdict  # at the budget
    around: float  # mean recall at the budgets around it


class Ablation:
    """Outcomes of each variant, one a tape."""

    def __init__(self) -> None:
        self.parts: list[str] = []  # variants without a kind of evidence, or without the forest
        self.outcomes: dict[str, list[Outcome]] = defaultdict(list)

    def of_regime(self, name: str, regime: Regime) -> None:
        """Train on one simulated tape, without its labels, and take things out on another."""
        history = LabelledTape.simulated(name, regime, TRAINING_SEED)
        model = train(lambda: history.batches)
        self._add(LabelledTape.simulated(name, regime, JUDGING_SEED), model)

    def of_file(self, orders: Path, labels: Path) -> None:
        """Train on a tape, without its labels, and take things out on the same."""
        tape = LabelledTape.read(orders, labels)
        self._add(tape, train(lambda: tape.batches))

    def _add(self, tape: LabelledTape, model: Model) -> None:
        rows = tape.market_rows()
        whole = detector_sightings(model, tape, rows)
        self.parts = [name for name in whole if name != WHOLE]
        for name, seen in whole.items():
            self._judge(name, tape, seen)
        self.parts.append(NO_COMPANY)
        strangers = [Rows(part.orders, copied(part.told)) for part in rows]
        for part in strangers:
            part.told["company"] = 0
        self._judge(NO_COMPANY, tape, detector_sightings(model, tape, strangers)[WHOLE])
        for family, features in families().items():
            self._judge(family, tape, _without(model, features, tape, rows))
        for feature in counted_features():
            self._judge(feature, tape, _without(model, [feature], tape, rows))

    def _judge(self, name: str, tape: LabelledTape, seen: Sightings) -> None:
        peaks = Peaks(tape, seen)
        around = float(np.mean([peaks.recall(budget) for budget in AROUND]))
        self.outcomes[name].append(Outcome(tape.truth.judge(peaks.alerts(BUDGET)), around))

    def verdicts(self, name: str) -> list[Verdict]:
        """Give what a variant finds at the budget, tape by tape."""
        return [outcome.verdict for outcome in self.outcomes[name]]

    def around(self, name: str) -> float:
        """Give its recall around the budget, every leaked key counting alike."""
        outcomes = self.outcomes[name]
        keys = [sum(theft.keys for theft in outcome.verdict.thefts) for outcome in outcomes]
        shares = [outcome.around for outcome in outcomes]
        return float(np.average(shares, weights=keys)) if sum(keys) else 0.0


def _without(model: Model, features: list[str], tape: LabelledTape, rows: list[Rows]) -> Sightings:
    return detector_sightings(blinded(model, features), tape, rows)[WHOLE]
