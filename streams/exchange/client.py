"""Signed calls to the exchange, one attempt at a time.

A client never raises for what the other side does: whatever happens is an `Answer`. Redirects are
not followed, since a signed call must not be carried to where nobody asked for it.
"""

import time
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx
from standardwebhooks import Webhook
from typing_extensions import override

from streams.closing import Closing
from streams.exchange.wire import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    Answer,
    Call,
    Verdict,
)

RETRY_AT_S: Final = (0.0, 1.0, 2.0, 5.0, 15.0, 30.0)  # wait before each attempt
TIMEOUT_S: Final = 5.0
SECRET_BYTES: Final = (24, 64)  # as Standard Webhooks wants it
MOST_WAIT_S: Final = 3600.0  # that an exchange may ask for
DETAIL_CHARS: Final = 200  # of a foreign text, at most

Clock = Callable[[], float]  # seconds since the epoch


class SecretError(ValueError):
    """The signing secret cannot be used; the message never shows it."""


class Signer:
    """Signs bodies after Standard Webhooks (HMAC-SHA256 over id, time and body)."""

    def __init__(self, secret: str) -> None:
        try:
            key = b64decode(secret.strip().removeprefix("whsec_"), validate=True)
        except ValueError as error:
            raise SecretError("must be base64, as in whsec_MfKQ9r8G…") from error
        least, most = SECRET_BYTES
        if not least <= len(key) <= most:
            raise SecretError(f"has {len(key)} bytes; must have {least} to {most}")
        self._webhook = Webhook(key)

    def headers(self, call_id: str, body: bytes, now: float) -> dict[str, str]:
        """Give the headers of one attempt; `now` in seconds since the epoch."""
        moment = datetime.fromtimestamp(int(now), UTC)
        return {
            ID_HEADER: call_id,
            TIME_HEADER: str(int(now)),
            SIGNATURE_HEADER: self._webhook.sign(call_id, moment, body.decode()),
            "idempotency-key": call_id,
            "content-type": "application/json",
        }

    @override
    def __repr__(self) -> str:
        return "Signer(…)"


def read_signer(path: Path) -> Signer:
    """Read the secret from a file; `SecretError` says what is wrong, never what is in it."""
    try:
        return Signer(path.read_text("utf-8"))
    except OSError as error:
        raise SecretError(f"file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SecretError(f"file {path} is not text") from error
    except SecretError as error:
        raise SecretError(f"file {path} holds no secret: {error}") from error


class Caller(Closing):
    """Posts signed bodies to one address, each attempt answered by an `Answer`."""

    def __init__(
        self,
        url: str,
        signer: Signer,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Clock = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._signer = signer
        self._clock = clock
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,  # no proxy, no .netrc: signed calls go where the setting says
            transport=transport,
        )

    def post(self, path: str, call_id: str, body: bytes) -> Answer:
        """Make one attempt."""
        headers = self._signer.headers(call_id, body, self._clock())
        try:
            answer = self._http.post(path, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            detail = str(error) or type(error).__name__
            return Answer(Verdict.AGAIN, f"no answer: {detail[:DETAIL_CHARS]}")
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> Answer:
        status = answer.status_code
        detail = f"HTTP {status}"
        said = " ".join(answer.text[:DETAIL_CHARS].split())
        if 200 <= status < 300:
            return Answer(Verdict.DONE, detail, status)
        if status in {408, 425, 429} or status >= 500:
            wait = retry_after_s(answer.headers.get("retry-after"), self._clock())
            return Answer(Verdict.AGAIN, f"{detail} {said}".strip(), status, wait)
        if 300 <= status < 400:
            return Answer(Verdict.REFUSED, f"{detail}: redirects are not followed", status)
        return Answer(Verdict.REFUSED, f"{detail} {said}".strip(), status)

    @override
    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class ExchangeClient(Caller):
    """The calls of the exchange interface; thread-safe."""

    def attempt(self, call: Call) -> Answer:
        """Make one attempt at a call, whose id must be the same for every attempt at it."""
        return self.post(call.operation.path, call.id, call.body())


def wait_s(delay_s: float, answer: Answer) -> float:
    """Seconds until the next attempt: as scheduled, or longer where the exchange asks for it.

    >>> [wait_s(delay, Answer(Verdict.AGAIN, "busy", 503, 9.0)) for delay in (5.0, 30.0)]
    [9.0, 30.0]
    >>> wait_s(5.0, Answer(Verdict.AGAIN, "busy", 503))
    5.0
    """
    return max(delay_s, answer.retry_after_s or 0.0)


def retry_after_s(value: str | None, now: float) -> float | None:
    """Read `Retry-After`, seconds or a date; at most `MOST_WAIT_S`; None where it says nothing.

    >>> retry_after_s("7", 0.0), retry_after_s("Thu, 01 Jan 1970 00:00:30 GMT", 10.0)
    (7.0, 20.0)
    >>> retry_after_s("soon", 0.0) is retry_after_s(None, 0.0) is None
    True
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), MOST_WAIT_S)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, moment.timestamp() - now), MOST_WAIT_S)
