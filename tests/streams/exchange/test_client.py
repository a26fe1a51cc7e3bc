import base64
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from standardwebhooks import Webhook

from streams.exchange.client import ExchangeClient, SecretError, Signer, read_signer
from streams.exchange.wire import Call, Operation, Verdict

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
Reply = Callable[[httpx.Request], httpx.Response]


def client(reply: Reply, clock: Callable[[], float] = time.time) -> ExchangeClient:
    transport = httpx.MockTransport(reply)
    return ExchangeClient("http://exchange", Signer(SECRET), transport=transport, clock=clock)


def test_a_call_can_be_verified_by_any_library_of_standard_webhooks() -> None:
    seen: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    with client(reply) as exchange:
        answer = exchange.attempt(Call("case-1", Operation.FREEZE_KEY, "k/ü 1", "looks leaked"))
    assert answer.verdict == Verdict.DONE
    body = Webhook(SECRET).verify(seen[0].content, dict(seen[0].headers))
    assert body["type"] == "key.freeze"
    assert body["data"]["api_key"] == "k/ü 1"
    assert seen[0].url.path == Operation.FREEZE_KEY.path
    assert seen[0].headers["idempotency-key"] == seen[0].headers["webhook-id"] == "case-1"


def test_each_operation_names_its_subject_in_the_body_and_nothing_in_the_url() -> None:
    seen: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    with client(reply) as exchange:
        exchange.attempt(Call("1", Operation.UNFREEZE_KEY, "SUBJECT", "r"))
        exchange.attempt(Call("2", Operation.REMOVE_KEY, "SUBJECT", "r"))
        exchange.attempt(Call("3", Operation.HOLD_WITHDRAWALS, "SUBJECT", "r"))
        exchange.attempt(Call("4", Operation.RELEASE_WITHDRAWALS, "SUBJECT", "r"))
    bodies = [msgspec.json.decode(request.content) for request in seen]
    assert [body["type"] for body in bodies] == [
        "key.unfreeze",
        "key.remove",
        "withdrawals.hold",
        "withdrawals.release",
    ]
    fields = ["api_key", "api_key", "account", "account"]
    assert [body["data"][f] for body, f in zip(bodies, fields, strict=True)] == ["SUBJECT"] * 4
    assert not any("SUBJECT" in str(request.url) for request in seen)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DONE),
        (204, Verdict.DONE),
        (301, Verdict.REFUSED),
        (307, Verdict.REFUSED),
        (400, Verdict.REFUSED),
        (401, Verdict.REFUSED),
        (404, Verdict.REFUSED),
        (408, Verdict.AGAIN),
        (429, Verdict.AGAIN),
        (500, Verdict.AGAIN),
        (503, Verdict.AGAIN),
    ],
)
def test_what_a_status_means(status: int, verdict: Verdict) -> None:
    asked: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(status, headers={"location": "http://elsewhere/"})

    with client(reply) as exchange:
        assert exchange.attempt(Call("1", Operation.FREEZE_KEY, "k", "r")).verdict == verdict
    assert asked == ["exchange"]


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadTimeout(""), httpx.RemoteProtocolError("?")]
)
def test_no_answer_is_an_answer_to_ask_again(error: httpx.HTTPError) -> None:
    def reply(_: httpx.Request) -> httpx.Response:
        raise error

    with client(reply) as exchange:
        answer = exchange.attempt(Call("1", Operation.FREEZE_KEY, "k", "r"))
    assert (answer.verdict, answer.status) == (Verdict.AGAIN, 0)
    assert answer.detail.startswith("no answer: ")


def test_the_exchange_says_when_to_come_back() -> None:
    def reply(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503, headers={"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"})

    with client(reply, clock=lambda: 20.0) as exchange:
        assert exchange.attempt(Call("1", Operation.FREEZE_KEY, "k", "r")).retry_after_s == 40.0


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "x" * 5])
def test_a_secret_that_cannot_be_used_is_never_shown(secret: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(secret)
    with pytest.raises(SecretError) as raised:
        read_signer(file)
    assert str(file) in str(raised.value)
    assert not secret or secret not in str(raised.value).replace(str(file), "")


def test_a_signer_does_not_show_its_secret() -> None:
    assert SECRET.removeprefix("whsec_") not in repr(Signer(SECRET))
