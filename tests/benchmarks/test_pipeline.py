import json
from pathlib import Path

import pytest

from benchmarks.pipeline import OURS, main

pytestmark = pytest.mark.slow


def test_our_worker_and_the_floor_take_all_their_events(tmp_path: Path) -> None:
    assert main(["--short", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "pipeline.json").read_text())
    assert {OURS, "floor: aiokafka alone"} <= set(data["costs"])
    for (run,) in data["costs"].values():
        assert min(run.values()) > 0
    assert len(data["stages_us"]) == 4
    assert f"| {OURS} |" in (tmp_path / "pipeline.md").read_text()
    assert (tmp_path / "pipeline.png").stat().st_size > 0
