"""The weights of evidence, fitted, beside the rounded ones in use."""

from collections.abc import Callable
from typing import Final

from benchmarks.evidence_sample import Sample, sample_of
from benchmarks.labelled_tape import LabelledTape
from benchmarks.logistic import fit_bounded
from models.keys import state as k
from models.score.evidence import BIAS, USUAL_WEIGHT, WEIGHTS
from models.score.model import PART_WEIGHTS, PARTS
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
PARTS_L2: Final = 1e-4  # four that do not: more would halve the crowds, which are seldom above zero

Weights = dict[str, tuple[float, float]]  # fitted, and in use


def fit_weights(*, short: bool, tell: Callable[[str], None]) -> dict[str, Weights]:
    """Fit the weights of the surprises and those of the parts."""
    samples = []
    for name, seed in SHORT if short else TAPES:
        tell(f"{name}, seed {seed}")
        regime = regime_of([name], SHORT_DAYS, SHORT_KEYS) if short else REGIMES[name]
        samples.append(sample_of(LabelledTape.simulated(name, regime, seed)))
    sample = Sample.concat(samples)
    return {"evidence": _evidence(sample), "parts": _parts(sample)}


def _evidence(sample: Sample) -> Weights:
    bounds = [(0.0, None)] * len(k.FEATURES) + [(None, 0.0)]
    *fitted, missing, bias = fit_bounded(
        sample.surprises, sample.rogue, sample.weight, bounds, EVIDENCE_L2
    ).tolist()
    weights = {
        name: (weight, WEIGHTS.get(name, 0.0))
        for name, weight in zip(k.FEATURES, fitted, strict=True)
    }
    ordered = dict(sorted(weights.items(), key=lambda item: -item[1][0]))
    return ordered | {"usual conduct": (missing, -USUAL_WEIGHT), "bias": (bias, BIAS)}


def _parts(sample: Sample) -> Weights:
    """Fit the parts as the weights in use make them; of the intercept training knows better."""
    bounds = [(0.0, None)] * len(PARTS)
    fitted = fit_bounded(sample.parts, sample.rogue, sample.weight, bounds, PARTS_L2)[:-1].tolist()
    return dict(zip(PARTS, zip(fitted, PART_WEIGHTS.tolist(), strict=True), strict=True))
