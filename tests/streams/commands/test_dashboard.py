import os
import socket
from pathlib import Path

import httpx
import pytest

from streams.cli import run
from streams.kafka.broker import free_port
from streams.kafka.children import Command
from tests.patience import wait_until

LOCAL = ["--brokers", "127.0.0.1:9"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["dashboard", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_without_brokers_it_says_how_to_name_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert "brokers is not set" in refused(capsys)


def test_it_does_not_open_itself_to_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = ["--dashboard-data", str(tmp_path)]
    said = refused(capsys, *LOCAL, *folder, "--dashboard-host", "0.0.0.0")  # noqa: S104 - refused
    assert "needs dashboard_tokens" in said


def test_a_missing_file_of_tokens_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--dashboard-data", str(tmp_path), "--dashboard-tokens", str(tmp_path / "none")]
    assert "cannot be read" in refused(capsys, *LOCAL, *arguments)


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        arguments = ["--dashboard-data", str(tmp_path), "--dashboard-port", port]
        assert "cannot listen" in refused(capsys, *LOCAL, *arguments)


def test_sigterm_ends_it_as_done(tmp_path: Path) -> None:
    port = str(free_port())
    arguments = ["dashboard", *LOCAL, "--dashboard-data", str(tmp_path), "--dashboard-port", port]
    with Command(arguments, dict(os.environ), tmp_path / "log") as running:
        wait_until(lambda: answers(port), running.last_words)
    assert running.exit_code == 0


def answers(port: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    except httpx.TransportError:
        return False
