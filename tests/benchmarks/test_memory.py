import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_what_a_key_takes_is_more_than_its_records_and_the_curve_begins_at_nothing(
    tmp_path: Path,
) -> None:
    # In a process of its own: in this one other tests have left memory that it would fill first.
    program = [sys.executable, "-m", "benchmarks.memory", "--keys", "20000", "--out", str(tmp_path)]
    subprocess.run(program, check=True)  # noqa: S603 - our own program
    data = json.loads((tmp_path / "memory.json").read_text())
    assert data["curve"][0] == [0, 0.0]
    assert data["bytes_each"] > 100
    assert data["peak_mb"] > 0.0
    assert (tmp_path / "memory.png").stat().st_size > 0
    assert "| bytes for a key and its pair |" in (tmp_path / "memory.md").read_text()
