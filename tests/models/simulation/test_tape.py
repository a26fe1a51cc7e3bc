import json
from dataclasses import replace

import numpy as np
import pytest

from models.orders.batch import OrderBatch
from models.orders.decode import decode
from models.simulation import REGIMES, Tape, json_lines, simulate, to_orders
from tests.models.simulation.worlds import SMALL, small_tape


def lines_of(tape: Tape) -> list[bytes]:
    return b"".join(json_lines(tape)).splitlines()


def named(batch: OrderBatch, column: str, table: str) -> list[str | None]:
    names = [*getattr(batch, table).strings, None]
    return [names[code] for code in getattr(batch, column).tolist()]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_decodes_to_the_batch_that_the_tape_gives(seed: int) -> None:
    tape = simulate(replace(SMALL, gives_strings=0.5), seed)
    lines = lines_of(tape)
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


def test_a_tape_without_optional_fields_writes_none_of_them() -> None:
    tape = simulate(replace(REGIMES["fewfields"], days=0.5, n_keys=100, events=3_000), 1)
    fields = {field for line in lines_of(tape) for field in json.loads(line)}
    assert not fields & {"counterparty", "network", "arrival_price", "order_id"}


def test_labels_have_the_form_that_replay_reads() -> None:
    labels = small_tape().labels
    assert set(labels) == {"leaked", "incidents", "hard_negatives"}
    for incident in labels["incidents"]:
        assert {"id", "kind", "app", "ts", "symbol", "keys", "sellers"} <= set(incident)
    for note in labels["hard_negatives"]:
        assert set(note) == {"kind", "keys", "symbol", "ts"}
