import json
from pathlib import Path

from models.evaluation.labels import LabelledIncident, Labels, LeakedKey
from streams.replay.replay import Replayed
from streams.replay.report import as_text, score, write_report

LABELS = Labels(
    {
        "k1": LeakedKey(0, 1000, [(1000, 10.0), (2000, 30.0)]),
        "k2": LeakedKey(0, 9000, [(9000, 1.0)]),
    },
    [LabelledIncident(0, "blitz", app="app1", sellers=["u1", "u2"])],
)
REPLAYED = Replayed(
    events=5000,
    refused=3,
    alerts=2,
    seconds=0.5,
    first_ts=500,
    last_ts=4000,
    alerted=[("k1", 1000), ("k9", 1500)],
    apps=["app1", "app1", "app2"],
    accounts=["u2"],
)


def test_only_what_happened_while_it_lasted_is_scored() -> None:
    scores = score(LABELS, REPLAYED)
    assert (scores.leaked_keys, scores.caught, scores.false) == (1, ["k1"], ["k9"])


def test_a_replay_of_nothing_has_nothing_to_score() -> None:
    assert score(LABELS, Replayed()).leaked_keys == 0


def test_the_text_says_what_a_reader_asks_first() -> None:
    lines = as_text(REPLAYED, score(LABELS, REPLAYED)).splitlines()
    assert lines[0] == ("5,000 events, 3 refused, 2 alerts on 2 keys in 0.50 s (10,000 events/s)")
    assert "leaked keys caught: 1 of 1" in lines
    assert "caught, blitz: 1 of 1" in lines
    assert "loss prevented: 75.0%" in lines
    assert "leaking apps named: 1 of 1, 1 falsely" in lines
    assert "sellers named: 1 of 2, 0 falsely" in lines


def test_what_cannot_be_said_is_a_dash(tmp_path: Path) -> None:
    assert "median delay: –" in as_text(REPLAYED, score(LABELS, Replayed())).splitlines()


def test_the_report_holds_the_result_and_a_page_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    write_report(folder, {"events": 5000, "model": "abc"}, score(LABELS, REPLAYED))
    assert json.loads((folder / "report.json").read_text()) == {"events": 5000, "model": "abc"}
    page = (folder / "report.md").read_text()
    assert "| events | 5,000 |" in page
    assert "| keys falsely alerted | 1 |" in page
