import base64
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streams.exchange.client import ExchangeClient, Signer
from streams.exchange.mock import Fault, MockExchange, MockServer
from streams.exchange.wire import Call, Operation, Verdict
from tests.patience import PATIENCE_S, wait_until

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()


@pytest.fixture
def exchange() -> Iterator[MockExchange]:
    mock = MockExchange(SECRET)
    yield mock
    mock.close()


@pytest.fixture
def server(exchange: MockExchange) -> Iterator[str]:
    with MockServer(exchange) as serving:
        yield serving.url


@pytest.fixture
def client(server: str) -> Iterator[ExchangeClient]:
    with ExchangeClient(server, Signer(SECRET), timeout_s=PATIENCE_S) as signed:
        yield signed


def test_it_does_what_it_is_asked_to(client: ExchangeClient, exchange: MockExchange) -> None:
    client.attempt(Call("1", Operation.FREEZE_KEY, "a", "r"))
    client.attempt(Call("2", Operation.FREEZE_KEY, "b", "r"))
    client.attempt(Call("3", Operation.UNFREEZE_KEY, "b", "r"))
    client.attempt(Call("4", Operation.REMOVE_KEY, "c", "r"))
    client.attempt(Call("5", Operation.HOLD_WITHDRAWALS, "x", "r"))
    state = exchange.state()
    assert state["keys"] == {"a": "frozen", "b": "active", "c": "removed"}
    assert state["accounts"] == {"x": "held"}
    assert (
        client.attempt(Call("6", Operation.RELEASE_WITHDRAWALS, "x", "r")).verdict == Verdict.DONE
    )
    assert exchange.state()["accounts"] == {"x": "active"}


def test_it_acts_once_per_id(client: ExchangeClient, exchange: MockExchange) -> None:
    assert [
        client.attempt(Call("1", Operation.FREEZE_KEY, "a", "r")).verdict for _ in range(3)
    ] == [Verdict.DONE] * 3
    assert len(exchange.state()["effects"]) == 1
    assert client.attempt(Call("1", Operation.FREEZE_KEY, "other", "r")).status == 409


def test_it_keeps_its_state(tmp_path: Path) -> None:
    for call_id in ("1", "1", "2"):
        mock = MockExchange(SECRET, tmp_path / "state")
        with (
            MockServer(mock) as server,
            ExchangeClient(server.url, Signer(SECRET)) as client,
        ):
            assert (
                client.attempt(Call(call_id, Operation.FREEZE_KEY, "a", "r")).verdict
                == Verdict.DONE
            )
        effects = len(mock.state()["effects"])
        mock.close()
    assert effects == 2


def test_it_believes_nobody_without_the_secret(server: str, exchange: MockExchange) -> None:
    with ExchangeClient(server, Signer(OTHER)) as stranger:
        assert stranger.attempt(Call("1", Operation.FREEZE_KEY, "a", "r")).status == 401
    with ExchangeClient(server, Signer(SECRET), clock=lambda: time.time() - 600) as late:
        assert late.attempt(Call("1", Operation.FREEZE_KEY, "a", "r")).status == 401
    assert httpx.post(f"{server}/v1/key/freeze", trust_env=False).status_code == 401
    assert exchange.state()["keys"] == {}


def test_a_removed_key_is_gone(client: ExchangeClient) -> None:
    client.attempt(Call("1", Operation.REMOVE_KEY, "a", "r"))
    assert client.attempt(Call("2", Operation.UNFREEZE_KEY, "a", "r")).status == 404
    assert client.attempt(Call("3", Operation.REMOVE_KEY, "a", "r")).verdict == Verdict.DONE


@pytest.mark.parametrize(
    ("fault", "verdict", "done"),
    [
        (Fault("status", status=500), Verdict.AGAIN, False),
        (Fault("status", status=302, location="http://elsewhere/"), Verdict.REFUSED, False),
        (Fault("slow", delay_s=0.6), Verdict.AGAIN, True),
        (Fault("drop"), Verdict.AGAIN, False),
        (Fault("lost"), Verdict.AGAIN, True),
        (Fault("garbage"), Verdict.AGAIN, False),
    ],
)
def test_it_fails_as_it_is_told_and_recovers(
    fault: Fault,
    verdict: Verdict,
    done: bool,
    server: str,
    client: ExchangeClient,
    exchange: MockExchange,
) -> None:
    exchange.faults = [fault]
    timeout_s = 0.3 if fault.kind == "slow" else PATIENCE_S
    with ExchangeClient(server, Signer(SECRET), timeout_s=timeout_s) as asking:
        assert asking.attempt(Call("1", Operation.FREEZE_KEY, "a", "r")).verdict == verdict
    wait_until(lambda: not done or exchange.state()["effects"])
    assert bool(exchange.state()["effects"]) is done
    assert client.attempt(Call("1", Operation.FREEZE_KEY, "a", "r")).verdict == Verdict.DONE
    assert len(exchange.state()["effects"]) == 1


def test_faults_are_set_over_http_for_some_calls_only(server: str, client: ExchangeClient) -> None:
    faults = [{"kind": "status", "status": 503, "count": -1, "subject": "a"}]
    assert httpx.post(f"{server}/mock/faults", json=faults, trust_env=False).status_code == 204
    assert client.attempt(Call("1", Operation.FREEZE_KEY, "a", "r")).status == 503
    assert client.attempt(Call("2", Operation.FREEZE_KEY, "b", "r")).verdict == Verdict.DONE
    wrong = httpx.post(f"{server}/mock/faults", json=[{"kind": "odd"}], trust_env=False)
    assert wrong.status_code == 400
    assert httpx.get(f"{server}/mock/state", trust_env=False).json()["keys"] == {"b": "frozen"}
