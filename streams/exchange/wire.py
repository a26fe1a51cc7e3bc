"""What goes over the wire to the exchange; `deploy/exchange.openapi.yaml` says the same in YAML.

Every call is a POST whose body names what is to be done and to whom: the body is what is signed
(Standard Webhooks), and a URL with a key in it would end up in the logs of every proxy. The same
`webhook-id` means the same call: the exchange acts on the first and repeats its answer after that.
"""

from enum import StrEnum
from typing import Final

import msgspec


class Operation(StrEnum):
    """What the exchange can be asked to do, and under which path."""

    FREEZE_KEY = "key.freeze"
    UNFREEZE_KEY = "key.unfreeze"
    REMOVE_KEY = "key.remove"
    HOLD_WITHDRAWALS = "withdrawals.hold"
    RELEASE_WITHDRAWALS = "withdrawals.release"

    @property
    def path(self) -> str:
        """Path of its URL.

        >>> Operation.FREEZE_KEY.path
        '/v1/key/freeze'
        """
        return "/v1/" + self.replace(".", "/")

    @property
    def of_account(self) -> bool:
        """Whether its subject is an account, not a key."""
        return self in {Operation.HOLD_WITHDRAWALS, Operation.RELEASE_WITHDRAWALS}


class Call(msgspec.Struct, frozen=True):
    """A call, ready to be sent any number of times under its id."""

    id: str  # idempotency key
    operation: Operation
    subject: str  # API key, or account
    reason: str
    requested_by: str = "roguekey"
    alert_id: str | None = None

    def body(self) -> bytes:
        """Give the JSON that is signed and sent."""
        subject = {"account" if self.operation.of_account else "api_key": self.subject}
        data = subject | {
            "reason": self.reason,
            "requested_by": self.requested_by,
            "alert_id": self.alert_id,
        }
        return msgspec.json.encode({"type": self.operation, "data": data})


class Verdict(StrEnum):
    """What an answer means for the caller."""

    DONE = "done"
    AGAIN = "again"  # nothing known: ask again later, under the same id
    REFUSED = "refused"  # for good


class Answer(msgspec.Struct, frozen=True):
    """What came of one attempt."""

    verdict: Verdict
    detail: str  # for people, without any secret
    status: int = 0  # HTTP; 0 where there was no answer
    retry_after_s: float | None = None  # as the exchange asks


ID_HEADER: Final = "webhook-id"
TIME_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
