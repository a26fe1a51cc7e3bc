import json
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

from benchmarks.baselines import FOREST, PRODUCT, RUSH
from benchmarks.contest import FOREIGN, LIVE, SHORT
from benchmarks.detection import main
from benchmarks.detection_table import ALL
from benchmarks.detector_scores import FAMILIES, WHOLE, WITHOUT_FOREST, WITHOUT_PARTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

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


def test_every_method_and_every_ablation_has_its_row(results: Path, data: dict[str, Any]) -> None:
    assert set(data["methods"]) == METHODS
    assert set(data["families"]) == {WHOLE, *FAMILIES}
    assert all(set(tapes) == set(SHORT) for tapes in data["tapes"].values())
    lines = (results / "detection.md").read_text().splitlines()
    for name in (*METHODS, *FAMILIES):
        assert any(line.startswith(f"| {name} |") for line in lines), name
    assert (results / "detection.png").stat().st_size > 0


def test_every_figure_is_finite_and_every_interval_holds_its_share(data: dict[str, Any]) -> None:
    for row in (*data["methods"].values(), *data["families"].values()):
        assert all(isfinite(number) for number in numbers(row))
        for recall in row["recall"].values():
            assert 0.0 <= recall["low"] <= recall["share"] <= recall["high"] <= 1.0


def test_no_row_with_hindsight_exceeds_the_budget(data: dict[str, Any]) -> None:
    for name in METHODS - {LIVE, FOREIGN}:
        # a tape's budget is rounded to whole keys
        assert data["methods"][name]["false_per_1000_key_days"] <= 1.15, name


def test_the_detector_finds_more_than_each_baseline_at_the_budget(data: dict[str, Any]) -> None:
    found = {name: row["recall"][ALL]["share"] for name, row in data["methods"].items()}
    for baseline in (FOREST, PRODUCT, RUSH):
        assert found[WHOLE] > found[baseline], baseline
