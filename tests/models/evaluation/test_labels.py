import json
from pathlib import Path
from typing import Any

import pytest

from models.evaluation.labels import UNKNOWN, Labels, LabelsError, LeakedKey, LookAlike

LEAKED = {"k": {"incident": 7, "first_rogue_ts": 1, "rogue": [[1, 2.5]]}}


def loaded(folder: Path, **others: Any) -> Labels:
    path = folder / "labels.json"
    path.write_text(json.dumps({"leaked": LEAKED} | others))
    return Labels.load(path)


def test_labels_of_ones_own_need_only_the_leaked_keys(tmp_path: Path) -> None:
    assert loaded(tmp_path) == Labels({"k": LeakedKey(7, 1, [(1, 2.5)])})
    assert loaded(tmp_path, incidents=None, hard_negatives=None, generator={"seed": 1}) == Labels(
        {"k": LeakedKey(7, 1, [(1, 2.5)])}
    )


def test_an_incident_needs_no_more_than_its_id(tmp_path: Path) -> None:
    told = {"id": 8, "kind": "drip", "symbol": None, "sellers": ["u"]}
    bare, full, null = loaded(
        tmp_path, incidents=[{"id": 7}, told, {"id": 9, "sellers": None}]
    ).incidents
    assert not null.sellers
    assert (bare.kind, bare.app, bare.sellers) == (UNKNOWN, None, [])
    assert (full.kind, full.symbol, full.sellers) == ("drip", None, ["u"])


def test_numbers_may_be_written_as_programs_write_them(tmp_path: Path) -> None:
    told = {"k": {"incident": "7", "first_rogue_ts": 1.0, "rogue": [[1.0, "2.5"]]}}
    assert loaded(tmp_path, leaked=told) == loaded(tmp_path)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("first_rogue_ts", 1.5),
        ("first_rogue_ts", None),
        ("incident", "seven"),
        ("rogue", [[1, "nan"]]),
        ("rogue", [[1, "inf"]]),
        ("rogue", [[1, -1.0]]),
    ],
)
def test_what_is_no_number_that_it_can_be_is_refused_by_its_place(
    tmp_path: Path, field: str, told: Any
) -> None:
    with pytest.raises(LabelsError, match=rf"labels\.json holds no labels: .*{field}"):
        loaded(tmp_path, leaked={"k": LEAKED["k"] | {field: told}})


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([{"kind": "signal", "keys": ["a", "b"], "ts": 5}], [LookAlike("signal", ["a", "b"], 5)]),
        ([{"kind": "signal", "api_key": "a", "ts": 5.0}], [LookAlike("signal", ["a"], 5)]),
        ([{"kind": "signal", "api_key": "a", "ts": "5"}], [LookAlike("signal", ["a"], 5)]),
        ([{"kind": "signal", "api_key": "a", "ts": "noon"}], [LookAlike("signal", ["a"])]),
        ([{"api_keys": ["a"], "ts": None}], [LookAlike(UNKNOWN, ["a"])]),
        ([{"kind": "listing", "symbol": "AXSUSDT"}], [LookAlike("listing", [])]),
        (["a", "b"], [LookAlike(UNKNOWN, ["a"]), LookAlike(UNKNOWN, ["b"])]),
        ({"signal": ["a", "b"]}, [LookAlike("signal", ["a", "b"])]),
        ([{"kind": "listing", "api_key": None}], [LookAlike("listing", [])]),
        (7, []),
    ],
)
def test_look_alikes_may_be_told_in_many_ways(
    tmp_path: Path, told: Any, found: list[LookAlike]
) -> None:
    assert loaded(tmp_path, hard_negatives=told).hard_negatives == found


def test_keys_misused_at_another_time_are_left_out() -> None:
    labels = Labels(
        {
            "k1": LeakedKey(0, 1000, [(1000, 10.0), (2000, 20.0), (3000, 30.0)]),
            "k2": LeakedKey(1, 5000, [(5000, 40.0)]),
        }
    )
    assert labels.within(2500, 4000).leaked.keys() == {"k1"}
    assert labels.within(3001, 4000).leaked == {}


def test_the_mark_of_utf_8_at_the_start_of_the_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"leaked": LEAKED}), "utf-8-sig")
    assert Labels.load(path) == loaded(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"leaked":[]}', b"\xff"])
def test_a_file_without_labels_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(content)
    with pytest.raises(LabelsError, match=r"labels\.json holds no labels"):
        Labels.load(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"labels\.json cannot be read: No such file"):
        Labels.load(tmp_path / "labels.json")


def test_a_key_is_caught_by_its_first_alert_since_it_is_misused_and_falsely_alerted_before() -> (
    None
):
    labels = Labels({"k": LeakedKey(1, 100), "late": LeakedKey(1, 500)})
    alerted = [("k", 300), ("k", 100), ("late", 499), ("k", 99), ("honest", 100)]
    assert labels.caught(alerted) == ({"k": 100}, {"k", "late", "honest"})


def test_what_a_key_spends_at_the_time_of_a_freeze_is_not_saved_by_it() -> None:
    leak = LeakedKey(1, 100, [(100, 2.5), (200, 4.0), (300, 8.0)])
    assert (leak.notional, leak.after(99), leak.after(200), leak.after(300)) == (14.5, 14.5, 8.0, 0)
