import json
from pathlib import Path

import pytest

from benchmarks.kernels import SHORT_KEYS, SHORT_MARKETS, main

pytestmark = pytest.mark.slow


def test_every_kernel_has_a_figure_for_each_size(tmp_path: Path) -> None:
    assert main(["--short", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "kernels.json").read_text())
    for kind, counts in (("keys", SHORT_KEYS), ("markets", SHORT_MARKETS)):
        assert set(data[kind]) == {str(count) for count in counts}
        for costs in data[kind].values():
            assert {"duplicates", "merge", "keys", "forest"} <= set(costs)
            assert all(ns > 0.0 for ns in costs.values())
    assert (tmp_path / "kernels.png").stat().st_size > 0
