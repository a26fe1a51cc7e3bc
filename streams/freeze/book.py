"""The pen: writes decisions into the outbox, with what belongs to every one of them.

All of it is called within a transaction of the outbox.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from models.alerts.masking import masked
from streams.freeze.actions import POLICY, Act, Entry, Mode, Outcome, Rule
from streams.freeze.cases import Case, State, subject_of
from streams.freeze.outbox import (
    BREAKER,
    STOP_FILE,
    STOP_MESSAGE,
    CallBody,
    Outbox,
    OutgoingCall,
)
from streams.freeze.policy import Policy

ALARM: Final = "alarm"  # kind of a call that pages people
REMEMBERED: Final = 1000  # pages
FREEZING: Final = (Act.FREEZE_KEY, Act.HOLD_WITHDRAWALS)
UNDO: Final = {Act.FREEZE_KEY: Act.UNFREEZE_KEY, Act.HOLD_WITHDRAWALS: Act.RELEASE_WITHDRAWALS}

log = logging.getLogger(__name__)


class Book:
    """The outbox, the policy and the clock, and how decisions are written down."""

    def __init__(self, outbox: Outbox, policy: Policy, clock: Callable[[], float]) -> None:
        self.outbox = outbox
        self.policy = policy
        self.clock = clock  # seconds since the epoch
        self._policy_id = policy.id
        self._paged: deque[str] = deque(maxlen=REMEMBERED)

    @property
    def now_ms(self) -> int:
        """The present, ms."""
        return round(1000 * self.clock())

    @property
    def mode(self) -> Mode:
        """Mode in force: an open breaker turns auto into approve."""
        tripped = self.policy.mode == Mode.AUTO and self.outbox.is_on(BREAKER)
        return Mode.APPROVE if tripped else self.policy.mode

    @property
    def is_stopped(self) -> bool:
        """Whether the kill switch is on, as far as the outbox knows."""
        return self.outbox.is_on(STOP_FILE) or self.outbox.is_on(STOP_MESSAGE)

    def write(
        self,
        act: Act,
        outcome: Outcome,
        why: str,
        *,
        rule: Rule | None = None,
        who: str = POLICY,
        case: Case | None = None,
        opens: str = "",
        **fields: Any,
    ) -> Entry:
        """Write one decision; what is known of the case is filled in.

        `opens` is the id of a case that this decision opens.
        """
        entry = Entry(
            seq=0,
            ts=self.now_ms,
            act=act,
            outcome=outcome,
            rule=rule,
            why=why,
            who=who,
            mode=self.mode,
            policy=self._policy_id,
            **({"case": opens} | _known(case) | fields),
        )
        key = entry.api_key or ""
        log.info("%s %s: %s (%s, by %s)", act, outcome, without(key, why), masked(key), who)
        return self.outbox.append(entry)

    def intend(
        self,
        act: Act,
        why: str,
        case: Case,
        *,
        who: str = POLICY,
        rule: Rule | None = None,
        **f: Any,
    ) -> Entry:
        """Decide that the exchange is to be told; replaces what it was to be told of this case."""
        entry = self.write(act, Outcome.INTENDED, why, rule=rule, who=who, case=case, **f)
        self.call_for(entry)
        return entry

    def call_for(self, entry: Entry) -> None:
        """Remember the call that an intention needs."""
        body = CallBody(subject_of(entry), entry.why, entry.alert_id, entry.hash)
        self._put_call(entry.case, entry.act, body)

    def call_again(self, case: Case) -> None:
        """Remember the call that a case waits for."""
        act = UNDO[case.act] if case.state == State.UNFREEZING else case.act
        body = CallBody(case.subject, case.why, case.alert_id, case.intention)
        # It may have been called before: of that, no entry tells.
        self._put_call(case.id, act, body, attempts=1)

    def _put_call(self, case_id: str, act: Act, body: CallBody, attempts: int = 0) -> None:
        now = self.clock()
        due = now + self.policy.calls.retry_at_s[0]
        encoded = msgspec.json.encode(body)
        self.outbox.put_call(OutgoingCall(case_id, act, attempts, due, now, encoded))

    def cancel(self, case: Case, attempts: int, rule: Rule, why: str, who: str = POLICY) -> None:
        """Let a freeze that the exchange has not confirmed be."""
        attempts = max(attempts, case.attempts)
        if attempts:
            why = f"{why}; the exchange was called {attempts} times before, and may have acted"
        self.outbox.drop_call(case.id)
        self.write(
            case.act, Outcome.CANCELLED, why, rule=rule, who=who, case=case, attempts=attempts
        )

    def cancel_all(self, rule: Rule, why: str, spared: set[str]) -> None:
        """Cancel all freezes that wait for the exchange, but for calls that are being made."""
        for act in FREEZING:
            for call in self.outbox.calls_of_kind(act):
                case = self.outbox.case(call.id)
                if case is not None and call.id not in spared:
                    self.cancel(case, call.attempts, rule, why)

    def trip(self, rule: Rule, why: str) -> None:
        """Open the breaker: from now on people are asked."""
        if self.outbox.is_on(BREAKER):
            return
        self.write(Act.BREAKER, Outcome.ON, f"{why}: asking for approval from now on", rule=rule)
        self.page("breaker", f"the breaker is open: {why}", f"breaker-{self.outbox.head[0]}")

    def page(self, kind: str, text: str, alarm_id: str, **more: Any) -> None:
        """Call people; the same id calls them once in a life of the hook."""
        if alarm_id in self._paged:
            return
        self._paged.append(alarm_id)
        log.error("paging: %s", text)
        data = {"text": text, **more}
        body = msgspec.json.encode({"type": f"freeze.{kind}", "data": data})
        now = self.clock()
        self.outbox.put_call(OutgoingCall(f"alarm-{alarm_id}", ALARM, 0, now, now, body))


def without(key: str, text: str) -> str:
    """Mask a key in a text that others wrote, such as an exchange's answer.

    >>> without("abcdefghijklm", "no key abcdefghijklm"), without("", "text")
    ('no key abcd…jklm', 'text')
    """
    return text.replace(key, masked(key)) if key else text


def _known(case: Case | None) -> dict[str, Any]:
    if case is None:
        return {}
    return {
        "case": case.id,
        "api_key": case.api_key,
        "account": case.account,
        "app": case.app,
        "symbol": case.symbol,
        "alert_id": case.alert_id,
        "incident": case.incident,
        "severity": case.severity,
        "score": case.score,
        "event_ts": case.event_ts,
        "approvers": case.approvers,
    }
