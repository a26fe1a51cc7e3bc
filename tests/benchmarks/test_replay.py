import json
from pathlib import Path

import pytest

from benchmarks.events import simulated, trained
from benchmarks.replay import ALONE, OURS, READ, jobs, main


@pytest.mark.slow
def test_both_ways_through_a_tape_give_the_same_alerts(tmp_path: Path) -> None:
    events = simulated(20_000, days=7.0, keys=300)
    tape = tmp_path / "orders.jsonl"
    tape.write_bytes(b"\n".join(events))
    ways = jobs(tape, trained(events).at_budget(1000.0), tmp_path)
    ways[ALONE]()
    ways[OURS]()
    alerts = (tmp_path / "ours.jsonl").read_bytes()
    assert alerts == (tmp_path / "alone.jsonl").read_bytes()
    assert alerts.count(b"\n") > 0


@pytest.mark.slow
def test_every_way_through_a_tape_has_its_rate(tmp_path: Path) -> None:
    assert main(["--short", "--out", str(tmp_path)]) == 0
    rates = json.loads((tmp_path / "replay.json").read_text())["events_per_second"]
    assert set(rates) == {READ, ALONE, OURS}
    assert all(rate > 0.0 for rate in rates.values())
    assert f"| {OURS} |" in (tmp_path / "replay.md").read_text()
    assert (tmp_path / "replay.png").stat().st_size > 0
