import gzip
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.cli import run
from streams.freeze.assembly import assembled
from streams.freeze.service import Service
from streams.kafka.broker import EmbeddedBroker
from tests.patience import PATIENCE_S
from tests.streams.freeze.kafka_stand import exchange, put, settings_for
from tests.streams.freeze.stand import app_leak, leak

Roguekey = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with a running hook, in whose eyes one key and one app leak."""
    started = queue.Queue[Service]()
    with EmbeddedBroker() as embedded, exchange() as (_, url):
        folder = tmp_path_factory.mktemp("hook")
        settings = settings_for(embedded.address, url, folder, mode="auto")

        def serve() -> None:
            with assembled(settings) as service:
                started.put(service)
                service.run()

        thread = threading.Thread(target=serve)
        thread.start()
        service = started.get(timeout=PATIENCE_S)
        now = time.time_ns() // 1_000_000
        put(embedded.address, [leak(key="key-of-a-user", event_ts=now)])
        put(embedded.address, [app_leak(["a", "b"], event_ts=now)])
        yield embedded.address
        service.stop()
        thread.join()


@pytest.fixture
def roguekey(broker: str, capsys: pytest.CaptureFixture[str]) -> Roguekey:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = run([*arguments, "--brokers", broker])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def cases(roguekey: Roguekey, *flags: str) -> dict[str, Any]:
    """Cases by what they are about, once the hook has dealt with both alerts."""
    while True:
        code, out, _ = roguekey("freeze", "list", "--json", *flags)
        found = {case["act"]: case for case in json.loads(out)["cases"]} if code == 0 else {}
        if len(found) == 2 and found["freeze_key"]["state"] != "freezing":
            return found
        time.sleep(0.05)


def test_the_list_shows_what_is_open_and_no_full_key(roguekey: Roguekey) -> None:
    found = cases(roguekey)
    assert found["freeze_key"]["state"] == "frozen"
    assert (found["freeze_app"]["state"], found["freeze_app"]["needs"]) == ("pending", 2)
    code, out, _ = roguekey("freeze", "list")
    assert code == 0
    assert "key-…user" in out
    assert "key-of-a-user" not in out


def test_people_decide_and_what_stands_against_it_is_exit_code_1(roguekey: Roguekey) -> None:
    case = cases(roguekey)["freeze_app"]["case"]
    approve = ("freeze", "approve", case, "--reason", "they called")
    code, out, _ = roguekey(*approve, "--by", "eva")
    assert (code, out) == (0, f"{case}: approved, by eva; 1 more must approve\n")
    code, out, err = roguekey(*approve, "--by", "eva")
    assert (code, out) == (1, "")
    assert "somebody else must" in err
    code, out, _ = roguekey(*approve, "--by", "bo", "--json")
    assert (code, json.loads(out)["needs"]) == (0, 0)
    code, out, _ = roguekey("freeze", "unfreeze", case, "--by", "eva", "--reason", "false alarm")
    assert code == 0
    code, out, _ = roguekey("freeze", "list", "--all", "--json")
    states = {one["subject"]: one["state"] for one in json.loads(out)["cases"]}
    assert states["app-1"] == "cancelled"


def test_a_key_is_unfrozen_in_one_step_and_the_exchange_confirms(roguekey: Roguekey) -> None:
    cases(roguekey, "--all")
    arguments = ("freeze", "unfreeze", "key-of-a-user", "--by", "eva", "--reason", "it was him")
    code, out, _ = roguekey(*arguments)
    assert code == 0
    assert "to be unfrozen, by eva; the exchange confirmed" in out
    code, _, err = roguekey(*arguments)
    assert code == 1
    assert "there is no freeze of that name" in err


def test_a_key_that_no_alert_named_is_frozen_by_hand(roguekey: Roguekey) -> None:
    asked = ("freeze", "key", "key-of-another", "--app", "app-9", "--by", "eva", "--reason", "r")
    code, out, _ = roguekey(*asked)
    assert code == 0
    assert "frozen by hand, by eva; the exchange confirmed" in out
    assert "key-of-another" not in out
    code, _, err = roguekey(*asked)
    assert code == 1
    assert "is frozen already" in err
    assert roguekey("freeze", "unfreeze", "key-of-another", "--reason", "r")[0] == 0


def test_the_kill_switch_is_thrown_and_taken_back(roguekey: Roguekey) -> None:
    assert roguekey("freeze", "stop", "--by", "eva", "--reason", "too many")[0] == 0
    assert "kill_switch is on" in roguekey("freeze", "list")[1]
    assert roguekey("freeze", "resume", "--by", "eva", "--reason", "checked")[0] == 0
    assert "kill_switch is on" not in roguekey("freeze", "list")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("freeze", "unfreeze", "key"),
        ("freeze", "unfreeze", "key", "--reason", " "),
        ("freeze", "approve"),
        ("freeze", "audit", "verify", "--head", "nonsense"),
    ],
)
def test_a_decision_without_reason_or_subject_is_wrong_usage(
    arguments: tuple[str, ...], roguekey: Roguekey
) -> None:
    code, out, err = roguekey(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("roguekey: error: ")
    assert err.count("\n") == 1


def test_the_audit_is_verified_on_the_topic_and_as_a_copy(
    roguekey: Roguekey, tmp_path: Path
) -> None:
    cases(roguekey, "--all")
    code, out, _ = roguekey("freeze", "audit", "verify", "--json")
    found = json.loads(out)
    assert (code, found["sound"]) == (0, True)
    packed, copy = tmp_path / "audit.jsonl.gz", tmp_path / "audit.jsonl"
    for path in (packed, copy):
        assert roguekey("freeze", "audit", "export", "--out", str(path))[0] == 0
    assert gzip.decompress(packed.read_bytes()) == copy.read_bytes()
    head = f"{found['head_seq']}:{found['head_hash']}"
    verify = ("freeze", "audit", "verify", "--input", str(copy), "--head", head)
    assert roguekey(*verify)[0] == 0
    lines = copy.read_bytes().splitlines(keepends=True)
    copy.write_bytes(b"".join(lines[:-1]))
    code, out, err = roguekey(*verify)
    assert code == 1
    assert "missing" in out
    assert err == "roguekey: error: 1 findings in the audit\n"


def test_brokers_out_of_reach_empty_no_earlier_copy_of_the_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "audit.jsonl"
    copy.write_text("of before\n")
    export = ["freeze", "audit", "export", "--out", str(copy)]
    assert run([*export, "--brokers", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith("roguekey: error: brokers 127.0.0.1:1")
    assert copy.read_text() == "of before\n"


def test_where_no_hook_runs_the_request_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EmbeddedBroker() as empty:
        asked = ["freeze", "unfreeze", "key", "--reason", "r", "--timeout", "0.2"]
        assert run([*asked, "--brokers", empty.address]) == 1
    assert "no freeze hook answered within 0.2 s" in capsys.readouterr().err
