import json
from pathlib import Path

import pytest

from benchmarks.forest import AT_ONCE, main
from benchmarks.forest_scorers import ISOTREE, OURS, SKLEARN

pytestmark = pytest.mark.slow


def test_every_scorer_has_a_figure_for_each_number_of_rows_and_scores_as_scikit_learn_does(
    tmp_path: Path,
) -> None:
    assert main(["--short", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "forest.json").read_text())
    found = set(data["largest_difference"])
    assert {OURS, SKLEARN} <= found
    for size in AT_ONCE:
        assert set(data["us_per_row"][str(size)]) == found
        assert all(us > 0.0 for us in data["us_per_row"][str(size)].values())
    others = {name: off for name, off in data["largest_difference"].items() if name != ISOTREE}
    assert max(others.values()) < 1e-5
    assert data["largest_difference"][OURS] < 1e-9
    assert (tmp_path / "forest.md").read_text().count(f"| {OURS} |") == 1
    assert (tmp_path / "forest.png").stat().st_size > 0
