from pathlib import Path

import pytest

from streams.demo.demo import as_environment
from streams.settings import Settings, load_settings


def test_a_child_has_the_settings_that_it_is_given_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROGUEKEY_PARTITIONS", "9")
    monkeypatch.setenv("ROGUEKEY_CONFIG", "elsewhere.toml")
    settings = Settings(
        brokers="127.0.0.1:9092", partitions=3, warmup=(Path("a.jsonl"), Path("b.jsonl"))
    )
    environment = as_environment(settings)
    for name in ("ROGUEKEY_PARTITIONS", "ROGUEKEY_CONFIG"):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings
