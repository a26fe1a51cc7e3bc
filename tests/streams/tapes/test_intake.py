import hashlib
from pathlib import Path

import numpy as np

from streams.tapes.files import DeadLetterFile
from streams.tapes.intake import Intake, stored_bytes
from tests.factories import NOW_MS, TS, encode, order


def test_what_is_refused_is_counted_and_kept_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = [encode(order(event_id="1")), b"\xff{", encode(order(event_id="2", ts=TS + 5))]
    with DeadLetterFile(tmp_path / "dead.jsonl") as dead:
        intake = Intake(dead, now_ms=NOW_MS)
        batch = intake.admit(lines, partition=2, offsets=np.array([7, 8, 9]), source="orders[2]")
    assert batch.event_id == ["1", "2"]
    assert batch.offset.tolist() == [7, 9]
    assert (intake.events, intake.refused) == (3, 1)
    assert (intake.first_ts, intake.last_ts) == (TS, TS + 5)
    assert dead.path.read_bytes() == b"\xff{\n"
    assert b'"source":"orders[2]","offset":8' in dead.reasons_path.read_bytes()


def test_files_are_read_one_after_the_other_and_progress_adds_up(tmp_path: Path) -> None:
    paths = [tmp_path / "b.jsonl", tmp_path / "a.jsonl"]
    for number, path in enumerate(paths):
        path.write_bytes(encode(order(event_id=str(number))) + b"\n")
    told: list[int] = []
    digest = hashlib.sha256()
    batches = list(Intake(now_ms=NOW_MS).read(paths, told.append, digest))
    assert [batch.event_id for batch in batches] == [["0"], ["1"]]
    assert sum(told) == stored_bytes(paths)
    whole = b"".join(path.read_bytes() for path in paths)
    assert digest.hexdigest() == hashlib.sha256(whole).hexdigest()
