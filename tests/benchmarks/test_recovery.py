import json
from pathlib import Path

import pytest

from benchmarks.recovery import SHARES, SHORT_KEYS, main

pytestmark = pytest.mark.slow


def test_the_state_of_each_size_is_saved_and_read_back(tmp_path: Path) -> None:
    assert main(["--short", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "recovery.json").read_text())
    assert [size["keys"] for size in data] == list(SHORT_KEYS)
    for size in data:
        assert min(size["megabytes"], size["recovery_s"]) > 0.0
        assert [one["share"] for one in size["saved"]] == [None, *SHARES]
        assert all(one["rows"] > 0 for one in size["saved"])
    assert (tmp_path / "recovery.png").stat().st_size > 0
