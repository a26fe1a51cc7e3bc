import json
import os
from pathlib import Path

import pytest

from benchmarks.latency import RATES, main

pytestmark = pytest.mark.slow


def test_alerts_are_timed_from_the_sending_of_their_orders(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    assert main(["--short", "--out", str(tmp_path)]) == 0
    assert os.sched_getaffinity(0) == cores
    (run,) = json.loads((tmp_path / "latency.json").read_text())
    assert run["rate"] == RATES[0]
    assert run["delays_ms"]
    assert min(run["delays_ms"]) > 0.0
    assert (tmp_path / "latency.md").read_text().count("| 2,000 |") == 1
    assert (tmp_path / "latency.png").stat().st_size > 0
