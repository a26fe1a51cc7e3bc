import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.dashboard.read_model import ReadModel
from streams.dashboard.records import Record
from streams.dashboard.triage import Step
from streams.dispositions import Outcome
from streams.settings import ConfigError
from tests.streams.dashboard.samples import (
    NAMES,
    NOW,
    alert,
    alert_record,
    decision_record,
    dump,
    filled,
    intake,
    triage_record,
)

STORY = [
    *(alert_record(alert(number), number) for number in range(1, 6)),
    decision_record(alert(2), Outcome.CONFIRMED, 0),
    decision_record(alert(3), Outcome.FALSE_ALARM, 1),
    decision_record(alert(3), Outcome.WITHDRAWN, 2),
    triage_record(alert(4), Step.CLAIMED, 0),
    triage_record(alert(5), Step.SNOOZED, 1, until=NOW + 60_000),
]


def test_a_deleted_read_model_is_rebuilt_with_the_same_content(tmp_path: Path) -> None:
    first = filled(tmp_path / "a.sqlite", STORY)
    before = dump(first)
    first.close()
    (tmp_path / "a.sqlite").unlink()
    again = filled(tmp_path / "a.sqlite", STORY)
    assert dump(again) == before
    again.close()


@settings(max_examples=8)
@given(cuts=st.lists(st.integers(1, 4)), decisions_first=st.booleans())
def test_it_matters_neither_how_records_are_cut_nor_which_topic_is_read_first(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], decisions_first: bool
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = filled(folder / "whole.sqlite", STORY)
    pieces = ReadModel(folder / "pieces.sqlite")
    waiting = [*STORY[5:], *STORY[:5]] if decisions_first else list(STORY)
    for size in [*cuts, len(STORY)]:
        with pieces.writing() as db:
            intake().take(db, waiting[:size])
        waiting = waiting[size:]
    assert dump(pieces) == dump(whole)
    whole.close()
    pieces.close()


def test_offsets_are_written_with_the_rows_or_not_at_all(tmp_path: Path) -> None:
    model = ReadModel(tmp_path / "m.sqlite")
    with pytest.raises(KeyError), model.writing() as db:
        intake().take(db, [*STORY[:2], Record("no topic of ours", 0, 0, NOW, b"")])
    assert model.offsets() == {}
    with model.writing() as db:
        intake().take(db, STORY[:2])
    assert model.offsets() == {(NAMES.alerts, 0): 3}
    model.close()


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    model = ReadModel(tmp_path / "m.sqlite")
    assert stat.S_IMODE((tmp_path / "m.sqlite").stat().st_mode) == 0o600
    model.close()


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\0broken" * 99])
def test_a_broken_file_is_built_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.sqlite").write_bytes(content)
    model = filled(tmp_path / "m.sqlite", STORY)
    assert len(dump(model)["alerts"]) == 5
    model.close()


def test_a_reader_sees_one_state_while_another_is_written(tmp_path: Path) -> None:
    model = filled(tmp_path / "m.sqlite", STORY[:2])
    with model.reading() as db:
        count = "SELECT count(*) FROM alerts"
        assert db.execute(count).fetchone()[0] == 2
        with model.writing() as writer:
            intake().take(writer, STORY[2:4])
        assert db.execute(count).fetchone()[0] == 2
        with pytest.raises(sqlite3.OperationalError):
            db.execute("DELETE FROM alerts")
    model.close()


def test_two_dashboards_never_write_to_one_file(tmp_path: Path) -> None:
    model = ReadModel(tmp_path / "m.sqlite")
    with pytest.raises(ConfigError, match="another dashboard"):
        ReadModel(tmp_path / "m.sqlite")
    model.close()
    ReadModel(tmp_path / "m.sqlite").close()
