import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.cli import run
from streams.demo.demo import as_environment
from streams.kafka.broker import EmbeddedBroker
from streams.kafka.children import Command
from streams.settings import Settings
from tests.streams.freeze.kafka_stand import settings_for
from tests.streams.freeze.stand import SECRET

Said = pytest.CaptureFixture[str]
KEY = "a-key-that-must-not-be-shown"
ALLOW = f"""
[[allow]]
api_key = "{KEY}"
until = 2100-01-01T00:00:00Z
by = "eva"
reason = "a test of ours"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "freeze.toml"
        path.write_text(text)
        return str(path)

    return write


def test_it_says_what_a_policy_means(capsys: Said, policy: Callable[[str], str]) -> None:
    path = policy(f'mode = "auto"\n{ALLOW}')
    assert run(["freeze-hook", "--explain", "--freeze-policy", path]) == 0
    said = capsys.readouterr().out
    assert "mode auto: freezes by itself" in said
    assert "by eva: a test of ours" in said
    assert KEY not in said


def test_without_a_policy_it_is_a_dry_run(capsys: Said) -> None:
    assert run(["freeze-hook", "--explain", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["values"]["mode"] == "dry-run"
    assert said["source"] is None


@pytest.mark.parametrize("flags", [("--explain",), ()])
def test_a_wrong_policy_is_one_line_before_anything_else(
    flags: tuple[str, ...], capsys: Said, policy: Callable[[str], str]
) -> None:
    path = policy("score = 2")
    assert run(["freeze-hook", *flags, "--freeze-policy", path]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "roguekey: error: freeze_policy: score is 2: input should be less than or equal to 1 "
        f"(policy {path})\n"
    )


def test_a_wrong_secret_is_named_but_not_shown(
    capsys: Said, tmp_path: Path, policy: Callable[[str], str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("my dog's name")
    flags = ["--freeze-policy", policy('mode = "auto"'), "--brokers", "127.0.0.1:9"]
    flags += ["--exchange-url", "http://127.0.0.1:9", "--exchange-secret-file", str(secret)]
    assert run(["freeze-hook", *flags]) == 2
    said = capsys.readouterr().err
    assert f"file {secret} holds no secret" in said
    assert "dog" not in said


@pytest.mark.slow
def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        settings = settings_for(broker.address, "http://127.0.0.1:9", tmp_path, mode="auto")
        with Command(["freeze-hook"], as_environment(settings), tmp_path / "log") as hook:
            while "freeze hook in mode auto" not in hook.log.read_text():
                assert hook.exit_code is None, hook.last_words()
    assert hook.exit_code == 0
    assert "Traceback" not in hook.log.read_text()
    assert SECRET not in hook.log.read_text()


@pytest.mark.slow
def test_the_mock_exchange_makes_a_secret_that_only_its_owner_may_read(tmp_path: Path) -> None:
    arguments = ["mock-exchange", "--secret-file", str(tmp_path / "secret")]
    with Command(arguments, as_environment(Settings()), tmp_path / "log") as exchange:
        while not exchange.log.read_text().endswith("\n"):
            assert exchange.exit_code is None, exchange.last_words()
        assert exchange.last_words().startswith("http://127.0.0.1:")
    assert exchange.exit_code == 0
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
