import contextlib
import sqlite3
from pathlib import Path

import pytest

from streams.lifecycle.store import Place, Reached, StateError, Store, only_one


def test_a_transaction_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    place = Place("orders", 1)
    with Store(path) as store:
        with store.transaction():
            store.reach({place: Reached(5, 3, is_whole=True)})
            store.keep("mode", "enforce")
        with contextlib.suppress(KeyError), store.transaction():
            store.reach({place: Reached(9, 3, is_whole=True)})
            raise KeyError
    with Store(path) as again:
        assert again.places() == {place: Reached(5, 3, is_whole=True)}
        assert (again.fact("mode"), again.time("clock")) == ("enforce", 0)


def test_hours_with_orders_are_kept_once(tmp_path: Path) -> None:
    with Store(tmp_path / "state.sqlite3") as store:
        store.add_hours([3, 1, 3])
        store.add_hours([2])
        assert store.hours(2, 9) == [2, 3]


def test_a_loss_counts_until_it_is_acknowledged(tmp_path: Path) -> None:
    with Store(tmp_path / "state.sqlite3") as store:
        store.add_loss(1, "gone")
        assert store.losses() == ["gone"]
        store.end_losses(2, "ann", "seen")
        assert store.losses() == []


def test_only_one_process_acts_on_a_file(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    with (
        only_one(path),
        pytest.raises(StateError, match="in use by another process"),
        only_one(path),
    ):
        pass
    with only_one(path):
        pass


def test_others_may_look_while_it_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    with Store(path) as store, store.transaction():
        store.keep("mode", "enforce")
        with Store(path, read_only=True) as other:
            assert other.fact("mode") is None


def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"absent does not exist: roguekey lifecycle makes it"):
        Store(tmp_path / "absent", read_only=True)
    foreign = tmp_path / "foreign"
    foreign.write_text("not a database, but longer than a header of SQLite would be" * 9)
    with pytest.raises(StateError, match=r"foreign cannot be used: file is not a database"):
        Store(foreign)
    with pytest.raises(StateError, match="cannot be used"):
        Store(tmp_path / "no" / "folder")


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    Store(path).close()
    with sqlite3.connect(path) as sql:
        sql.execute("PRAGMA user_version = 9")
    sql.close()
    with pytest.raises(StateError, match="has version 9; must have 1"):
        Store(path)
