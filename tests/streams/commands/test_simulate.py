import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.commands.simulate import command

SMALL = ["--days", "0.05", "--keys", "60", "--scenario", "demo"]


def simulated(out: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--out", str(out), *SMALL, *arguments])


def test_the_tape_and_its_labels_are_written_and_counted(tmp_path: Path) -> None:
    out, labels = tmp_path / "orders.jsonl", tmp_path / "labels.json"
    result = simulated(out, "--labels", str(labels), "--json")
    assert result.exit_code == 0, result.output
    found, truth = json.loads(result.stdout), json.loads(labels.read_text())
    assert found["events"] == len(out.read_text().splitlines()) > 0
    assert found["leaked_keys"] == len(truth["leaked"])
    assert found["incidents"] == len(truth["incidents"])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    for path, seed in zip(paths, ("1", "1", "2"), strict=True):
        assert simulated(path, "--seed", seed).exit_code == 0
    first, again, other = (path.read_bytes() for path in paths)
    assert first == again != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--days", "0"], "days is 0.0; must be"),
        (["--keys", "1"], "keys is 1; must be"),
        (["--keys", "0"], "keys is 0; must be"),
        (["--labels", "{out}"], "is --out, too; give it another name"),
        (["--scenario", "quiet"], "'quiet' is not one of"),
        (["--seed", "-1"], "-1 is not in the range"),
    ],
)
def test_what_is_out_of_range_is_wrong_usage(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    out = tmp_path / "orders.jsonl"
    result = simulated(out, *(argument.format(out=out) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
