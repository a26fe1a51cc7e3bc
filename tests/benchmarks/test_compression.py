import json
from pathlib import Path

import pytest

from benchmarks.compression import CODECS, RUNS, frames_of_runs, main
from benchmarks.events import simulated


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_gives_back_what_it_was_given(name: str) -> None:
    write, read = CODECS[name]
    for frame in frames_of_runs(simulated(300), 100):
        assert read(write(frame)) == frame


@pytest.mark.slow
def test_every_codec_has_its_figures(tmp_path: Path) -> None:
    assert main(["--short", "--out", str(tmp_path)]) == 0
    runs = json.loads((tmp_path / "compression.json").read_text())["runs"]
    assert set(runs) == set(map(str, RUNS))
    for found in runs.values():
        assert set(found) == {"none", *CODECS}
        assert all(found[name]["bytes"] < found["none"]["bytes"] for name in CODECS)
        assert all(found[name]["write"] > 0.0 < found[name]["read"] for name in CODECS)
    assert "| snappy |" in (tmp_path / "compression.md").read_text()
    assert (tmp_path / "compression.png").stat().st_size > 0
