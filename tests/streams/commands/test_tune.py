import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.commands.tune import command
from streams.dispositions import Disposition, Outcome
from streams.kafka.broker import EmbeddedBroker
from tests.streams.conftest import Produce, Trained


def tune(trained: Trained, *arguments: str) -> Result:
    fixed = ["--model", str(trained.model_dir), "--input", str(trained.tape)]
    return CliRunner().invoke(command, [*fixed, *arguments])


def confirmed(trained: Trained) -> Disposition:
    key = next(iter(json.loads(trained.labels.read_text())["leaked"]))
    return Disposition(alert_id="a-1", subject=key, disposition=Outcome.CONFIRMED)


def test_the_sweep_recommends_a_setting_and_writes_its_report(
    trained: Trained, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    result = tune(trained, "--labels", str(trained.labels), "--report", str(report), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["tapes"][0]["orders"] == trained.tape.read_bytes().count(b"\n")
    assert found["points"][-1]["met"]["all"]["caught"] > 0
    assert found["model"] == trained.model.id
    assert json.loads((report / "tuning.json").read_text()) == found
    assert {path.suffix for path in report.iterdir()} == {".md", ".json", ".csv", ".svg"}


def test_with_costs_the_cheapest_setting_is_printed_as_a_line_of_the_configuration(
    trained: Trained,
) -> None:
    result = tune(trained, "--labels", str(trained.labels), "--cost-missed", "1000")
    assert result.exit_code == 0, result.output
    assert "least cost: " in result.stdout
    assert result.stdout.splitlines()[-1].startswith("false_keys_per_1000_key_days = ")
    assert result.stderr == ""


def test_tapes_with_labels_of_their_own_also_say_what_the_choice_is_worth(trained: Trained) -> None:
    both = ["--labels", str(trained.labels)] * 2
    result = tune(trained, "--input", str(trained.tape), *both, "--cost-false", "1", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["tapes"]) == 2
    assert found["held_out"]["met"]["all"]["keys"] == found["points"][0]["met"]["all"]["keys"]


def test_analysts_alone_may_say_what_happened(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "decided.jsonl"
    path.write_bytes(confirmed(trained).encode() + b"\n")
    result = tune(trained, "--dispositions", str(path), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["points"][0]["met"]["all"]["keys"] == 1


def test_dispositions_may_come_from_their_topic(
    trained: Trained, broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 1, [confirmed(trained).encode(), b"{}"])
    result = tune(trained, "--dispositions", orders, "--brokers", broker.address, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["points"][0]["met"]["all"]["keys"] == 1
    assert result.stderr == "1 records of orders are no dispositions: left out\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --labels or --dispositions"),
        (["--labels", "{labels}"] * 2, "1 --input and 2 --labels"),
        (["--labels", "{labels}", "--leaks", "1"], "--leaks only matters with costs"),
        (["--labels", "{labels}", "--cost-false", "-1"], "--cost-false"),
        (
            ["--dispositions", "absent.jsonl"],
            "absent.jsonl is no file; for a topic",
        ),
        (["--labels", "{labels}", "--warmup", "absent"], "'absent': must be a file that can be"),
        (["--labels", "{labels}", "--false-keys-per-1000-key-days", "0"], "greater than or equal"),
    ],
)
def test_flags_that_do_not_fit_are_wrong_usage(
    trained: Trained, arguments: list[str], message: str
) -> None:
    result = tune(trained, *(argument.format(labels=trained.labels) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_history_to_train_on_must_be_no_pipe(trained: Trained, tmp_path: Path) -> None:
    pipe = tmp_path / "history.jsonl"
    os.mkfifo(pipe)
    result = tune(trained, "--labels", str(trained.labels), "--train", str(pipe))
    assert result.exit_code == 2
    assert f"--train {pipe} is no regular file, and is read more than once" in result.stderr


def test_a_history_with_which_each_of_several_tapes_begins_must_be_no_pipe(
    trained: Trained, tmp_path: Path
) -> None:
    pipe, labels = tmp_path / "history.jsonl", ["--labels", str(trained.labels)]
    os.mkfifo(pipe)
    result = tune(trained, "--input", str(trained.tape), *labels, *labels, "--warmup", str(pipe))
    assert result.exit_code == 2
    assert f"--warmup {pipe} is no regular file, and is read more than once" in result.stderr


def test_a_file_that_holds_no_labels_fails_in_one_line(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text("[]")
    result = tune(trained, "--labels", str(path))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path} holds no labels")
    assert result.stderr.count("\n") == 1
