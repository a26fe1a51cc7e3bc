"""Artifacts come back as they were saved, or are refused with one clear sentence."""

import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.score.artifact import (
    ARRAYS,
    MANIFEST,
    ArtifactError,
    Manifest,
    ModelCard,
    library_versions,
    load_artifact,
    save_artifact,
)
from models.score.forest import Forest, fit_forest, score

FEATURES = ("size", "impact")


def manifest(**changed: Any) -> Manifest:
    fields: dict[str, Any] = {
        "features": FEATURES,
        "training_data_sha256": "ab" * 32,
        "thresholds": {"alert": 0.7},
        "libraries": library_versions(),
        "card": ModelCard(purpose="Finds leaked keys."),
    }
    return Manifest(**fields | changed)


def some_arrays() -> dict[str, NDArray[Any]]:
    return {"path": np.arange(6.0).reshape(2, 3), "left": np.array([1, 2], np.int32)}


def saved(tmp_path: Path) -> Path:
    save_artifact(tmp_path / "model", some_arrays(), manifest())
    return tmp_path / "model"


def edit(directory: Path, **changed: Any) -> None:
    fields = msgspec.json.decode((directory / MANIFEST).read_bytes())
    (directory / MANIFEST).write_bytes(msgspec.json.encode(fields | changed))


def refusal(directory: Path, features: tuple[str, ...] = FEATURES) -> str:
    with pytest.raises(ArtifactError) as caught:
        load_artifact(directory, features=features)
    assert str(directory) in str(caught.value)
    return str(caught.value)


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    full = save_artifact(tmp_path / "deep" / "model", some_arrays(), manifest())
    arrays, loaded = load_artifact(tmp_path / "deep" / "model", features=FEATURES)
    assert loaded == full
    assert loaded.card.purpose == "Finds leaked keys."
    assert arrays.keys() == some_arrays().keys()
    for name, array in some_arrays().items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


@given(
    array=hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.uint16, np.bool_]),
        hnp.array_shapes(min_dims=0, min_side=0),
        elements={"allow_nan": False},
        fill=st.nothing(),
    )
)
def test_any_array_of_numbers_comes_back(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[Any]
) -> None:
    directory = tmp_path_factory.mktemp("artifacts") / "model"
    save_artifact(directory, {"any": array.T}, manifest())
    np.testing.assert_array_equal(
        load_artifact(directory, features=FEATURES)[0]["any"], array.T, strict=True
    )


def test_a_forest_scores_the_same_after_a_round_trip(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2))
    forest = fit_forest(x, trees=5, sample_size=64, seed=0)
    save_artifact(tmp_path / "model", forest.arrays(), manifest())
    again = Forest.from_arrays(load_artifact(tmp_path / "model", features=FEATURES)[0])
    np.testing.assert_array_equal(score(again, x), score(forest, x))


def test_numpy_can_read_the_arrays_itself(tmp_path: Path) -> None:
    with np.load(saved(tmp_path) / ARRAYS, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["path"], some_arrays()["path"])


def test_the_same_model_gives_the_same_bytes_and_id(tmp_path: Path) -> None:
    one = save_artifact(tmp_path / "one", some_arrays(), manifest())
    turned = dict(reversed(some_arrays().items()))
    turned["path"] = np.asfortranarray(turned["path"])
    libraries = dict(reversed(library_versions().items()))
    two = save_artifact(tmp_path / "two", turned, manifest(libraries=libraries))
    assert one.model_id == two.model_id
    for file in (ARRAYS, MANIFEST):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    "changed",
    [
        {"thresholds": {"alert": 0.71}},
        {"features": FEATURES[::-1]},
        {"features": ("size", "slippage")},
    ],
)
def test_the_id_changes_with_whatever_decides_a_score(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    one = save_artifact(tmp_path / "one", some_arrays(), manifest())
    two = save_artifact(tmp_path / "two", some_arrays(), manifest(**changed))
    assert one.model_id != two.model_id


def test_the_id_changes_with_one_bit_of_an_array(tmp_path: Path) -> None:
    one = save_artifact(tmp_path / "one", some_arrays(), manifest())
    arrays = some_arrays()
    arrays["path"][0, 0] = np.nextafter(0.0, 1.0)
    assert save_artifact(tmp_path / "two", arrays, manifest()).model_id != one.model_id


def test_other_library_versions_and_words_leave_the_id_alone_and_load(tmp_path: Path) -> None:
    one = save_artifact(tmp_path / "one", some_arrays(), manifest())
    other = manifest(libraries={"numpy": "9.9"}, card=ModelCard(limits="Few coins."))
    save_artifact(tmp_path / "two", some_arrays(), other)
    _, two = load_artifact(tmp_path / "two", features=FEATURES)
    assert two.model_id == one.model_id
    assert two.libraries == {"numpy": "9.9"}


def test_a_later_model_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    directory = saved(tmp_path)
    full = save_artifact(directory, {"path": np.ones(3)}, manifest())
    arrays, loaded = load_artifact(directory, features=FEATURES)
    assert (loaded, list(arrays)) == (full, ["path"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_failed_save_leaves_the_earlier_model(tmp_path: Path) -> None:
    directory = saved(tmp_path)
    with pytest.raises(TypeError):
        save_artifact(directory, some_arrays(), manifest(libraries={"unknown": object()}))
    assert load_artifact(directory, features=FEATURES)[1].libraries == library_versions()
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_folder_in_other_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="must be empty or hold a model"):
        save_artifact(tmp_path, some_arrays(), manifest())
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "array", "rule"),
    [
        ("path", np.array([1.0, np.nan]), "array path is NaN in places; must hold no NaN"),
        ("path", np.array([object()]), "must hold numbers or booleans"),
        ("path", np.array(["a"]), "must hold numbers or booleans"),
        ("../path", np.ones(1), "array name is '../path'; must be an identifier"),
    ],
)
def test_arrays_that_no_model_has_are_not_saved(
    tmp_path: Path, name: str, array: NDArray[Any], rule: str
) -> None:
    with pytest.raises(ArtifactError, match=rule):
        save_artifact(tmp_path / "model", {name: array}, manifest())
    assert not (tmp_path / "model").exists()


