from pathlib import Path

import pytest

from models.evaluation.labels import Labels
from streams.demo.tape import MALFORMED, DemoTape, labels_since, write_demo_tape
from streams.tapes.intake import Intake

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> DemoTape:
    return write_demo_tape(tmp_path_factory.mktemp("demo"), seed=3, days=3, keys=150)


def read(path: Path) -> Intake:
    intake = Intake()
    for _ in intake.read([path]):
        pass
    return intake


def test_the_day_begins_at_midnight_where_the_history_ends(tape: DemoTape) -> None:
    history, day = read(tape.history), read(tape.day)
    assert history.last_ts is not None
    assert day.first_ts is not None
    assert day.last_ts is not None
    assert history.last_ts // DAY_MS + 1 == day.first_ts // DAY_MS == day.last_ts // DAY_MS
    assert (history.events, day.events) == (tape.history_events, tape.events)


def test_exactly_the_malformed_events_are_refused(tape: DemoTape) -> None:
    assert read(tape.history).refused == 0
    assert read(tape.day).refused == len(MALFORMED)
    assert set(MALFORMED) <= set(tape.day.read_bytes().split(b"\n"))


def test_the_labels_are_of_the_day_alone(tape: DemoTape) -> None:
    labels, day = Labels.load(tape.labels), read(tape.day)
    assert day.first_ts is not None
    begin = day.first_ts // DAY_MS * DAY_MS
    for leak in labels.leaked.values():
        assert leak.first_rogue_ts == min(ts for ts, _ in leak.rogue) >= begin
    assert {incident.id for incident in labels.incidents} == {
        leak.incident for leak in labels.leaked.values()
    }


def test_of_a_theft_that_goes_on_the_rest_counts() -> None:
    leak = {"incident": 4, "first_rogue_ts": 1, "rogue": [[1, 5.0], [9, 6.0]]}
    over = {"incident": 5, "first_rogue_ts": 1, "rogue": [[1, 5.0]]}
    labels = labels_since(
        {
            "leaked": {"a": leak, "b": over},
            "incidents": [{"id": 4}, {"id": 5}],
            "hard_negatives": [{"ts": 2}, {"ts": 7}],
        },
        5,
    )
    assert labels == {
        "leaked": {"a": {"incident": 4, "first_rogue_ts": 9, "rogue": [[9, 6.0]]}},
        "incidents": [{"id": 4}],
        "hard_negatives": [{"ts": 7}],
    }
