import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.commands.import_tape import command

# From nkaz001/hftbacktest, MIT.
BINANCE = """\
symbol,ts_ms,taker_side,price,qty,trade_id,local_ts_ns,exec_type
BTCUSDT,1723161601437,sell,61685.99000000,0.00017000,3735693016,1723161600164378285,
BTCUSDT,1723161601498,buy,61686.00000000,0.00016000,3735693017,1723161600225262985,
"""


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.csv"
    path.write_text(BINANCE)
    return path


def imported(tape: Path, *arguments: str) -> Result:
    out = str(tape.with_name("orders.jsonl"))
    return CliRunner().invoke(command, ["--input", str(tape), "--out", out, *arguments])


def test_the_events_are_written_and_counted(tape: Path) -> None:
    result = imported(tape, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "out": str(tape.with_name("orders.jsonl")),
        "events": 2,
        "skipped": 0,
        "api_keys": 0,
        "symbols": 1,
        "tapes": {"public trades": 1},
    }
    assert len(tape.with_name("orders.jsonl").read_text().splitlines()) == 2


def test_a_rate_gives_the_notional(tape: Path) -> None:
    assert imported(tape, "--usd-per-quote", "usdt=0.5").exit_code == 0
    first = json.loads(tape.with_name("orders.jsonl").read_text().splitlines()[0])
    assert first["notional"] == pytest.approx(61685.99 * 0.00017 * 0.5)


@pytest.mark.parametrize("rate", ["150", "SOL=", "SOL=much", "SOL=0", "SOL=nan", "SOL=inf", "=1"])
def test_a_rate_must_be_a_currency_and_a_positive_number(tape: Path, rate: str) -> None:
    result = imported(tape, "--usd-per-quote", rate)
    assert result.exit_code == 2
    assert f"{rate!r} must be a currency and its value in USD" in result.stderr


def test_a_file_that_is_no_tape_is_refused(tape: Path) -> None:
    tape.write_text("a,b\n")
    result = imported(tape)
    assert result.exit_code == 1
    assert "columns are a, b; must be of" in result.stderr
    assert not tape.with_name("orders.jsonl").exists()


def test_a_row_that_makes_no_order_event_is_one_line_and_nothing_is_written(tape: Path) -> None:
    tape.write_text(BINANCE.replace(",buy,", ",hold,"))
    result = imported(tape)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"Error: {tape}: line 3 does not fit public trades: the side is"
    )
    assert result.stderr.count("\n") == 1
    assert not tape.with_name("orders.jsonl").exists()


def test_a_tape_is_not_written_over(tape: Path) -> None:
    result = CliRunner().invoke(command, ["--input", str(tape), "--out", str(tape)])
    assert result.exit_code == 2
    assert "is an input, too; give it another name" in result.stderr
    assert tape.read_text() == BINANCE


def test_an_output_that_cannot_be_written_is_one_line(tape: Path) -> None:
    out = tape.with_name("nowhere") / "orders.jsonl.gz"
    result = CliRunner().invoke(command, ["--input", str(tape), "--out", str(out)])
    assert result.exit_code == 1
    assert result.stderr == f"Error: {out} cannot be written: No such file or directory\n"
