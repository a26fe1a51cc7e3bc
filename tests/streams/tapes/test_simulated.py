import gzip
import json
from pathlib import Path

import pytest
import zstandard

from models.evaluation.labels import Labels
from models.simulation import json_lines, simulate
from streams.tapes.files import TapeError
from streams.tapes.simulated import write_labels, write_orders
from tests.models.simulation.worlds import SMALL, small_tape


def test_compressed_files_hold_the_same_lines(tmp_path: Path) -> None:
    tape, plain = small_tape(), b"".join(json_lines(small_tape()))
    for suffix in ("", ".gz", ".zst"):
        write_orders(tape, tmp_path / f"orders.jsonl{suffix}")
    assert (tmp_path / "orders.jsonl").read_bytes() == plain
    assert gzip.decompress((tmp_path / "orders.jsonl.gz").read_bytes()) == plain
    with zstandard.open(tmp_path / "orders.jsonl.zst") as unpacked:
        assert unpacked.read() == plain


def test_two_writes_of_one_tape_are_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_orders(simulate(SMALL, 3), tmp_path / name / "orders.jsonl.gz")
        written.append((tmp_path / name / "orders.jsonl.gz").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_file_that_cannot_be_written_is_one_clean_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "absent" / f"orders.jsonl{suffix}"
    with pytest.raises(TapeError, match=f"{path} cannot be written: No such file"):
        write_orders(small_tape(), path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_full_disk_is_one_clean_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"orders.jsonl{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(TapeError, match=f"{path} cannot be written: No space left"):
        write_orders(small_tape(), path)


def test_labels_are_written_as_they_are_known_and_read_by_replay(tmp_path: Path) -> None:
    tape = small_tape()
    write_labels(tape, tmp_path / "labels.json")
    assert json.loads((tmp_path / "labels.json").read_text()) == tape.labels
    assert Labels.load(tmp_path / "labels.json").leaked.keys() == tape.labels["leaked"].keys()
