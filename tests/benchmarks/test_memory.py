import json
from pathlib import Path

import pytest

from benchmarks.memory import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_what_a_key_takes_is_more_than_its_records_and_the_curve_begins_at_nothing(
    tmp_path: Path,
) -> None:
    assert main(["--keys", "20000", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "memory.json").read_text())
    assert data["curve"][0] == [0, 0.0]
    assert data["bytes_each"] > 100
    assert data["peak_mb"] > 0.0
    assert (tmp_path / "memory.png").stat().st_size > 0
    assert "| bytes for a key and its pair |" in (tmp_path / "memory.md").read_text()
