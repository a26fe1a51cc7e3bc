"""The model: what is usual on this exchange, the forest, and how strength becomes probability."""

from dataclasses import dataclass, replace
from hashlib import blake2b
from math import log10
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.keys import state as k
from models.orders.batch import Float32s, Float64s
from models.score.artifact import (
    ARRAYS,
    ArtifactError,
    Manifest,
    ModelCard,
    library_versions,
    load_artifact,
    save_artifact,
)
from models.score.attribution import attribute
from models.score.forest import Forest, score
from models.score.parts import PARTS, contributions
from models.score.surprise import PLACES

FOREST_WEIGHT: Final = 4.0  # log odds per unit of forest score
PER_DECADE: Final = 2.0  # strength that makes a benign key-day ten times rarer
ONE_IN_A_THOUSAND: Final = 3.0  # rank that one benign key-day in a thousand reaches
FALSE_KEYS_PER_1000_KEY_DAYS: Final = 1.0
THRESHOLD: Final = ONE_IN_A_THOUSAND  # rank of an alert at that budget
LIMIT: Final = 9.0  # no rank is higher

CARD: Final = ModelCard(
    purpose="Ranks fills of API keys by how much they look like a leaked key's pump trades.",
    out_of_scope="Not sole evidence for closing an account; says nothing of who holds the key.",
    limits="Keys with fewer than some ten fills are judged against keys at large.",
)


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model; built by `models.training`, kept as an artifact."""

    scale: Float64s  # (FEATURES, PLACES): how surprising each value of each feature is
    forest: Forest
    medians: Float64s  # (FEATURES,): the features of a usual fill
    critical: float  # strength that one benign key-day in a thousand reaches
    id: str = ""
    threshold: float = THRESHOLD  # rank from which on an alert is raised

    @property
    def config(self) -> str:
        """Short id of the settings that decide what is alerted."""
        settings = msgspec.json.encode({"rank": self.threshold})
        return blake2b(settings, digest_size=6).hexdigest()

    def at_budget(self, false_keys: float) -> Self:
        """Give the model that falsely alerts so many keys in 1,000 key-days."""
        return replace(self, threshold=rank_at(false_keys))

    def strength(self, parts: Float64s) -> Float64s:
        """Evidence in all, log odds, shape (n,): the sum of the parts, and the forest's opinion."""
        strength: Float64s = parts.sum(axis=1) + FOREST_WEIGHT * score(self.forest, parts)
        return strength

    def rank(self, parts: Float64s) -> Float64s:
        """-log10 of the chance that a benign key-day shows such strength, shape (n,)."""
        beyond = (self.strength(parts) - self.critical) / PER_DECADE
        above = np.maximum(0.0, ONE_IN_A_THOUSAND + beyond)
        ranks: Float64s = np.minimum(above, LIMIT)  # np.clip takes several times as long
        return ranks

    def credit(self, parts: Float64s, surprises: Float32s) -> dict[str, float]:
        """Log odds that each feature and each kind of evidence gave one fill, in all its strength.

        The sum of the parts is given exactly as it came about; the forest's opinion goes to the
        parts by the path length that each saved (`models.score.attribution`); what the fill itself
        gave is shared out among its features by their weights.
        """
        paths = attribute(self.forest, parts[np.newaxis])[0].clip(0.0)
        opinion = FOREST_WEIGHT * float(score(self.forest, parts[np.newaxis])[0])
        shared = parts + opinion * paths / max(float(paths.sum()), 1e-9)
        credit = dict(zip(PARTS[1:], shared[1:].tolist(), strict=True))
        added = contributions(surprises)
        own = shared[0] * added / max(float(added.sum()), 1e-9)
        return credit | dict(zip(k.FEATURES, own.tolist(), strict=True))

    def save(self, directory: Path, training_data_sha256: str) -> Manifest:
        """Write the model as an artifact; its id is in the manifest."""
        arrays: dict[str, NDArray[Any]] = {
            "scale": self.scale,
            "medians": self.medians,
            "critical": np.array([self.critical]),
        }
        arrays |= {f"forest_{name}": array for name, array in self.forest.arrays().items()}
        manifest = Manifest(
            features=k.FEATURES,
            training_data_sha256=training_data_sha256,
            thresholds={"rank": self.threshold},
            libraries=library_versions(),
            card=CARD,
        )
        return save_artifact(directory, arrays, manifest)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model; an `ArtifactError` says what does not fit."""
        arrays, manifest = load_artifact(directory, features=k.FEATURES)
        _refuse_unfit(directory / ARRAYS, arrays)
        forest = {
            name.removeprefix("forest_"): array
            for name, array in arrays.items()
            if name.startswith("forest_")
        }
        try:
            grown = Forest.from_arrays(forest)
        except ValueError as error:
            raise ArtifactError(
                directory / ARRAYS, "the forest", "unfit", f"fit: {error}"
            ) from error
        if grown.n_features != len(PARTS):
            rule = f"be {len(PARTS)}, the kinds of evidence"
            raise ArtifactError(directory / ARRAYS, "forest_shape", grown.n_features, rule)
        return cls(
            arrays["scale"],
            grown,
            arrays["medians"],
            float(arrays["critical"][0]),
            manifest.model_id,
            manifest.thresholds.get("rank", THRESHOLD),
        )


def rank_at(false_keys: float) -> float:
    """Give the rank that so many benign keys reach in 1,000 key-days."""
    return ONE_IN_A_THOUSAND - log10(false_keys)


def _refuse_unfit(file: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that would lead a kernel out of its bounds."""
    wanted = {
        "scale": (len(k.FEATURES), PLACES),
        "medians": (len(k.FEATURES),),
        "critical": (1,),
    }
    for name, shape in wanted.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != np.float64:
            found = "missing" if array is None else f"{array.dtype}{array.shape}"
            raise ArtifactError(file, f"array {name}", found, f"be float64{shape}")
