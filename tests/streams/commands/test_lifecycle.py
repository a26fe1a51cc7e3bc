import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kafka import KafkaProducer

from streams.commands.lifecycle import command
from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings
from streams.topics import ensure_topics, topic_specs
from tests.streams.lifecycle.worlds import START, order


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A broker with the orders of two keys: k-idle-1 of the start, k-used-2 of every week."""
    with EmbeddedBroker() as broker:
        ensure_topics([broker.address], topic_specs(Settings().topics))
        producer = KafkaProducer(bootstrap_servers=broker.address)
        producer.send("orders", order("k-idle-1", START), partition=0)
        for week in range(8):
            used = START + week * 7 * 86_400_000
            producer.send("orders", order("k-used-2", used), partition=0)
        producer.flush()
        producer.close()
        yield broker.address


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state.sqlite3")


def lifecycle(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_a_dry_run_goes_through_the_past_step_by_step(address: str, state: str) -> None:
    seen = []
    for day in ("2026-01-06", "2026-02-05", "2026-02-06", "2026-02-09"):
        arguments = ["--brokers", address, "--state", state, "--as-of", f"{day}T12:00Z", "--json"]
        result = lifecycle(*arguments)
        assert result.exit_code == 0, result.output
        seen.append(json.loads(result.stdout)["entries"])
    assert seen == [{}, {"notice": 1}, {}, {"confirmation": 1, "removal": 1}]
    text = lifecycle("status", "--state", state, "--as-of", "2026-02-09T12:00Z")
    assert text.exit_code == 0
    assert "removed (dry run)" in text.stdout
    assert "k-…-1" in text.stdout
    assert "k-idle-1" not in text.stdout
    found = json.loads(lifecycle("status", "--state", state, "--json", "--full").stdout)
    assert found["phases"] == {"active": 1, "idle": 0, "notified": 0, "confirmed": 0, "removed": 1}
    assert [key["api_key"] for key in found["keys"]] == ["k-used-2", "k-idle-1"]
    assert found["keys"][0]["due"] == found["keys"][0]["idle_since"] + 30 * 86_400_000
    back = lifecycle("--brokers", address, "--state", state, "--as-of", "2026-01-07T12:00Z")
    assert back.exit_code == 1
    assert "has been at 2026-02-09" in back.stderr


def test_a_presets_days_and_files_of_key_records_count(
    address: str, state: str, tmp_path: Path
) -> None:
    records = tmp_path / "keys.jsonl"
    bound = {"kind": "ip_bound", "api_key": "k-idle-1", "ts": START}
    new = {"kind": "created", "api_key": "k-new-3", "ts": START}
    records.write_text("\n".join([json.dumps(bound), json.dumps(new), "bad"]) + "\n")
    result = lifecycle(
        *("--brokers", address, "--state", state, "--policy", "okx", "--json"),
        *("--keys-files", str(records), "--as-of", "2026-01-20T12:00Z"),
    )
    found = json.loads(result.stdout)
    assert (found["key_records"], found["refused_key_records"]) == (2, 1)
    assert found["entries"] == {"notice": 1}
    status = json.loads(lifecycle("status", "--state", state, "--json", "--full").stdout)
    told = [key["api_key"] for key in status["keys"] if key["phase"] == "notified"]
    assert told == ["k-new-3"]


def test_silence_holds_with_exit_code_1_until_somebody_acknowledges(
    address: str, state: str
) -> None:
    held = lifecycle("--brokers", address, "--state", state, "--once")
    assert held.exit_code == 1
    assert "HELD: no orders from" in held.stdout
    assert "HELD" in lifecycle("status", "--state", state).stdout
    by = ["--by", "ann", "--reason", "a test"]
    ended = lifecycle("acknowledge", "--state", state, *by, "--json")
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["clocks"] == "restarted"
    again = lifecycle("acknowledge", "--state", state, *by)
    assert again.exit_code == 1
    assert "there is nothing to acknowledge" in again.stderr
    assert lifecycle("--brokers", address, "--state", state, "--once").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mode", "enforce"], "lifecycle_mode is enforce, which needs lifecycle_notifier_url"),
        (["--mode", "enforce", "--as-of", "2026-01-01T00:00Z"], "--as-of is for a dry run"),
        (["--as-of", "tomorrow"], "must be RFC 3339 with its zone"),
        (["--time-zone", "Mars/Olympus"], "time zone 'Mars/Olympus' is unknown"),
        (["--country", "XX"], "country 'XX' is unknown"),
        (["--policy", "mtgox"], "lifecycle_policy is 'mtgox'"),
        (["--once"], "brokers is not set"),
        (["--state", "x", "status"], "stands before status; must follow it"),
        (["acknowledge", "--by", " ", "--reason", "x"], "--by and --reason must not be empty"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = lifecycle(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_state_file_that_is_missing_is_named(state: str) -> None:
    result = lifecycle("status", "--state", state)
    assert result.exit_code == 1
    assert "does not exist: roguekey lifecycle makes it" in result.stderr


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the secret of a notifier and an exchange that are set."""
    file = tmp_path / "secret"
    url = "http://127.0.0.1:9/hook"
    for name, value in {
        "LIFECYCLE_NOTIFIER_URL": url,
        "LIFECYCLE_NOTIFIER_SECRET_FILE": str(file),
        "EXCHANGE_URL": url,
        "EXCHANGE_SECRET_FILE": str(file),
    }.items():
        monkeypatch.setenv(f"ROGUEKEY_{name}", value)
    return file


def test_a_secret_is_read_from_a_file_and_never_shown(secret: Path) -> None:
    secret.write_text("whsec_tooshort")
    result = lifecycle("--mode", "enforce", "--keys", "keys")
    assert result.exit_code == 2
    assert "lifecycle_notifier_secret_file: file" in result.stderr
    assert "tooshort" not in result.stderr


@pytest.mark.usefixtures("secret")
def test_no_key_is_removed_where_nothing_says_which_are_bound_to_addresses() -> None:
    result = lifecycle("--mode", "enforce")
    assert result.exit_code == 2
    assert "which needs lifecycle_keys or lifecycle_keys_files: without" in result.stderr
    for source in (["--keys", "keys"], ["--keys-files", "keys.jsonl"]):
        assert (
            "lifecycle_notifier_secret_file: file" in lifecycle("--mode", "enforce", *source).stderr
        )
