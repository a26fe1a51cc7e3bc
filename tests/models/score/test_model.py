from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.keys.state import FEATURES
from models.score.artifact import ArtifactError, library_versions
from models.score.forest import fit_forest
from models.score.model import FALSE_KEYS_PER_1000_KEY_DAYS, THRESHOLD, Model, rank_at
from models.score.parts import PARTS
from models.score.surprise import PLACES


def model_of(parts: int = len(PARTS)) -> Model:
    random = np.random.default_rng(5)
    scale = np.sort(random.normal(size=(len(FEATURES), PLACES)))
    forest = fit_forest(random.random((300, parts)) * 8, trees=10, sample_size=64, seed=1)
    return Model(scale, forest, random.normal(size=len(FEATURES)), 17.3)


def saved_and_loaded(model: Model, folder: Path) -> Model:
    model.save(folder, "0" * 64)
    return Model.load(folder)


def some_parts(n: int = 500) -> NDArray[np.float64]:
    random = np.random.default_rng(6)
    return random.random((n, len(PARTS))) * [8.0, 3.0, 2.0, 4.0]


def test_a_model_read_back_gives_the_same_ranks_bit_by_bit(tmp_path: Path) -> None:
    model = model_of()
    manifest = model.save(tmp_path / "model", "0" * 64)
    again = Model.load(tmp_path / "model")
    assert again.rank(some_parts()).tobytes() == model.rank(some_parts()).tobytes()
    assert again.scale.tobytes() == model.scale.tobytes()
    assert again.medians.tobytes() == model.medians.tobytes()
    assert again.id == manifest.model_id
    assert again.threshold == model.threshold == THRESHOLD


def test_the_manifest_says_with_which_libraries_a_model_was_made(tmp_path: Path) -> None:
    manifest = model_of().save(tmp_path / "model", "0" * 64)
    assert manifest.libraries == library_versions()
    assert manifest.libraries.keys() >= {"python", "numpy", "scikit-learn"}


def test_the_budget_sets_the_threshold_and_changes_the_config_id(tmp_path: Path) -> None:
    model = saved_and_loaded(model_of(), tmp_path / "model")
    usual, strict, lax = (model.at_budget(keys) for keys in (1.0, 0.1, 10.0))
    assert usual == model
    assert (strict.threshold, lax.threshold) == (4.0, 2.0)
    assert rank_at(FALSE_KEYS_PER_1000_KEY_DAYS) == usual.threshold == THRESHOLD
    assert len({usual.config, strict.config, lax.config}) == 3
    assert replace(lax, threshold=strict.threshold).config == strict.config
    assert saved_and_loaded(strict, tmp_path / "strict").config == strict.config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": np.zeros((len(FEATURES) - 1, PLACES))}, "array scale"),
        ({"scale": np.zeros((len(FEATURES), PLACES - 1))}, "array scale"),
        ({"scale": np.zeros((len(FEATURES), PLACES), np.float32)}, "array scale"),
        ({"medians": np.zeros(3)}, "medians"),
        ({"medians": np.full(len(FEATURES), np.nan)}, "medians"),
        ({"forest": model_of(3).forest}, "forest_shape"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    unfit = replace(model_of(), **changes)  # type: ignore[arg-type]  # unfit on purpose
    with pytest.raises(ArtifactError, match=message):
        saved_and_loaded(unfit, tmp_path / "model")


def test_a_rank_does_not_depend_on_the_rows_beside_it() -> None:
    model, parts = model_of(), some_parts(40)
    alone = np.concatenate([model.rank(row[None]) for row in parts])
    assert alone.tobytes() == model.rank(parts).tobytes()
