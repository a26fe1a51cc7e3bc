import json
from pathlib import Path

from click.testing import CliRunner

from streams.commands.doctor import command


def test_each_check_has_one_line_and_a_failure_is_exit_code_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--model", str(tmp_path)])
    assert result.exit_code == 1
    subjects = [line.split(":")[0].split(maxsplit=1) for line in result.stdout.splitlines()]
    assert subjects == [["ok", "settings"], ["failed", "brokers"], ["failed", "model"]]


def test_the_json_says_the_same(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--model", str(tmp_path), "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert [check["outcome"] for check in found["checks"]] == ["ok", "failed", "failed"]
