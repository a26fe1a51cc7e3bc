import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.alerts.envelope import AlertType
from streams.commands.replay import command
from streams.kafka.broker import EmbeddedBroker
from tests.streams.conftest import Trained, put_on_topic


def replay(trained: Trained, alerts: Path, *arguments: str) -> Result:
    fixed = ["--model", str(trained.model_dir), "--alerts", str(alerts)]
    return CliRunner().invoke(command, [*fixed, *arguments])


def test_alerts_dead_letters_scores_and_report(trained: Trained, tmp_path: Path) -> None:
    alerts, dead, report = (tmp_path / name for name in ("a.jsonl", "dead.jsonl", "report"))
    tape = tmp_path / "orders.jsonl"
    lines = trained.tape.read_bytes()
    tape.write_bytes(lines + lines.splitlines(keepends=True)[0] + b"\xffbad\n")
    result = replay(
        trained,
        alerts,
        *("--input", str(tape), "--dead", str(dead), "--labels", str(trained.labels)),
        *("--report", str(report), "--json"),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    raised = [json.loads(line) for line in alerts.read_bytes().splitlines()]
    assert (found["refused"], found["duplicates"], found["late"]) == (1, 1, 0)
    assert dead.read_bytes() == b"\xffbad\n"
    assert found["events"] == tape.read_bytes().count(b"\n")
    assert found["alerts"] == len(raised) > 0
    keys = {alert["subject"] for alert in raised if alert["type"] == AlertType.LEAKED_KEY}
    assert found["alerted_keys"] == len(keys)
    assert found["scores"]["leaked_keys"] == len(json.loads(trained.labels.read_text())["leaked"])
    assert json.loads((report / "report.json").read_text()) == found
    assert "| leaked keys caught |" in (report / "report.md").read_text()


def test_the_result_is_a_few_lines_without_a_progress_bar_off_the_terminal(
    trained: Trained, tmp_path: Path
) -> None:
    arguments = ["--input", str(trained.tape), "--labels", str(trained.labels)]
    result = replay(trained, tmp_path / "a.jsonl", *arguments)
    assert result.exit_code == 0, result.output
    assert " alerts on " in result.stdout.splitlines()[0]
    assert "leaked keys caught: " in result.stdout
    assert result.stderr == ""


def test_a_smaller_budget_of_false_alerts_raises_fewer(trained: Trained, tmp_path: Path) -> None:
    counts, configs = [], set()
    for budget in ("100", "1", "0.01"):
        alerts = tmp_path / f"{budget}.jsonl"
        arguments = ["--input", str(trained.tape), "--false-keys-per-1000-key-days", budget]
        assert replay(trained, alerts, *arguments).exit_code == 0
        told = [json.loads(line) for line in alerts.read_bytes().splitlines()]
        raised = [each["data"] for each in told if each["type"] == AlertType.LEAKED_KEY]
        assert {data["threshold"] for data in raised} <= {round(1.0 - float(budget) / 1000.0, 10)}
        configs |= {data["config"] for data in raised}
        counts.append(len(raised))
    assert counts[0] > counts[1] > counts[2] >= 0
    assert len(configs) > 1


def test_a_topic_gives_the_same_bytes_as_the_file(
    trained: Trained, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    put_on_topic(broker, trained.tape, 4)
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    topic = ["--from-topic", "orders", "--brokers", broker.address, "--since", "1970-01-01T00:00Z"]
    assert replay(trained, paths[0], *topic).exit_code == 0
    assert replay(trained, paths[1], "--input", str(trained.tape)).exit_code == 0
    first, second = (path.read_bytes() for path in paths)
    assert first == second != b""


def test_a_topic_that_does_not_exist_is_one_line(
    trained: Trained, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    arguments = ["--from-topic", "absent", "--brokers", broker.address]
    result = replay(trained, tmp_path / "a.jsonl", *arguments)
    assert result.exit_code == 1
    assert result.stderr == "Error: topic absent does not exist, or is hidden from this user\n"


def test_brokers_out_of_reach_empty_no_file_of_an_earlier_replay(
    trained: Trained, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("a.jsonl", "dead.jsonl", "dead.reasons.jsonl")]
    for path in paths:
        path.write_text("of before\n")
    arguments = ["--from-topic", "orders", "--brokers", "127.0.0.1:1", "--dead", str(paths[1])]
    assert replay(trained, paths[0], *arguments).exit_code == 1
    assert [path.read_text() for path in paths] == ["of before\n"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --input or --from-topic"),
        (["--input", "{tape}", "--from-topic", "orders"], "give either --input or --from-topic"),
        (["--input", "{tape}", "--since", "1"], "--since and --until need --from-topic"),
        (["--from-topic", "orders", "--until", "noon"], "'noon' must be RFC 3339"),
        (["--from-topic", "orders", "--since", "9" * 20], "must be RFC 3339"),
        (["--from-topic", "orders", "--since", "0001-01-01T00:00:00Z"], "must be RFC 3339"),
        (["--input", "{tape}", "--dead", "{tape}"], "is an input, too; give it another name"),
        (["--from-topic", "orders", "--warmup", "{tape}", "--dead", "{tape}"], "is an input, too"),
        (["--input", "{tape}", "--warmup", "absent"], "'absent': must be a file that can be read"),
        (["--input", "{tape}", "--dead", "{alerts}"], "is --alerts, too; give it another name"),
        (["--from-topic", "orders"], "brokers is not set"),
    ],
)
def test_flags_that_do_not_fit_are_wrong_usage(
    trained: Trained, tmp_path: Path, arguments: list[str], message: str
) -> None:
    alerts, before = tmp_path / "a.jsonl", trained.tape.read_bytes()
    given = [argument.format(tape=trained.tape, alerts=alerts) for argument in arguments]
    result = replay(trained, alerts, *given)
    assert result.exit_code == 2
    assert message in result.stderr
    assert trained.tape.read_bytes() == before


def test_a_folder_without_a_model_is_wrong_configuration(trained: Trained, tmp_path: Path) -> None:
    arguments = ["--input", str(trained.tape), "--alerts", str(tmp_path / "a.jsonl")]
    result = CliRunner().invoke(command, [*arguments, "--model", str(tmp_path)])
    assert result.exit_code == 2
    assert "manifest.json" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_tape_of_which_too_much_is_refused_is_replayed_with_a_warning(
    trained: Trained, tmp_path: Path
) -> None:
    tape = tmp_path / "orders.jsonl"
    tape.write_bytes(b"bad\n" * 3 + trained.tape.read_bytes().splitlines(keepends=True)[0])
    result = replay(trained, tmp_path / "a.jsonl", "--input", str(tape))
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "warning: 3 of 4 events were refused; dead_letter_ratio is 0.5 (--dead keeps them)\n"
    )
