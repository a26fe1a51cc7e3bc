import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.score.model import Model
from streams.commands.train import command
from tests.streams.conftest import Trained


def train(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_the_same_tape_gives_the_same_model(trained: Trained, tmp_path: Path) -> None:
    ids = []
    for name in ("a", "b"):
        folder = tmp_path / name
        result = train("--input", str(trained.tape), "--model", str(folder), "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert Model.load(folder).id == found["model_id"]
        assert found["events"] == len(trained.tape.read_bytes().splitlines())
        ids.append((found["model_id"], found["training_data_sha256"]))
    assert ids[0] == ids[1]


def test_a_tape_with_too_little_is_refused_in_one_line(tmp_path: Path) -> None:
    tape = tmp_path / "orders.jsonl"
    tape.write_text("bad\n")
    result = train("--input", str(tape), "--model", str(tmp_path / "model"))
    assert result.exit_code == 1
    assert "orders.jsonl: the tape holds 0 fills of 0 API keys; training needs" in result.stderr


def test_a_folder_in_other_use_is_not_overwritten(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = train("--input", str(trained.tape), "--model", str(tmp_path))
    assert result.exit_code == 1
    assert "in other use" in result.stderr


def test_a_pipe_is_wrong_usage_since_it_can_be_read_only_once(tmp_path: Path) -> None:
    pipe = tmp_path / "orders.jsonl"
    os.mkfifo(pipe)
    result = train("--input", str(pipe), "--model", str(tmp_path / "model"))
    assert result.exit_code == 2
    assert f"--input {pipe} is no regular file, and is read more than once" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--input", "absent.jsonl"]])
def test_an_input_must_be_a_file(arguments: list[str]) -> None:
    assert train(*arguments).exit_code == 2
