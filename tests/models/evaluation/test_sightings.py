import numpy as np

from models.evaluation.sightings import LOWEST_RANK, Recorder
from models.rows import Rows
from tests.factories import TS, bare_order, batch_of

NEVER = np.iinfo(np.int64).max


def rows_of(*fills: tuple[str, int]) -> Rows:
    batch = batch_of(
        [
            bare_order(event_id=f"{key}{ts}", ts=TS + ts, api_key=key, notional=5.0)
            for key, ts in fills
        ]
    )
    return Rows(batch, batch.ts, batch.ts, {})


def test_what_no_threshold_alerts_is_forgotten_and_the_rest_kept_across_batches() -> None:
    recorder = Recorder()
    recorder(rows_of(("b", 0), ("a", 1), ("c", 2)), np.array([3.0, 2.0, LOWEST_RANK - 0.01]))
    recorder(rows_of(("a", 3), ("b", 4)), np.array([9.0, LOWEST_RANK]))
    seen = recorder.sightings()
    assert sorted(seen.keys) == ["a", "b"]
    assert [seen.keys[key] for key in seen.key] == ["b", "a", "a", "b"]
    assert (seen.ts - TS).tolist() == [0, 1, 3, 4]
    assert seen.rank.tolist() == [3.0, 2.0, 9.0, LOWEST_RANK]
    assert seen.notional.tolist() == [5.0] * 4


def test_each_key_is_alerted_first_before_its_misuse_and_first_since() -> None:
    recorder = Recorder()
    fills = rows_of(("a", 0), ("a", 1), ("a", 5), ("a", 6), ("b", 3))
    recorder(fills, np.array([4.0, 4.0, 3.0, 5.0, 3.5]))
    seen = recorder.sightings()
    since = np.array([TS + 5 if key == "a" else NEVER for key in seen.keys])
    assert sorted(seen.alerts(3.0, since)) == [("a", TS), ("a", TS + 5), ("b", TS + 3)]
    assert sorted(seen.alerts(4.0, since)) == [("a", TS), ("a", TS + 6)]
    assert seen.alerts(5.1, since) == []


def test_where_nothing_was_seen_nothing_is_alerted() -> None:
    assert Recorder().sightings().alerts(1.0, np.empty(0, np.int64)) == []
