"""The extracts are lines of public tapes.

Solana swaps: searadacunha/Why-Solana-Memecoins-Are-Over, MIT. Public trades of many exchanges:
bmoscon/cryptofeed, MIT-style; of Binance: nkaz001/hftbacktest, MIT. Account history:
salah1976/pump-and-dump-benchmark, Apache-2.0.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from models.orders.decode import decode
from streams.tapes.files import TapeError
from streams.tapes.importing import import_tapes, write_events

MINT = "6Fzphy2B4JTUteQ8jGtj9Tc9anpttVXY3CRgGuJTpump"
SOLANA = f"""\
mint,ts_s,trader,side,price_sol,tokens,sol,venue,is_sniper,app_prefixes,sig16
{MINT},1782611393,DQmMnakiKr1YNE2gcpggLCzBrauBwFbQkAaao2FTbjgp,buy,1.0110036e-09,2249329.2,0.0023,PUMP_AMM,0,9NLjj4,2NkmvMaa7n1avgs8
{MINT},1782611393,BE3jabof3sdzbuwqi5mVk4tKpJ8EyFSbrwFjvSZzxS9a,buy,6.9072829e-07,591279.33,0.4084,PUMP_AMM,0,,5xJr7YErkVvBTzj9
{MINT},1782611394,zAnr3GphY5t6xPahAaCQKPNBSxhYEtvV41JTqPFqmbb,sell,,2383276.3,0.0,PUMP_AMM,1,HR9RCP,3BTFY4XfaVP3W7se
"""
MANY_EXCHANGES = """\
exchange,symbol,ts_ms,taker_side,price,qty,trade_id,kind
PHEMEX,sBCHUSDT,1625318883783,sell,50715000000,125000000,,snapshot
PHEMEX,ENJUSD,1625291738612,buy,11061,9,,snapshot
HITBTC,GRTBTC,1622000000000,buy,0.000020295,2.95,1317950670,snapshot
ASCENDEX,CHZ/USDT,1618677616732,sell,0.624801,10,27772246859,live
"""
BINANCE = """\
symbol,ts_ms,taker_side,price,qty,trade_id,local_ts_ns,exec_type
BTCUSDT,1723161601437,sell,61685.99000000,0.00017000,3735693016,1723161600164378285,
"""
YOBIT = """\
time,pair,type,price,amount,total,coin,quote
2017-03-09 16:08:22,AV/BTC,SELL,3.09e-06,1.01010101,3.12e-06,AV,BTC
2017-03-09 16:08:21,AV/BTC,SELL,3.09e-06,1.01010101,3.12e-06,AV,BTC
2017-03-09 16:08:21,AV/BTC,SELL,3.09e-06,0.00555556,1e-08,AV,BTC
"""


def imported(tmp_path: Path, text: str, **usd_per_quote: float) -> list[dict[str, Any]]:
    path = tmp_path / "tape.csv"
    path.write_text(text)
    return import_tapes([path], usd_per_quote).events


@pytest.mark.parametrize("text", [SOLANA, MANY_EXCHANGES, BINANCE, YOBIT])
def test_every_event_is_accepted_by_the_decoder(tmp_path: Path, text: str) -> None:
    write_events(imported(tmp_path, text), tmp_path / "orders.jsonl")
    lines = (tmp_path / "orders.jsonl").read_bytes().splitlines()
    decoded = decode(lines, partition=0, offsets=np.arange(len(lines)), now_ms=1_800_000_000_000)
    assert decoded.refusals == []
    assert len(decoded.batch) == len(lines) > 0


def test_a_wallet_is_account_and_key_and_its_swap_is_worth_its_sol(tmp_path: Path) -> None:
    first, second = imported(tmp_path, SOLANA)
    assert first["account"] == first["api_key"] == "DQmMnakiKr1YNE2gcpggLCzBrauBwFbQkAaao2FTbjgp"
    assert (first["app"], second["app"]) == ("9NLjj4", None)
    assert (first["symbol"], first["venue"], first["side"]) == (MINT, "pump_amm", "buy")
    assert first["ts"] == 1782611393000
    assert first["notional"] == pytest.approx(0.0023 * 150)
    assert imported(tmp_path, SOLANA, SOL=20.0)[0]["notional"] == pytest.approx(0.0023 * 20)


def test_a_row_without_a_price_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "tape.csv"
    path.write_text(SOLANA)
    result = import_tapes([path], {})
    assert (len(result.events), result.skipped, result.kinds) == (2, 1, ["Solana swaps"])


def test_a_public_trade_is_anonymous_and_sorted_by_time(tmp_path: Path) -> None:
    events = imported(tmp_path, MANY_EXCHANGES)
    assert [event["symbol"] for event in events] == ["CHZ/USDT", "GRTBTC", "ENJUSD", "sBCHUSDT"]
    assert {(event["api_key"], event["account"]) for event in events} == {(None, "anonymous")}
    assert events[0]["event_id"] == "ascendex:CHZ/USDT:27772246859"


def test_the_scaled_integers_of_phemex_become_prices(tmp_path: Path) -> None:
    contract, spot = imported(tmp_path, MANY_EXCHANGES)[2:]
    assert (spot["price"], spot["qty"]) == (507.15, 1.25)
    assert (contract["price"], contract["qty"]) == (1.1061, 9.0)


def test_the_notional_is_in_usd_where_the_quote_has_a_rate(tmp_path: Path) -> None:
    chz, grt, *_ = imported(tmp_path, MANY_EXCHANGES, BTC=30_000.0)
    assert grt["notional"] == pytest.approx(0.000020295 * 2.95 * 30_000)
    assert "notional" not in chz


def test_a_tape_without_exchange_is_binance(tmp_path: Path) -> None:
    (event,) = imported(tmp_path, BINANCE)
    assert (event["venue"], event["event_id"]) == ("binance", "binance:BTCUSDT:3735693016")


def test_a_history_belongs_to_one_key_and_its_repeated_ids_are_numbered(tmp_path: Path) -> None:
    events = imported(tmp_path, YOBIT)
    assert {event["api_key"] for event in events} == {"yobit-key"}
    assert [event["event_id"] for event in events] == [
        "yobit:AV/BTC:1489075701000",
        "yobit:AV/BTC:1489075701000#2",
        "yobit:AV/BTC:1489075702000",
    ]


def test_ids_are_unique_over_several_tapes(tmp_path: Path) -> None:
    path = tmp_path / "tape.csv"
    path.write_text(YOBIT)
    events = import_tapes([path, path], {}).events
    assert len({event["event_id"] for event in events}) == len(events) == 6


def test_a_compressed_tape_is_read_like_a_plain_one(tmp_path: Path) -> None:
    packed = tmp_path / "tape.csv.gz"
    packed.write_bytes(gzip.compress(YOBIT.encode()))
    assert import_tapes([packed], {}).events == imported(tmp_path, YOBIT)


def test_an_unknown_header_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"tape.csv: columns are a, b; must be of Solana swaps"):
        imported(tmp_path, "a,b\n1,2\n")
    with pytest.raises(TapeError, match="columns are none"):
        imported(tmp_path, "")


def test_a_row_that_does_not_fit_is_refused_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="line 3 does not fit public trades: could not convert"):
        imported(tmp_path, BINANCE + "BTCUSDT,1723161601437,sell,much,1,1,1,\n")
    with pytest.raises(TapeError, match="line 3 does not fit public trades"):
        imported(tmp_path, BINANCE + "BTCUSDT\n")


@pytest.mark.parametrize(
    ("text", "right", "wrong", "reason"),
    [
        (BINANCE, "61685.99000000", "inf", "inf is no finite number"),
        (BINANCE, "0.00017000", "nan", "nan is no finite number"),
        (BINANCE, "0.00017000", "1e305", "price times size is no finite number"),
        (BINANCE, "sell", "hold", "the side is 'hold'; must be buy or sell"),
        (BINANCE, ",sell,", ",,", "the side is ''; must be buy or sell"),
        (SOLANA, "0.0023", "inf", "inf is no finite number"),
        (SOLANA, ",buy,", ",swap,", "the side is 'swap'; must be buy or sell"),
        (YOBIT, "1.01010101", "-inf", "-inf is no finite number"),
        (YOBIT, "SELL", "HOLD", "the side is 'HOLD'; must be buy or sell"),
    ],
)
def test_a_cell_that_makes_no_order_event_is_refused_by_its_line(
    tmp_path: Path, text: str, right: str, wrong: str, reason: str
) -> None:
    with pytest.raises(TapeError, match=rf"tape\.csv: line 2 does not fit .*: {reason}"):
        imported(tmp_path, text.replace(right, wrong, 1))


def test_the_same_events_give_the_same_bytes_also_compressed(tmp_path: Path) -> None:
    events = imported(tmp_path, YOBIT)
    plain, gz, again, zst = (tmp_path / name for name in ("a.jsonl", "b.gz", "c/b.gz", "d.zst"))
    again.parent.mkdir()
    for path in (plain, gz, again, zst):
        write_events(events, path)
    assert gz.read_bytes() == again.read_bytes()
    assert gzip.decompress(gz.read_bytes()) == plain.read_bytes()
    with zstandard.open(zst, "rb") as file:
        assert file.read() == plain.read_bytes()
    assert [json.loads(line) for line in plain.read_bytes().splitlines()] == events
