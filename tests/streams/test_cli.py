import os
import subprocess
import sys
import time
from importlib import import_module
from types import ModuleType

import click
import pytest

from streams.cli import COMMANDS, run

PROGRAM = "from streams.cli import main; main()"
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("ROGUEKEY_")}


def roguekey(
    *arguments: str,
    environment: dict[str, str] | None = None,
    stdout: int = subprocess.PIPE,
    program: str = PROGRAM,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - this interpreter, and arguments that stand in this file
        [sys.executable, "-c", program, *arguments],
        env=ENVIRONMENT | (environment or {}),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> str:
    """A command with a defect."""

    @click.command("fail")
    def command() -> None:
        raise ZeroDivisionError("division by\nzero")

    module = ModuleType("streams.commands.fail")
    module.__dict__["command"] = command
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(COMMANDS, "fail", "Fail.")
    return "fail"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_exists_and_is_described_as_in_the_list(name: str) -> None:
    command = import_module(f"streams.commands.{name.replace('-', '_')}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.get_short_help_str(limit=100) == COMMANDS[name]


def test_only_a_worker_waits_for_faust_to_be_loaded() -> None:
    others = [name.replace("-", "_") for name in COMMANDS if name != "worker"]
    imports = "; ".join(f"import streams.commands.{name}" for name in others)
    loaded = roguekey(program=f"{imports}; import sys; print('faust' in sys.modules)")
    assert (loaded.stdout, loaded.stderr) == ("False\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_help_does_not_load_what_only_commands_need() -> None:
    """Numba, pandas, Kafka clients and pydantic take seconds together; help must answer at once."""
    heavy = "{'numba', 'pandas', 'sklearn', 'kafka', 'aiokafka', 'pydantic', 'faust', 'rich'}"
    program = (
        "import sys; from streams.cli import run; run(['--help']); "
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = roguekey(program=program)
    assert (done.returncode, done.stderr) == (0, "")


def test_wrong_usage_is_one_line_and_exit_code_2() -> None:
    done = roguekey("produce", "--nonsense")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "roguekey: error: No such option: --nonsense (see roguekey produce --help)\n"
    )


def test_a_command_that_does_not_exist_is_wrong_usage() -> None:
    done = roguekey("prod")
    assert done.returncode == 2
    assert done.stderr == "roguekey: error: No such command 'prod' (see roguekey --help)\n"


def test_a_wrong_setting_is_one_line_and_exit_code_2() -> None:
    done = roguekey("doctor", environment={"ROGUEKEY_PARTITIONS": "0"})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("roguekey: error: partitions is '0': ")
    assert done.stderr.count("\n") == 1


def test_a_failed_check_is_exit_code_1_with_the_finding_on_stdout() -> None:
    done = roguekey("doctor")
    assert done.returncode == 1
    assert "failed   brokers: not set" in done.stdout
    assert done.stderr == "roguekey: error: 2 of 3 checks failed\n"


def test_a_defect_is_one_line_that_says_how_to_see_more(
    failing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([failing]) == 1
    assert capsys.readouterr().err == (
        "roguekey: error: ZeroDivisionError: division by zero "
        "(unexpected; roguekey --debug COMMAND shows where)\n"
    )


def test_a_defect_shows_its_traceback_when_debugging(failing: str) -> None:
    with pytest.raises(ZeroDivisionError):
        run(["--debug", failing])


@pytest.mark.parametrize("arguments", [["--help"], ["doctor"]])
def test_a_reader_that_went_away_is_no_traceback(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = roguekey(*arguments, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


@pytest.mark.slow
def test_help_answers_within_three_tenths_of_a_second() -> None:
    taken = []
    for _ in range(5):
        started = time.monotonic()
        roguekey("--help")
        taken.append(time.monotonic() - started)
    assert min(taken) < 0.3
