import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard

from models.orders.batch import OrderBatch
from models.orders.decode import decode
from models.simulation import REGIMES, Tape, simulate, to_orders, write_labels, write_orders
from tests.models.simulation.worlds import SMALL, small_tape


def lines_of(tape: Tape, folder: Path) -> list[bytes]:
    write_orders(tape, folder / "orders.jsonl")
    return (folder / "orders.jsonl").read_bytes().splitlines()


def named(batch: OrderBatch, column: str, table: str) -> list[str | None]:
    names = [*getattr(batch, table).strings, None]
    return [names[code] for code in getattr(batch, column).tolist()]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_decodes_to_the_batch_that_the_tape_gives(
    seed: int, tmp_path: Path
) -> None:
    tape = simulate(replace(SMALL, gives_strings=0.5), seed)
    lines = lines_of(tape, tmp_path)
    decoded = decode(lines, partition=0, offsets=np.arange(len(lines)), now_ms=int(tape.ts[-1]))
    assert not decoded.refusals
    direct = to_orders(tape)
    assert decoded.batch.event_id == direct.event_id
    for column, table in {
        "market": "markets",
        "key": "keys",
        "account": "accounts",
        "app": "apps",
        "counterparty": "accounts",
        "network": "networks",
    }.items():
        assert named(decoded.batch, column, table) == named(direct, column, table), column
    for column in ("event_hash", "ts", "order_hash", "side", "status", "is_market", "maker",
                   "offset"):  # fmt: skip
        np.testing.assert_array_equal(
            getattr(decoded.batch, column), getattr(direct, column), err_msg=column
        )
    for column in ("price", "qty", "notional", "arrival"):
        np.testing.assert_allclose(
            getattr(decoded.batch, column), getattr(direct, column), rtol=1e-12, err_msg=column
        )


def test_a_tape_without_optional_fields_writes_none_of_them(tmp_path: Path) -> None:
    tape = simulate(replace(REGIMES["fewfields"], days=0.5, n_keys=100, events=3_000), 1)
    fields = {field for line in lines_of(tape, tmp_path) for field in json.loads(line)}
    assert not fields & {"counterparty", "network", "arrival_price", "order_id"}


def test_compressed_files_hold_the_same_lines(tmp_path: Path) -> None:
    tape = small_tape()
    plain = b"\n".join(lines_of(tape, tmp_path)) + b"\n"
    write_orders(tape, tmp_path / "orders.jsonl.gz")
    write_orders(tape, tmp_path / "orders.jsonl.zst")
    assert gzip.decompress((tmp_path / "orders.jsonl.gz").read_bytes()) == plain
    with zstandard.open(tmp_path / "orders.jsonl.zst") as unpacked:
        assert unpacked.read() == plain


def test_labels_are_written_in_the_form_that_replay_reads(tmp_path: Path) -> None:
    tape = small_tape()
    write_labels(tape, tmp_path / "labels.json")
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert labels == tape.labels
    assert set(labels) == {"leaked", "incidents", "hard_negatives"}
    for incident in labels["incidents"]:
        assert {"id", "kind", "app", "ts", "symbol", "keys", "sellers"} <= set(incident)
    for note in labels["hard_negatives"]:
        assert set(note) == {"kind", "keys", "symbol", "ts"}


def test_two_writes_of_one_tape_are_the_same_bytes(tmp_path: Path) -> None:
    write_orders(simulate(SMALL, 3), tmp_path / "one.jsonl.gz")
    write_orders(simulate(SMALL, 3), tmp_path / "two.jsonl.gz")
    one, two = ((tmp_path / f"{name}.jsonl.gz").read_bytes() for name in ("one", "two"))
    assert gzip.decompress(one) == gzip.decompress(two)
