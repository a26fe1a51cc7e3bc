import json
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ablation import main
from benchmarks.taken_out import counted_features, families
from models.score.evidence import CONDUCT, WEIGHTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    assert main(["--short", "--regime", "standard", "--out", str(folder)]) == 0
    return folder


def test_everything_that_counts_is_taken_out_once(results: Path) -> None:
    data: dict[str, Any] = json.loads((results / "ablation.json").read_text())
    groups = data["groups"]
    assert set(groups["features"]) == set(counted_features()) >= {*CONDUCT}
    assert {name for name, weight in WEIGHTS.items() if weight} <= set(groups["features"])
    assert set(groups["families"]) == set(families())
    assert {"the same, without forest", "the same, without crowd"} <= set(groups["parts"])
    text = (results / "ablation.md").read_text()
    assert all(f"| {name} " in text for name in groups["features"])


def test_a_difference_lies_within_its_interval_and_is_a_share(results: Path) -> None:
    data: dict[str, Any] = json.loads((results / "ablation.json").read_text())
    rows = [row for group in data["groups"].values() for row in group.values()]
    for row in rows:
        assert -1.0 <= row["all"]["low"] <= row["all"]["value"] <= row["all"]["high"] <= 1.0
        assert isfinite(row["around"] + row["loss"])
    assert any(row["around"] for row in rows)
