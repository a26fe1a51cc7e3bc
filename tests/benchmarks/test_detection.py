import json
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

from benchmarks.baselines import FOREST, PRODUCT, RUSH
from benchmarks.contest import APPS, FOREIGN, LIVE, SELLERS, SHORT
from benchmarks.detection import main
from benchmarks.detector_scores import WHOLE, WITHOUT_FOREST, WITHOUT_PARTS
from models.evaluation.figures import ALL

pytestmark = pytest.mark.slow

METHODS = {LIVE, FOREIGN, WHOLE, WITHOUT_FOREST, *WITHOUT_PARTS, FOREST, PRODUCT, RUSH}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    assert main(["--short", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def data(results: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((results / "detection.json").read_text())
    return loaded


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    return [] if value is None else [float(value)]


def test_every_method_and_what_it_named_has_its_row(results: Path, data: dict[str, Any]) -> None:
    assert set(data["methods"]) == METHODS
    assert set(data["named"]) == {LIVE, FOREIGN}
    assert all(set(named) == {APPS, SELLERS} for named in data["named"].values())
    assert all(set(tapes) == set(SHORT) for tapes in data["tapes"].values())
    lines = (results / "detection.md").read_text().splitlines()
    for name in METHODS:
        assert any(line.startswith(f"| {name} |") for line in lines), name
    assert (results / "detection.png").stat().st_size > 0


def test_every_figure_is_finite_and_every_interval_holds_its_share(data: dict[str, Any]) -> None:
    for row in data["methods"].values():
        assert all(isfinite(number) for number in numbers(row))
        for met in row["met"].values():
            for share in (met["recall"], met["loss_prevented"]):
                assert 0.0 <= share["low"] <= share["value"] <= share["high"] <= 1.0


def test_no_row_with_hindsight_exceeds_the_budget(data: dict[str, Any]) -> None:
    for name in METHODS - {LIVE, FOREIGN}:
        # a tape's budget is rounded to whole keys
        assert data["methods"][name]["false_per_1000_key_days"]["value"] <= 1.15, name


def test_the_detector_finds_more_than_each_baseline_at_the_budget(data: dict[str, Any]) -> None:
    found = {name: row["met"][ALL]["recall"]["value"] for name, row in data["methods"].items()}
    for baseline in (FOREST, PRODUCT, RUSH):
        assert found[WHOLE] > found[baseline], baseline
