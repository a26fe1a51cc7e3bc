"""Who carries out what the policy decides: the notifier and the exchange, or nobody."""

from typing import Protocol
from urllib.parse import urlsplit

from typing_extensions import override

from streams.exchange.client import Caller, ExchangeClient, Signer
from streams.exchange.wire import Answer, Call, Operation, Verdict

REASON = "inactive key"


class Hands(Protocol):
    """What is done to the world; an id is the same for every attempt at the same thing."""

    def tell(self, call_id: str, body: bytes) -> Answer:
        """Send an entry to the notifier."""

    def remove(self, api_key: str, call_id: str) -> Answer:
        """Let the exchange remove a key."""


class DryRun(Hands):
    """Does nothing, and always succeeds."""

    @override
    def tell(self, call_id: str, body: bytes) -> Answer:
        return Answer(Verdict.DONE, "dry run")

    @override
    def remove(self, api_key: str, call_id: str) -> Answer:
        return Answer(Verdict.DONE, "dry run")


class SignedCalls(Hands):
    """Calls notifier and exchange; thread-safe."""

    def __init__(self, notifier: Caller, path: str, exchange: ExchangeClient) -> None:
        self._notifier = notifier
        self._path = path
        self._exchange = exchange

    @override
    def tell(self, call_id: str, body: bytes) -> Answer:
        return self._notifier.post(self._path, call_id, body)

    @override
    def remove(self, api_key: str, call_id: str) -> Answer:
        return self._exchange.attempt(Call(call_id, Operation.REMOVE_KEY, api_key, REASON))


def notifier(url: str, signer: Signer) -> tuple[Caller, str]:
    """Give the caller of a webhook, and the path on which it listens.

    >>> signer = Signer("whsec_" + "A" * 32)
    >>> notifier("https://exchange.example/hooks/keys", signer)[1]
    '/hooks/keys'
    """
    parts = urlsplit(url)
    return Caller(f"{parts.scheme}://{parts.netloc}", signer), parts.path or "/"
