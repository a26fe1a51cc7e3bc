"""A trained model on disk: a folder with its arrays and a manifest that says what they are.

No pickle: `arrays.npz` holds plain numbers, `manifest.json` the rest. The same model gives the same
id, on any day and machine, and with the same libraries the same bytes. Loading refuses whatever
does not fit together.
"""

import hashlib
import os
import platform
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION: Final = 2
ARRAYS: Final = "arrays.npz"
MANIFEST: Final = "manifest.json"
ID_LENGTH: Final = 12  # hex digits; 48 bits, so two models of one desk will not share an id
ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold

Arrays = Mapping[str, NDArray[Any]]


class ArtifactError(ValueError):
    """What a model folder holds is not a model that this code can use."""

    def __init__(self, file: Path, field: str, value: object, rule: str) -> None:
        super().__init__(f"{file}: {field} is {value}; must {rule}")


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reader should know before trusting the model, in plain sentences."""

    purpose: str = ""
    out_of_scope: str = ""
    limits: str = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the arrays are; the last three fields are filled in when the artifact is saved."""

    features: tuple[str, ...]  # what the model scores, in the order of the columns
    training_data_sha256: str
    thresholds: dict[str, float] = {}
    libraries: dict[str, str] = {}  # for the record; other versions may load the model
    card: ModelCard = ModelCard()
    format_version: int = FORMAT_VERSION
    arrays_sha256: str = ""
    model_id: str = ""


class _Version(msgspec.Struct):
    format_version: int


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that shape a model, for the manifest."""
    names = ("msgspec", "numba", "numpy", "scikit-learn")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def save_artifact(directory: Path, arrays: Arrays, manifest: Manifest) -> Manifest:
    """Write the artifact in one step, in place of an earlier one, and give its full manifest.

    Raises
    ------
    ArtifactError
        If an array or a threshold may not be stored, or `directory` holds anything else.
    """
    _refuse_unfit_arrays(directory / ARRAYS, arrays)
    for name, threshold in manifest.thresholds.items():
        if not np.isfinite(threshold):
            raise ArtifactError(directory / MANIFEST, f"thresholds.{name}", threshold, "be finite")
    if directory.exists() and any(directory.iterdir()) and not (directory / MANIFEST).exists():
        raise ArtifactError(directory, "the folder", "in other use", "be empty or hold a model")
    full = msgspec.structs.replace(
        manifest,
        format_version=FORMAT_VERSION,
        arrays_sha256=_arrays_sha256(arrays),
    )
    full = msgspec.structs.replace(full, model_id=_model_id(full))
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".artifact-", dir=directory.parent) as aside:
        fresh = Path(aside, "new")
        fresh.mkdir()
        _write_arrays(fresh / ARRAYS, arrays)
        _write_bytes(fresh / MANIFEST, msgspec.json.format(_encode(full), indent=2) + b"\n")
        _put_in_place(fresh, directory, Path(aside, "old"))
    return full


def load_artifact(
    directory: Path, *, features: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], Manifest]:
    """Read an artifact that scores exactly `features`, in that order.

    Raises
    ------
    ArtifactError
        If a file is missing or unreadable, the format is unknown, the features differ, or the
        arrays or the manifest are not those that were saved.
    """
    file = directory / MANIFEST
    manifest = _read_manifest(file)
    _refuse_other_features(file, manifest.features, tuple(features))
    arrays = _read_arrays(directory / ARRAYS)
    _refuse_unfit_arrays(directory / ARRAYS, arrays)
    for field, value in (
        ("arrays_sha256", _arrays_sha256(arrays)),
        ("model_id", _model_id(manifest)),
    ):
        stated = getattr(manifest, field)
        if stated != value:
            raise ArtifactError(file, field, repr(stated), f"be {value}, the hash of the content")
    return arrays, manifest


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _model_id(manifest: Manifest) -> str:
    """Short hash of all that decides a score or an alert; card and provenance do not."""
    decisive = (
        manifest.format_version,
        manifest.features,
        manifest.thresholds,
        manifest.arrays_sha256,
    )
    return hashlib.sha256(_encode(decisive)).hexdigest()[:ID_LENGTH]


def _arrays_sha256(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(_encode((name, array.dtype.str, array.shape)))
        digest.update(array.tobytes())
    return digest.hexdigest()


def _refuse_unfit_arrays(file: Path, arrays: Arrays) -> None:
    for name, array in arrays.items():
        if not name.isidentifier():
            raise ArtifactError(file, "array name", repr(name), "be an identifier")
        if array.dtype.kind not in "biuf":
            raise ArtifactError(file, f"array {name}", array.dtype, "hold numbers or booleans")
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ArtifactError(file, f"array {name}", "NaN in places", "hold no NaN")


def _refuse_other_features(file: Path, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            rule = f"be {other!r}, as in the code"
            raise ArtifactError(file, f"features[{place}]", repr(one), rule)
    if len(found) != len(wanted):
        rule = f"have {len(wanted)} entries, as in the code"
        raise ArtifactError(file, "features", f"a list of {len(found)}", rule)


def _write_arrays(file: Path, arrays: Arrays) -> None:
    """Write what `numpy.load` reads; `numpy.savez` would put the time of day into it."""
    with file.open("wb") as raw:
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(arrays):
                member = zipfile.ZipInfo(f"{name}.npy", ZIP_DATE)
                with archive.open(member, "w", force_zip64=True) as stream:
                    array = np.asarray(arrays[name], order="C")
                    np.lib.format.write_array(stream, array, allow_pickle=False)
        raw.flush()
        os.fsync(raw.fileno())


def _write_bytes(file: Path, content: bytes) -> None:
    with file.open("wb") as raw:
        raw.write(content)
        raw.flush()
        os.fsync(raw.fileno())


def _put_in_place(fresh: Path, directory: Path, old: Path) -> None:
    if not directory.exists():
        fresh.rename(directory)
        return
    directory.rename(old)
    try:
        fresh.rename(directory)
    except OSError:
        old.rename(directory)
        raise


def _read_manifest(file: Path) -> Manifest:
    try:
        content = file.read_bytes()
        found = msgspec.json.decode(content, type=_Version).format_version
        if found != FORMAT_VERSION:
            raise ArtifactError(file, "format_version", found, f"be {FORMAT_VERSION}")
        return msgspec.json.decode(content, type=Manifest)
    except OSError as error:
        raise ArtifactError(file, "the file", error.strerror, "be readable") from error
    except msgspec.DecodeError as error:
        raise ArtifactError(file, "the content", f"wrong ({error})", "be a manifest") from error


def _read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                with archive.open(member) as stream:
                    array = np.lib.format.read_array(stream, allow_pickle=False)
                arrays[member.removesuffix(".npy")] = array
    except FileNotFoundError as error:
        raise ArtifactError(file, "the file", error.strerror, "be readable") from error
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(file, "the content", f"wrong ({error})", "be arrays") from error
    return arrays
