"""Every command that speaks to brokers, against one that lets in only who proves to be somebody."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from streams.cli import run
from streams.kafka.broker import free_port
from streams.kafka.children import Command
from streams.kafka.security import kafka_security
from streams.replay.replay import AlertFile, replay
from streams.settings import Settings
from streams.tapes.intake import Intake
from streams.topics import ensure_topics, topic_specs
from tests.streams.conftest import Trained, names_of_its_own, run_command, values_on, variables
from tests.streams.kafka.secured import GUEST, PASSWORD, Secured

pytestmark = pytest.mark.kafka

Told = Callable[[list[str], dict[str, str]], tuple[int, str, str]]


@pytest.fixture
def told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Told:
    """Run a command in this process; gives its exit code and what it said."""

    def run_here(arguments: list[str], values: dict[str, str]) -> tuple[int, str, str]:
        for name, value in variables(values | in_folders(tmp_path)).items():
            monkeypatch.setenv(name, value)
        code = run(arguments)
        return code, *capfd.readouterr()

    return run_here


def in_folders(folder: Path) -> dict[str, str]:
    """Give settings by which commands keep to a folder and to no port of others."""
    return {
        "http_port": "0",
        "dashboard_port": str(free_port()),
        "dashboard_data": str(folder / "dashboard"),
        "freeze_folder": str(folder / "freeze"),
        "lifecycle_state": str(folder / "lifecycle"),
    }


def test_the_whole_chain_runs_as_a_user_over_tls(
    secured: Secured, trained: Trained, tmp_path: Path
) -> None:
    with AlertFile(tmp_path / "expected.jsonl") as alerts:
        replay([trained.tape], trained.model, alerts, Intake())
    expected = Counter((tmp_path / "expected.jsonl").read_bytes().splitlines())
    values = secured.values(**names_of_its_own(), idle_heartbeat_ms="2000", http_port="0")
    settings = Settings.model_validate(values)
    produced = run_command("produce", "--input", str(trained.tape), "--json", values=values)
    assert produced.returncode == 0, produced.stderr
    ensure_topics(
        settings.bootstrap_servers(),
        topic_specs(settings.topics, settings.partitions),
        client=kafka_security(settings),
    )
    arguments = ["worker", "--model", str(trained.model_dir)]
    with Command(arguments, variables(values), tmp_path / "worker.log") as worker:
        found: Counter[bytes] = Counter()
        while found.total() < expected.total():
            assert worker.exit_code is None, worker.last_words()
            found = Counter(values_on(settings, settings.alerts_topic))
    assert found == expected
    doctor = run_command("doctor", "--model", str(trained.model_dir), "--json", values=values)
    assert doctor.returncode == 0, doctor.stderr
    finding = json.loads(doctor.stdout)["checks"][1]["finding"]
    assert finding == f"{settings.brokers} answers, over SASL_SSL"
    out = tmp_path / "again.jsonl"
    again = ["replay", "--from-topic", settings.orders_topic, "--model", str(trained.model_dir)]
    replayed = run_command(*again, "--alerts", str(out), values=values)
    assert replayed.returncode == 0, replayed.stderr
    assert Counter(out.read_bytes().splitlines()) == expected


def refusals(secured: Secured) -> dict[str, tuple[dict[str, str], str]]:
    """Give settings that the broker refuses, and what must be said of each."""
    elsewhere = secured.cluster.address_of("SASL_SSL")
    return {
        "user": (secured.values(sasl_username="nobody"), "refuses user 'nobody'"),
        "authority": (
            secured.values(ssl_cafile=str(secured.other_authority)),
            "its certificate is not trusted",
        ),
        "protocol": (
            secured.values("PLAINTEXT", brokers=elsewhere),
            "hangs up; security_protocol is PLAINTEXT",
        ),
    }


COMMANDS = (
    "worker",
    "produce",
    "replay",
    "doctor",
    "freeze-hook",
    "lifecycle",
    "dashboard",
    "dead",
)


def commands(trained: Trained, folder: Path) -> dict[str, list[str]]:
    model = ["--model", str(trained.model_dir)]
    return {
        "freeze-hook": ["freeze-hook", "--once"],
        "lifecycle": ["lifecycle", "--once"],
        "dashboard": ["dashboard"],
        "dead": ["dead", "list"],
        "worker": ["worker", *model],
        "produce": ["produce", "--input", str(trained.tape)],
        "replay": ["replay", "--from-topic", "orders", "--alerts", str(folder / "a"), *model],
        "doctor": ["doctor", *model],
    }


@pytest.mark.parametrize("wrong", ["user", "authority", "protocol"])
@pytest.mark.parametrize("command", COMMANDS)
def test_who_is_refused_reads_why_in_one_line(
    secured: Secured, trained: Trained, tmp_path: Path, told: Told, command: str, wrong: str
) -> None:
    values, reason = refusals(secured)[wrong]
    code, out, err = told(commands(trained, tmp_path)[command], values)
    checks = command == "doctor"
    assert code == (1 if checks else 2), err
    assert err.count("\n") == 1
    assert reason in (out if checks else err)


@pytest.mark.parametrize("command", ["worker", "produce", "replay", "doctor"])
def test_who_is_let_in_but_may_do_nothing_reads_so_in_one_line(
    secured: Secured, trained: Trained, tmp_path: Path, told: Told, command: str
) -> None:
    values = secured.values(sasl_username=GUEST)
    code, out, err = told(commands(trained, tmp_path)[command], values)
    assert code == 1
    assert err.count("\n") == 1
    assert "this user" in out + err


@pytest.mark.parametrize(
    "arguments",
    [["freeze-hook", "--once"], ["lifecycle", "--once"], ["dead", "list"]],
)
def test_every_consumer_is_let_in(secured: Secured, told: Told, arguments: list[str]) -> None:
    values = secured.values(**names_of_its_own())
    settings = Settings.model_validate(values)
    specs = topic_specs(settings.topics, settings.partitions)
    ensure_topics(settings.bootstrap_servers(), specs, client=kafka_security(settings))
    code, out, err = told(arguments, values)
    assert code == 0, out + err


def test_the_dashboard_is_let_in(secured: Secured, tmp_path: Path) -> None:
    values = secured.values(**names_of_its_own()) | in_folders(tmp_path)
    address = f"http://127.0.0.1:{values['dashboard_port']}"
    with Command(["dashboard"], variables(values), tmp_path / "log") as dashboard:
        while True:
            assert dashboard.exit_code is None, dashboard.last_words()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{address}/api/health").json()["pulse"]["reachable"]:
                    break


def test_not_even_debugging_shows_the_password(secured: Secured, trained: Trained) -> None:
    arguments = ["--debug", "doctor", "--model", str(trained.model_dir)]
    done = run_command(*arguments, values=secured.values(sasl_mechanism="PLAIN"))
    assert "DEBUG:" in done.stderr
    assert "INFO:aiokafka.conn:Authenticated as desk" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
