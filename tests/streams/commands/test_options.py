import json
import logging
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.commands.options import as_ms, json_option, log_at, show, with_settings
from streams.settings import Settings


@click.command()
@with_settings("partitions", "warmup")
@click.option("--other")
@json_option
def command(settings: Settings, other: str | None, as_json: bool) -> None:
    """Show what arrived."""
    result = {
        "partitions": settings.partitions,
        "warmup": [str(path) for path in settings.warmup],
        "other": other,
    }
    show(result, f"{settings.partitions} partitions", as_json=as_json)


def arrived(*arguments: str, **environment: str) -> dict[str, object]:
    result = CliRunner().invoke(command, [*arguments, "--json"], env=environment)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_settings_come_as_flags_beside_the_options_of_the_command() -> None:
    found = arrived("--partitions", "7", "--other", "x")
    assert found == {"partitions": 7, "warmup": [], "other": "x"}


def test_a_flag_of_several_values_is_repeated() -> None:
    assert arrived("--warmup", "a.jsonl", "--warmup", "b.jsonl")["warmup"] == ["a.jsonl", "b.jsonl"]


def test_a_flag_that_is_not_given_leaves_the_setting_to_the_environment_and_the_file(
    tmp_path: Path,
) -> None:
    config = tmp_path / "roguekey.toml"
    config.write_text('partitions = 5\nwarmup = ["c.jsonl"]\n')
    assert arrived("--config", str(config))["partitions"] == 5
    found = arrived("--config", str(config), ROGUEKEY_PARTITIONS="6")
    assert (found["partitions"], found["warmup"]) == (6, ["c.jsonl"])
    assert arrived("--partitions", "7", ROGUEKEY_PARTITIONS="6")["partitions"] == 7


def test_a_value_out_of_range_is_told_by_its_flag() -> None:
    result = CliRunner().invoke(command, ["--partitions", "0"])
    assert result.exit_code == 2
    assert "partitions is '0'" in result.stderr
    assert "(flag --partitions)" in result.stderr


def test_help_tells_description_range_variable_and_default() -> None:
    shown = " ".join(CliRunner().invoke(command, ["--help"]).stdout.split())
    assert "1 to 1024. [env var: ROGUEKEY_PARTITIONS; default: 4]" in shown
    assert "--config FILE" in shown


@pytest.mark.parametrize(("flag", "expected"), [((), "4 partitions\n"), (("--json",), None)])
def test_a_result_is_text_unless_json_is_asked_for(
    flag: tuple[str, ...], expected: str | None
) -> None:
    shown = CliRunner().invoke(command, list(flag)).stdout
    assert expected in (shown, None)
    assert shown.count("\n") == 1


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, whose level is put back."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield logger
    logger.setLevel(level)


def test_libraries_log_less_than_we_do(root: logging.Logger) -> None:
    log_at("debug", quiet=["one.library"], silent=["one.library.net"])
    assert root.level == logging.DEBUG
    assert logging.getLogger("one.library").level == logging.WARNING
    assert logging.getLogger("one.library.net").level == logging.CRITICAL


def test_libraries_never_log_more_than_we_do(root: logging.Logger) -> None:
    log_at("error", ["one.library"])
    assert root.level == logging.getLogger("one.library").level == logging.ERROR


def test_who_debugs_sees_all_whatever_the_settings_say(root: logging.Logger) -> None:
    root.setLevel(logging.DEBUG)
    log_at("error", ["another.library"])
    assert root.level == logging.DEBUG
    assert logging.getLogger("another.library").level == logging.NOTSET


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone; end it with Z for UTC"):
        as_ms("2022-12-09T05:10:11")
