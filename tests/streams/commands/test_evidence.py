import csv
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from streams.cli import run
from streams.freeze.actions import Act, Outcome, Rule
from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings
from streams.topics import ensure_topics, topic_specs
from tests.streams.freeze.entries import chain, entry

START = 1_670_562_611_000
KEY, ACCOUNT, THIEF = "key-of-the-user", "account-of-the-user", "account-of-the-thief"
ALERT = "0123456789abcdef"
SAID = "AXSUSDT is all but new to this key."

Evidence = Callable[..., Path]


def order(second: int, *, own: bool, symbol: str = "AXSUSDT") -> dict[str, Any]:
    return {
        "event_id": f"{symbol}-{second}-{own}",
        "ts": START + 1000 * second,
        "venue": "v",
        "symbol": symbol,
        "api_key": KEY if own else "key-of-another",
        "account": ACCOUNT if own else "account-of-another",
        "side": "buy",
        "price": 1.0 + second / 1000,
        "qty": "2",
        "counterparty": THIEF,
    }


def alert(places: list[int]) -> dict[str, Any]:
    reason = {"feature": "pair_novelty", "value": 0.001, "typical": 0.5, "contribution": 0.6}
    data = {
        "event_id": "AXSUSDT-500-True",
        "event_ts": START + 500_000,
        "severity": "critical",
        "score": 0.99999,
        "threshold": 0.999,
        "model": "model-1",
        "config": "config-1",
        "symbol": "AXSUSDT",
        "venue": "v",
        "reasons": [reason | {"text": SAID}],
        "recommended_action": "freeze_key",
        "evidence": {"from_ts": START + 480_000, "to_ts": START + 500_000, "event_ids": ["x"]},
        "api_key": KEY,
        "account": ACCOUNT,
        "app": "app-1",
    }
    kind = "roguekey.alert.leaked_key.v1"
    about = {"specversion": "1.0", "id": ALERT, "source": "roguekey", "type": kind, "subject": KEY}
    return about | {"time": "2022-12-09T05:18:31.000Z", "data": data, "places": places}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A broker with orders of many, an alert with its headers, and what was done about it."""
    with EmbeddedBroker() as broker:
        names = Settings().topics
        ensure_topics([broker.address], topic_specs(names, 3))
        producer = KafkaProducer(bootstrap_servers=broker.address, linger_ms=20)
        sent = {}
        for second in range(1000):
            for symbol in ("AXSUSDT", "BTCUSDT"):
                made = order(second, own=second % 10 == 0, symbol=symbol)
                value = json.dumps(made).encode()
                sent[second, symbol] = producer.send(names.orders, value, key=symbol.encode())
        producer.flush()
        spots = [sent[second, "AXSUSDT"].get() for second in (490, 500)]
        events = [{"partition": spot.partition, "offset": spot.offset} for spot in spots]
        headers = [("roguekey-places", json.dumps({"topic": "orders", "events": events}).encode())]
        about = alert([spot.offset for spot in spots])
        producer.send(names.alerts, b"not an alert")
        producer.send(names.alerts, json.dumps(about).encode(), headers=headers)
        done = chain(
            entry(Outcome.INTENDED, api_key=KEY, alert_id=ALERT, score=0.99999, policy="p1"),
            entry(Outcome.REFUSED, api_key="another", alert_id="else", rule=Rule.SCORE),
            entry(Outcome.DONE, api_key=KEY, alert_id=ALERT),
            entry(Outcome.DONE, Act.UNFREEZE_KEY, api_key=KEY, who="eva", why="|it was him"),
        )
        for one in done:
            producer.send(names.freezes, one.encode())
        producer.flush()
        producer.close()
        yield broker.address


@pytest.fixture
def evidence(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evidence:
    def make(*flags: str) -> Path:
        folder = tmp_path / "evidence"
        code = run(["evidence", ALERT, "--out", str(folder), "--brokers", server, *flags])
        assert (code, capsys.readouterr().err) == (0, "")
        return folder

    return make


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_the_folder_holds_the_keys_orders_of_the_window_by_offset(evidence: Evidence) -> None:
    folder = evidence("--margin", "60")
    found = lines(folder / "orders.jsonl")
    assert [one["order"]["event_id"] for one in found if one["order"]["symbol"] == "AXSUSDT"] == [
        f"AXSUSDT-{second}-True" for second in range(420, 561, 10)
    ]
    assert sum(one["order"]["symbol"] == "BTCUSDT" for one in found) == 15
    weighed = [one["order"]["event_id"] for one in found if one["weighed"]]
    assert weighed == ["AXSUSDT-490-True", "AXSUSDT-500-True"]


def test_prices_features_ids_and_what_was_done_are_there(evidence: Evidence) -> None:
    folder = evidence("--margin", "60")
    with (folder / "prices.csv").open() as file:
        prices = list(csv.DictReader(file))
    assert len(prices) == 141
    assert {row["accused"] for row in prices} == {"yes", ""}
    assert (folder / "prices.svg").read_text().count("<circle") == 15
    assert SAID in (folder / "features.csv").read_text()
    ids = json.loads((folder / "model.json").read_bytes())
    assert (ids["model"], ids["config"], ids["policies"]) == ("model-1", "config-1", ["p1"])
    acts = [(one["act"], one["outcome"]) for one in lines(folder / "actions.jsonl")]
    freeze, undo = str(Act.FREEZE_KEY), str(Act.UNFREEZE_KEY)
    assert acts == [(freeze, "intended"), (freeze, "done"), (undo, "done")]


def test_no_cell_is_a_formula(evidence: Evidence) -> None:
    with (evidence() / "timeline.csv").open() as file:
        assert [row["why"] for row in csv.DictReader(file)][-1] == "'|it was him"


@pytest.mark.parametrize("flags", [(), ("--redact",)])
def test_the_manifest_fits_every_file(flags: tuple[str, ...], evidence: Evidence) -> None:
    folder = evidence(*flags)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["complete"]
    there = {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert there == set(manifest["files"])
    for name, known in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert (sha256(content).hexdigest(), len(content)) == (known["sha256"], known["bytes"])


def test_a_redacted_copy_shows_the_users_own_data_and_nothing_of_others_or_of_the_detector(
    evidence: Evidence,
) -> None:
    folder = evidence("--redact")
    everything = b"".join(path.read_bytes() for path in folder.iterdir()).decode()
    secret = (THIEF, "another", "pair_novelty", SAID, "0.99999", "0.999", "model-1", "eva", "him")
    assert [word for word in secret if word in everything] == []
    assert len(lines(folder / "orders.jsonl")) == 2 * 100
    assert "the key was frozen" in everything
    assert "the key was unfrozen" in everything


def test_the_same_alert_gives_the_same_bytes(evidence: Evidence, tmp_path: Path) -> None:
    first = evidence().rename(tmp_path / "first")
    second = evidence()
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-alert", "--out", "OUT"], "no alert 'no-such-alert' lies on topic alerts"),
        ([ALERT, "--out", "FULL"], "is not empty"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    arguments: list[str],
    words: str,
    server: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / "file").touch()
    folders = [str(tmp_path / one) if one.isupper() else one for one in arguments]
    assert run(["evidence", *folders, "--brokers", server]) == 1
    assert words in capsys.readouterr().err
