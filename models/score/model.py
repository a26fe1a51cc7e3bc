"""The model: what is usual, the forest, and how its scores become probabilities."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.keys import state as k
from models.orders.batch import Float64s
from models.score.artifact import Feature, Manifest, ModelCard, load_artifact, save_artifact
from models.score.evidence import Scale
from models.score.forest import Forest, score
from models.score.surprise import surprise_of

INPUTS: Final = tuple(
    Feature(name, "surprise, -log10 of a tail probability") for name in k.FEATURES
)
FALSE_KEYS_PER_1000_KEY_DAYS: Final = 1.0
CARD: Final = ModelCard(
    purpose="Ranks fills of API keys by how much they look like a leaked key's pump trades.",
    out_of_scope="Not sole evidence for closing an account; says nothing of who holds the key.",
    limits="Keys with fewer than some ten fills are judged against keys at large.",
)


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model; built by `models.training`, kept as an artifact."""

    scale: Scale
    forest: Forest
    medians: Float64s  # (FEATURES,): the features of a usual fill
    tail: Float64s  # surprise table of a benign key-day's highest forest score
    id: str = ""
    config: str = ""

    def rank(self, evidence: NDArray[np.float32]) -> Float64s:
        """-log10 of the chance that a benign key-day shows so high a score, shape (n,)."""
        scores = score(self.forest, evidence.astype(np.float64))
        return np.array([surprise_of(self.tail, value) for value in scores.tolist()])

    @property
    def threshold(self) -> float:
        """Rank from which on an alert is raised."""
        return float(-np.log10(FALSE_KEYS_PER_1000_KEY_DAYS / 1000.0))

    def save(self, directory: Path, training_data_sha256: str) -> Manifest:
        """Write the model as an artifact; its id is in the manifest."""
        arrays: dict[str, NDArray[Any]] = {
            "scale_tables": self.scale.tables,
            "scale_gate": np.array([self.scale.gate]),
            "medians": self.medians,
            "tail": self.tail,
        }
        arrays |= {f"forest_{name}": array for name, array in self.forest.arrays().items()}
        manifest = Manifest(
            features=INPUTS,
            training_data_sha256=training_data_sha256,
            thresholds={"rank": self.threshold},
            card=CARD,
        )
        return save_artifact(directory, arrays, manifest)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model; an `ArtifactError` says what does not fit."""
        arrays, manifest = load_artifact(directory, features=INPUTS)
        forest = {
            name.removeprefix("forest_"): array
            for name, array in arrays.items()
            if name.startswith("forest_")
        }
        return cls(
            Scale(arrays["scale_tables"], float(arrays["scale_gate"][0])),
            Forest.from_arrays(forest),
            arrays["medians"],
            arrays["tail"],
            manifest.model_id,
            config_id(manifest.thresholds),
        )


def config_id(settings: dict[str, float]) -> str:
    """Short id of the settings that decide what is alerted."""
    return blake2b(msgspec.json.encode(settings, order="sorted"), digest_size=6).hexdigest()
