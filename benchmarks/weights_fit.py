"""The weights of evidence, fitted, beside the rounded ones in use."""

from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.evidence_sample import COLUMNS, Sample, Suspects, samples_of
from benchmarks.hardest import fit_hardest
from benchmarks.labelled_tape import LabelledTape
from benchmarks.logistic import fit_bounded
from models.keys import state as k
from models.score import parts as p
from models.score.evidence import BIAS, FAMILIAR_WEIGHT, PERSONAL, USUAL_WEIGHT, WEIGHTS
from models.simulation import REGIMES, regime_of

# None of these seeds is one that benchmarks.detection judges by.
TAPES: Final = (
    *(("standard", 41), ("standard", 42), ("thin", 43), ("fewfields", 44), ("wild", 45)),
    *(("copycats", 46), ("bigapps", 47), ("sparse", 48), ("calm", 49), ("busy", 50)),
)
SHORT: Final = (("standard", 41), ("copycats", 46))
SHORT_DAYS: Final = 3.0
SHORT_KEYS: Final = 1_500

EVIDENCE_L2: Final = 1e-3  # many features that say almost the same
PERSONAL_L2: Final = 1e-2
CROWDED: Final = 0.1  # weight of the company from which a purchase is one among others

Weights = dict[str, tuple[float, float]]  # fitted, and in use


def fit_weights(*, short: bool, tell: Callable[[str], None]) -> dict[str, Weights]:
    """Fit the weights that make a fill notable, and those that make it worth an alert."""
    samples, suspects = [], []
    for name, seed in SHORT if short else TAPES:
        tell(f"{name}, seed {seed}")
        regime = regime_of([name], SHORT_DAYS, SHORT_KEYS) if short else REGIMES[name]
        sample, notable = samples_of(LabelledTape.simulated(name, regime, seed))
        samples.append(sample)
        suspects.append(notable)
    return {
        "notable": _evidence(Sample.concat(samples)),
        "rogue among others": _personal(suspects),
        "worth an alert": _parts(suspects),
    }


def _evidence(sample: Sample) -> Weights:
    bounds = [(0.0, None)] * len(k.FEATURES) + [(None, 0.0)] * 2
    *fitted, familiar, missing, bias = fit_bounded(
        sample.surprises, sample.rogue, sample.weight, bounds, EVIDENCE_L2
    ).tolist()
    weights = {
        name: (weight, WEIGHTS.get(name, 0.0))
        for name, weight in zip(k.FEATURES, fitted, strict=True)
    }
    ordered = dict(sorted(weights.items(), key=lambda item: -item[1][0]))
    against = {
        "familiarity": (familiar, -FAMILIAR_WEIGHT),
        "usual conduct": (missing, -USUAL_WEIGHT),
    }
    return ordered | against | {"bias": (bias, BIAS)}


def _personal(suspects: list[Suspects]) -> Weights:
    columns = [COLUMNS.index(name) for name in PERSONAL]
    drawn = []
    for tape in suspects:
        rows = np.flatnonzero(tape.evidence[:, COLUMNS.index("crowd")] > CROWDED)
        _, code, count = np.unique(tape.key[rows], return_inverse=True, return_counts=True)
        drawn.append((tape.evidence[np.ix_(rows, columns)], tape.rogue[rows], 1.0 / count[code]))
    among, rogue, alike = (np.concatenate(column) for column in zip(*drawn, strict=True))
    *fitted, _ = fit_bounded(among, rogue, alike, [(0.0, None)] * len(columns), PERSONAL_L2)
    return dict(zip(PERSONAL, zip(fitted, PERSONAL.values(), strict=True), strict=True))


def _parts(suspects: list[Suspects]) -> Weights:
    in_use = [p.WEIGHTS.get(name, 0.0) for name in k.FEATURES]
    in_use += [p.CONDUCT_WEIGHT, p.CROWD_WEIGHT, p.APP_CROWD_WEIGHT]
    in_use += [p.PERSISTENCE_WEIGHT, p.ACTIVITY_WEIGHT, FAMILIAR_WEIGHT]
    fitted = fit_hardest(suspects, np.array(in_use)).tolist()
    weights = dict(zip(COLUMNS, zip(fitted, in_use, strict=True), strict=True))
    return dict(sorted(weights.items(), key=lambda item: -item[1][0]))
