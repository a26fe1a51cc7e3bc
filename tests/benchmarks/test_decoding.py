import json
from pathlib import Path

import msgspec
import pytest

from benchmarks.decoders import OURS, decoders
from benchmarks.decoding import main
from benchmarks.events import simulated, with_plain_numbers


def test_numbers_in_strings_become_plain_ones_and_all_else_stays() -> None:
    event = b'{"event_id":"1","qty":"0.0125","price":2.5,"notional":null}'
    plain = msgspec.json.decode(with_plain_numbers([event])[0])
    assert plain == {"event_id": "1", "qty": 0.0125, "price": 2.5, "notional": None}


@pytest.mark.slow
def test_every_decoder_reads_every_event() -> None:
    values = with_plain_numbers(simulated(100))
    found = dict(decoders(lambda _: None))
    ours = found.pop(OURS)(values)
    assert len(ours.batch) == len(values)
    assert not ours.refusals
    assert {len(decoder(values)) for decoder in found.values()} <= {len(values)}


@pytest.mark.slow
def test_every_decoder_has_a_figure(tmp_path: Path) -> None:
    assert main(["--short", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "decoding.json").read_text())
    assert {OURS, "msgspec"} <= set(data["us_per_event"])
    assert all(us > 0.0 for us in data["us_per_event"].values())
    assert f"| {OURS} |" in (tmp_path / "decoding.md").read_text()
    assert (tmp_path / "decoding.png").stat().st_size > 0
