import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.exposure import Exposure
from models.evaluation.labels import LabelledIncident, Labels, LeakedKey, LookAlike
from models.evaluation.sightings import Sightings
from models.evaluation.sweep import Costs, Trial, held_out, sweep, within_budget
from models.evaluation.verdicts import Truth
from streams.tuning.files import write_report
from streams.tuning.report import NO_CHOICE, Tuned, as_result, as_text, look_alikes

LABELS = Labels(
    {"leaked": LeakedKey(0, 100, [(100, 10.0), (200, 90.0)])},
    [LabelledIncident(0, "blitz")],
    [LookAlike("signal", ["honest0"]), LookAlike("signal", ["other"])],
)
SEEN = Sightings(
    ["leaked", "honest0"], np.arange(2), np.full(2, 150), np.array([3.4, 2.0]), np.ones(2)
)


def tuned(budget: float = 1.0) -> Tuned:
    trials = [Trial(Truth(name, LABELS, Exposure(9_000, 1e3, 500)), SEEN) for name in ("t1", "t2")]
    points, choose = sweep(trials), within_budget(budget)
    aim = f"at most {budget:g} falsely alerted keys per 1,000 key-days"
    return Tuned(trials, points, aim, None, choose(points), held_out(trials, choose), "m-1")


def test_the_text_ends_with_the_line_for_the_configuration() -> None:
    lines = as_text(tuned()).splitlines()
    assert lines[0] == "2 tape(s), 2,000 key-days, 2 leaked keys in 2 incidents"
    assert lines[-1] == tuned().config_line == "false_keys_per_1000_key_days = 0.42"
    assert any(line.lstrip().startswith("0.42 *") for line in lines)
    assert any(line.startswith("chosen without the tape judged: 100%") for line in lines)


def test_where_no_setting_keeps_to_the_budget_the_report_says_so(tmp_path: Path) -> None:
    none = replace(tuned(), chosen=None, held_out=None)
    assert as_text(none).endswith(NO_CHOICE)
    assert as_result(none)["recommended"] is None
    assert look_alikes(none) == {}
    write_report(tmp_path, none)
    assert NO_CHOICE in (tmp_path / "tuning.md").read_text()


def test_look_alikes_are_counted_at_the_recommended_setting() -> None:
    assert look_alikes(tuned()) == {"signal": {"count": 4, "alerted": 0}}
    assert look_alikes(replace(tuned(), chosen=tuned().points[-1])) == {
        "signal": {"count": 4, "alerted": 2}
    }


@pytest.mark.parametrize("costs", [None, Costs(false=10.0)])
def test_the_files_of_a_report_agree(tmp_path: Path, costs: Costs | None) -> None:
    found = replace(tuned(), costs=costs)
    write_report(tmp_path / "report", found)
    told = json.loads((tmp_path / "report" / "tuning.json").read_text())
    assert told == json.loads(json.dumps(as_result(found)))
    with (tmp_path / "report" / "tuning.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows[:2]] == ["all", "blitz"]
    assert len(rows) == 2 * len(told["points"])
    whole = [row for row in rows if row["kind"] == "all"]
    for row, point in zip(whole, told["points"], strict=True):
        assert float(row["setting"]) == point["setting"]
        assert float(row["recall_low"]) == point["met"]["all"]["recall"]["low"]
        assert float(row["false_per_1000_key_days"]) == point["false_per_1000_key_days"]["value"]
        assert (row["cost"] == "") == (costs is None)
    text = (tmp_path / "report" / "tuning.md").read_text()
    assert f"    {found.config_line}" in text
    assert "| blitz | 2 of 2 | 100% (100%–100%) | 2 of 2 |" in text
    plot = (tmp_path / "report" / "tuning.svg").read_text()
    assert ("USD per 1,000 key-days" in plot) == (costs is not None)
