import os
from pathlib import Path

import pytest

from models.bounds import BOUNDS, Bounds
from models.score.model import FALSE_KEYS_PER_1000_KEY_DAYS
from streams.settings import ConfigError, Settings, load_settings


@pytest.fixture(autouse=True)
def no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("ROGUEKEY_")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "roguekey.toml"
    path.write_text('partitions = 2\nbatch_events = 20\nlog_level = "error"\n')
    return path


def test_flags_beat_the_environment_which_beats_the_file_which_beats_the_defaults(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROGUEKEY_PARTITIONS", "3")
    monkeypatch.setenv("ROGUEKEY_BATCH_EVENTS", "30")
    settings = load_settings({"partitions": "4"}, config)
    assert (settings.partitions, settings.batch_events) == (4, 30)
    assert settings.log_level == "error"
    assert settings.idle_heartbeat_ms == 20


def test_the_file_may_be_named_by_the_environment(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROGUEKEY_CONFIG", str(config))
    assert load_settings().partitions == 2


def test_a_given_file_beats_the_one_that_the_environment_names(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROGUEKEY_CONFIG", str(tmp_path / "absent.toml"))
    assert load_settings(config=config).partitions == 2


def test_an_empty_variable_counts_as_not_set(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROGUEKEY_PARTITIONS", "")
    assert load_settings(config=config).partitions == 2


def test_several_warm_up_files_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROGUEKEY_WARMUP", "a.jsonl, b.jsonl")
    assert load_settings().warmup == (Path("a.jsonl"), Path("b.jsonl"))


def test_a_warm_up_file_is_missed_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    there = (tmp_path / "a.jsonl",)
    assert load_settings({"warmup": there}).warmup_files() == there
    for path in (tmp_path / "b.jsonl", tmp_path):
        settings = load_settings({"warmup": [*there, path]})
        with pytest.raises(ConfigError, match=rf"warmup is '{path}': must be a file that can be"):
            settings.warmup_files()


def test_a_misspelt_variable_is_refused_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROGUEKEY_BROKER", "localhost:9092")
    with pytest.raises(ConfigError, match=r"ROGUEKEY_BROKER is no.*did you mean ROGUEKEY_BROKERS"):
        load_settings()


def test_a_misspelt_key_of_the_file_is_refused_with_what_was_meant(config: Path) -> None:
    config.write_text("partition = 2\n")
    with pytest.raises(ConfigError, match=r"partition in .*roguekey.toml.*did you mean partitions"):
        load_settings(config=config)


def test_a_file_that_is_absent_or_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent.toml cannot be read: No such file"):
        load_settings(config=tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("partitions =\n")
    with pytest.raises(ConfigError, match=r"broken.toml is not TOML"):
        load_settings(config=broken)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("partitions", "0", "greater than or equal to 1"),
        ("partitions", "many", "valid integer"),
        ("brokers", "kafka", "host:port"),
        ("brokers", "kafka:99999", "host:port"),
        ("brokers", "kafka:9092,", "host:port"),
        ("alerts_topic", "my alerts", "Kafka topic name"),
        ("alerts_topic", "..", "Kafka topic name"),
        ("auto_offset_reset", "newest", "'earliest' or 'latest'"),
        ("false_keys_per_1000_key_days", "0.009", "greater than or equal to 0.01"),
        ("false_keys_per_1000_key_days", "101", "less than or equal to 100"),
        ("idle_heartbeat_ms", "0", "greater than or equal to 1"),
        ("max_keys", "999", "greater than or equal to 1000"),
        ("max_pairs", "400000001", "less than or equal to 400000000"),
        ("max_markets", "1e9", "valid integer"),
        ("app_id", "", "match pattern"),
    ],
)
def test_an_error_names_setting_value_rule_and_source(name: str, value: str, rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} is {value!r}: ")
    assert rule in message
    assert f"(flag --{name.replace('_', '-')})" in message


def test_an_error_tells_the_variable_from_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("partitions = 0\n")
    with pytest.raises(ConfigError, match=r"\(file .*roguekey.toml\)"):
        load_settings(config=config)
    monkeypatch.setenv("ROGUEKEY_PARTITIONS", "-1")
    with pytest.raises(ConfigError, match=r"'-1'.*\(variable ROGUEKEY_PARTITIONS\)"):
        load_settings(config=config)


def test_two_topics_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="orders_topic and alerts_topic are both 'orders'"):
        load_settings({"alerts_topic": "orders"})


def test_the_constructor_does_not_look_at_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROGUEKEY_PARTITIONS", "9")
    assert Settings().partitions == 4


def test_the_brokers_are_a_list_of_addresses_and_must_be_set_where_needed() -> None:
    settings = Settings(brokers="a:1, [::1]:2")
    assert settings.bootstrap_servers() == ["a:1", "[::1]:2"]
    with pytest.raises(ConfigError, match="brokers is not set"):
        Settings().bootstrap_servers()


def test_every_setting_is_described_and_numbers_tell_their_range() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        if field.annotation in {int, float}:
            assert " to " in field.description, name


def test_the_budget_is_that_of_the_model_where_nothing_else_is_set() -> None:
    assert Settings().false_keys_per_1000_key_days == FALSE_KEYS_PER_1000_KEY_DAYS


def test_the_bounds_of_the_state_are_what_was_set() -> None:
    settings = load_settings({"max_keys": "5000", "max_pairs": "7000", "max_markets": "300"})
    assert settings.bounds() == Bounds(markets=300, keys=5000, pairs=7000)
    assert Settings().bounds() == BOUNDS
