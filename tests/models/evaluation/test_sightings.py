import numpy as np

from models.alerts.suspects import Suspect
from models.evaluation.sightings import LOWEST_RANK, Recorder
from tests.factories import TS
from tests.models.alerts.suspects import rows_of, suspect, taken_out

NEVER = np.iinfo(np.int64).max


def seen_of(*fills: tuple[str, int, float]) -> Recorder:
    """A recorder that was told of fills, each by its key, its time since TS, and its rank."""
    recorder = Recorder()
    for key, ts, rank in fills:
        recorder(one(key, rank), TS + ts)
    return recorder


def one(key: str, rank: float) -> Suspect:
    rows = rows_of([suspect(0, api_key=key, notional=5.0)])
    return taken_out(rows, 0, rank)


def test_what_no_threshold_alerts_is_forgotten_and_the_rest_kept() -> None:
    below = LOWEST_RANK - 0.01
    seen = seen_of(
        ("b", 0, 3.0), ("a", 1, 2.0), ("c", 2, below), ("a", 3, 9.0), ("b", 4, LOWEST_RANK)
    ).sightings()
    assert sorted(seen.keys) == ["a", "b"]
    assert [seen.keys[key] for key in seen.key] == ["b", "a", "a", "b"]
    assert (seen.ts - TS).tolist() == [0, 1, 3, 4]
    assert seen.rank.tolist() == [3.0, 2.0, 9.0, LOWEST_RANK]
    assert seen.notional.tolist() == [5.0] * 4


def test_each_key_is_alerted_first_before_its_misuse_and_first_since() -> None:
    seen = seen_of(
        ("a", 0, 4.0), ("a", 1, 4.0), ("a", 5, 3.0), ("a", 6, 5.0), ("b", 3, 3.5)
    ).sightings()
    since = np.array([TS + 5 if key == "a" else NEVER for key in seen.keys])
    assert sorted(seen.alerts(3.0, since)) == [("a", TS), ("a", TS + 5), ("b", TS + 3)]
    assert sorted(seen.alerts(4.0, since)) == [("a", TS), ("a", TS + 6)]
    assert seen.alerts(5.1, since) == []


def test_where_nothing_was_seen_nothing_is_alerted() -> None:
    assert Recorder().sightings().alerts(1.0, np.empty(0, np.int64)) == []
