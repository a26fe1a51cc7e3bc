"""The demo itself, run as a user runs it: minutes, so CI runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.evaluation.labels import Labels
from models.evaluation.scoreboard import score_alerts
from streams.demo.tape import MALFORMED
from streams.kafka.broker import EmbeddedBroker
from tests.patience import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow

PROGRAM = "from streams.cli import main; main()"


def demo(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, "demo", "--folder", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def left_behind(folder: Path) -> list[str]:
    """Command lines and environments of processes that know of the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in known and int(process.name) != os.getpid():
            found.append(process.name)
    return found


def check(found: dict[str, Any], folder: Path) -> None:
    """Compare the scoreboard with the alerts and labels that lie in the folder."""
    alerts = [json.loads(line) for line in (folder / "alerts.jsonl").read_bytes().splitlines()]
    assert found["alerts"] == len(alerts) > 0
    assert len({alert["id"] for alert in alerts}) == len(alerts)
    labels = Labels.load(folder / "labels.json")
    alerted = [
        (alert["subject"], alert["data"]["event_ts"])
        for alert in alerts
        if alert["type"] == "roguekey.alert.leaked_key.v1"
    ]
    scores = score_alerts(labels, alerted)
    assert (found["scores"]["caught"], found["scores"]["missed"]) == (scores.caught, scores.missed)
    assert found["scores"]["false"] == scores.false
    assert sum(incident["caught"] for incident in found["incidents"]) == len(scores.caught)
    assert sum(incident["keys"] for incident in found["incidents"]) == scores.leaked_keys
    assert found["refused"] == len(MALFORMED)
    assert found["worker_exit_code"] == 0
    freezes = found["freezes"]
    assert set(freezes["leaked"]) <= set(found["scores"]["caught"])
    assert set(freezes["honest"]) <= set(found["scores"]["false"])
    assert 0 < freezes["saved"] <= found["scores"]["loss_prevented"]
    assert (freezes["backlog_frozen"], freezes["backlog_too_old"]) == (0, len(alerts))


def test_the_scoreboard_agrees_with_the_alerts_and_a_replay_gives_the_same(tmp_path: Path) -> None:
    run = demo(tmp_path, "--json")
    out, err = run.communicate()
    assert (run.returncode, err) == (0, "")
    found = json.loads(out)
    check(found, tmp_path)
    kinds = {incident["kind"] for incident in found["incidents"]}
    assert {"blitz", "drip"} <= kinds
    assert "signal-thin" in {resembling["kind"] for resembling in found["look_alikes"]}
    assert found["scores"]["caught"]
    replayed = tmp_path / "replayed.jsonl"
    arguments: list[str | Path] = [
        "--model",
        tmp_path / "model",
        "--warmup",
        tmp_path / "history.jsonl",
    ]
    arguments += ["--input", tmp_path / "day.jsonl", "--alerts", replayed]
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, "replay", *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert replayed.read_bytes() == (tmp_path / "alerts.jsonl").read_bytes()
    assert not left_behind(tmp_path)


def test_off_a_terminal_it_prints_plain_lines_on_brokers_of_the_users_too(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    run = demo(tmp_path, "--seconds", "1", ROGUEKEY_BROKERS=broker.address)
    out, err = run.communicate()
    assert (run.returncode, err) == (0, "")
    assert all(line.isprintable() for line in out.split("\n"))
    assert "What to try next" in out


@pytest.mark.parametrize(
    ("moment", "number", "code"),
    [
        ("broker.log", signal.SIGINT, 130),
        ("train.log", signal.SIGINT, 130),
        ("worker.log", signal.SIGINT, 130),
        ("produce.log", signal.SIGINT, 130),
        ("produce.log", signal.SIGTERM, 143),
    ],
)
def test_it_leaves_no_process_behind_whenever_it_is_ended(
    tmp_path: Path, moment: str, number: int, code: int
) -> None:
    run = demo(tmp_path, TMPDIR=str(tmp_path))
    # Not by rglob, which fails where a folder goes away while it looks.
    wait_until(lambda: run.poll() is not None or any(moment in f for *_, f in os.walk(tmp_path)))
    assert run.poll() is None
    run.send_signal(number)
    _, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == code
    assert "Traceback" not in err
    wait_until(lambda: not left_behind(tmp_path), lambda: left_behind(tmp_path))
