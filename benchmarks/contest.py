"""The contest: every method on every tape, trained on one and judged on another."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.baselines import baseline_sightings, fit_raw_forest
from benchmarks.detector_scores import alerts_of, detector_sightings
from benchmarks.labelled_tape import LabelledTape
from benchmarks.peaks import Peaks
from models.alerts.envelope import Alert, AlertType
from models.evaluation.incidents import by_look_alike
from models.evaluation.named import Named, apps_named, sellers_named
from models.evaluation.verdicts import Verdict
from models.score.forest import Forest
from models.score.model import FALSE_KEYS_PER_1000_KEY_DAYS, Model
from models.simulation import REGIMES, Regime, regime_of
from models.training import train

# Held out: nothing in the project was chosen on tapes of these seeds.
TRAINING_SEED: Final = 90_210
JUDGING_SEED: Final = 10_117
CONTESTED: Final = (
    *("standard", "calm", "wild", "thin", "copycats", "fewfields", "bigapps", "shorttape"),
    "sparse",
)
SHORT: Final = ("standard", "copycats")
SHORT_DAYS: Final = 3.0
SHORT_KEYS: Final = 1_500

LIVE: Final = "detector, as it alerts"
FOREIGN: Final = "detector, trained on another regime"
BUDGET: Final = FALSE_KEYS_PER_1000_KEY_DAYS
BUDGETS: Final = tuple(np.round(np.geomspace(0.1, 30.0, 26), 3).tolist())
ORDINARY: Final = "none of them"
APPS: Final = "apps"
SELLERS: Final = "sellers"


@dataclass(frozen=True, slots=True)
class Trained:
    """What was learned from a training tape, without its labels."""

    name: str
    model: Model
    raw_forest: Forest


@dataclass(slots=True)
class Results:
    """Verdicts of each method, what it named, and its recall of each budget; each one a tape."""

    methods: dict[str, list[Verdict]] = field(default_factory=lambda: defaultdict(list))
    named: dict[str, dict[str, list[Named]]] = field(default_factory=lambda: defaultdict(dict))
    curves: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    lookalikes: Counter[str] = field(default_factory=Counter)  # how many there were
    alerted_lookalikes: Counter[str] = field(default_factory=Counter)


def contest_regimes(*, short: bool, tell: Callable[[str], None]) -> Results:
    """Train on a tape of each regime; judge on another of the same, and of the next regime."""
    regimes = regimes_to_judge(short=short)
    trained = []
    for name, regime in regimes.items():
        tell(f"training on {name}")
        trained.append(_learn(LabelledTape.simulated(name, regime, TRAINING_SEED)))
    results = Results()
    for at, (name, regime) in enumerate(regimes.items()):
        tell(f"judging on {name}")
        tape = LabelledTape.simulated(name, regime, JUDGING_SEED)
        _judge_tape(results, tape, trained[at], trained[at - 1])
    return results


def contest_files(pairs: Sequence[tuple[Path, Path]], tell: Callable[[str], None]) -> Results:
    """Train on each tape, without its labels, then replay it and judge by its labels."""
    results = Results()
    for orders, labels in pairs:
        tell(f"training and judging on {orders.name}")
        tape = LabelledTape.read(orders, labels)
        _judge_tape(results, tape, _learn(tape), None)
    return results


def regimes_to_judge(*, short: bool, only: Sequence[str] = ()) -> dict[str, Regime]:
    """Give the regimes of the contest, or `only` some; short ones are of a few days and keys."""
    if short:
        names = only or SHORT
        return {name: regime_of([name], days=SHORT_DAYS, keys=SHORT_KEYS) for name in names}
    return {name: REGIMES[name] for name in only or CONTESTED}


def _learn(tape: LabelledTape) -> Trained:
    return Trained(tape.name, train(lambda: tape.batches), fit_raw_forest(tape.market_rows()))


def _judge_tape(
    results: Results, tape: LabelledTape, own: Trained, foreign: Trained | None
) -> None:
    live = _judge_alerts(results, LIVE, tape, alerts_of(own.model, tape))
    if foreign is not None:
        _judge_alerts(results, FOREIGN, tape, alerts_of(foreign.model, tape))
    rows = tape.market_rows()
    sightings = detector_sightings(own.model, tape, rows)
    sightings |= baseline_sightings(own.raw_forest, tape, rows)
    for name, seen in sightings.items():
        peaks = Peaks(tape, seen)
        results.methods[name].append(tape.truth.judge(peaks.alerts(BUDGET)))
        results.curves[name].append([peaks.recall(budget) for budget in BUDGETS])
    _count_lookalikes(results, tape, live)


def _judge_alerts(
    results: Results, method: str, tape: LabelledTape, alerts: Sequence[Alert]
) -> Verdict:
    by_type = {kind: [alert for alert in alerts if alert.type is kind] for kind in AlertType}
    keys = [(alert.subject, alert.data.event_ts) for alert in by_type[AlertType.LEAKED_KEY]]
    verdict = tape.truth.judge(keys)
    results.methods[method].append(verdict)
    apps = {alert.subject for alert in by_type[AlertType.APP_LEAK]}
    accounts = {alert.subject for alert in by_type[AlertType.PROFITEER]}
    named = results.named[method]
    named.setdefault(APPS, []).append(apps_named(tape.truth.labels, apps))
    named.setdefault(SELLERS, []).append(sellers_named(tape.truth.labels, accounts))
    return verdict


def _count_lookalikes(results: Results, tape: LabelledTape, verdict: Verdict) -> None:
    for score in by_look_alike(tape.truth.labels, verdict.false):
        results.lookalikes[score.kind] += score.count
        results.alerted_lookalikes[score.kind] += score.alerted
    resembling = {key for one in tape.truth.labels.hard_negatives for key in one.keys}
    results.lookalikes[ORDINARY] += len(
        set(tape.keys) - resembling - tape.truth.labels.leaked.keys()
    )
    results.alerted_lookalikes[ORDINARY] += len(set(verdict.false) - resembling)