def test_a_threshold_that_is_no_number_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"thresholds\.alert is nan; must be finite"):
        save_artifact(tmp_path, some_arrays(), manifest(thresholds={"alert": float("nan")}))


@pytest.mark.parametrize("file", [ARRAYS, MANIFEST])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    directory = saved(tmp_path)
    (directory / file).unlink()
    assert f"{file}: the file is No such file or directory" in refusal(directory)


@pytest.mark.parametrize("file", [ARRAYS, MANIFEST])
def test_a_file_cut_short_is_refused(tmp_path: Path, file: str) -> None:
    directory = saved(tmp_path)
    content = (directory / file).read_bytes()
    (directory / file).write_bytes(content[: len(content) // 2])
    assert f"{file}: the content is wrong" in refusal(directory)


def test_an_unknown_format_version_is_refused_before_anything_else(tmp_path: Path) -> None:
    directory = saved(tmp_path)
    edit(directory, format_version=3, features="in some later form")
    assert "format_version is 3; must be 2" in refusal(directory)


def test_features_other_than_the_codes_are_refused(tmp_path: Path) -> None:
    directory = saved(tmp_path)
    assert "features[0] is 'size'; must be 'impact'" in refusal(directory, FEATURES[::-1])
    assert "features[1] is 'impact'; must be 'push'" in refusal(directory, ("size", "push"))
    assert "features is a list of 2; must have 1 entries" in refusal(directory, FEATURES[:1])


def test_a_manifest_edited_by_hand_is_refused(tmp_path: Path) -> None:
    directory = saved(tmp_path)
    edit(directory, thresholds={"alert": 0.1})
    assert "model_id is" in refusal(directory)
    edit(directory, thresholds={"alert": "low"})
    assert "$.thresholds[...]" in refusal(directory)
    edit(directory, thresholds={"alert": 0.7}, threshold=0.1)
    assert "unknown field `threshold`" in refusal(directory)


def rewrite(directory: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with zipfile.ZipFile(directory / ARRAYS, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, array)


def test_arrays_that_differ_from_the_manifest_are_refused(tmp_path: Path) -> None:
    directory = saved(tmp_path)
    arrays = some_arrays()
    rewrite(directory, arrays | {"path": arrays["path"] + 1})
    assert "arrays_sha256 is" in refusal(directory)
    for other in (arrays["path"].T, arrays["path"].astype(np.float32)):
        rewrite(directory, arrays | {"path": other})
        assert "arrays_sha256 is" in refusal(directory)
    rewrite(directory, arrays | {"more": np.ones(1)})
    assert "arrays_sha256 is" in refusal(directory)
    rewrite(directory, {"path": arrays["path"]})
    assert "arrays_sha256 is" in refusal(directory)
    rewrite(directory, arrays | {"path": np.full((2, 3), np.nan)})
    assert "array path is NaN in places" in refusal(directory)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    directory = saved(tmp_path)
    content = io.BytesIO()
    np.save(content, np.array([{"danger": 1}]), allow_pickle=True)
    with zipfile.ZipFile(directory / ARRAYS, "w") as archive:
        archive.writestr("path.npy", content.getvalue())
    assert "Object arrays cannot be loaded" in refusal(directory)
