"""The calls that the outbox holds: made when they are due, a few at a time, until answered.

The outbox is written by one thread alone; others only wait for answers.
"""

import logging
from collections import deque
from concurrent.futures import Executor, Future
from typing import Final

import msgspec

from models.alerts.masking import masked
from streams.exchange.client import Caller, ExchangeClient, wait_s
from streams.exchange.wire import Answer, Call, Operation, Verdict
from streams.freeze.actions import Act, Outcome, Rule
from streams.freeze.book import ALARM, FREEZING, Book, without
from streams.freeze.cases import FAILURES, UNDOING, Case
from streams.freeze.outbox import CallBody, OutgoingCall

OPERATIONS: Final = {
    Act.FREEZE_KEY: Operation.FREEZE_KEY,
    Act.UNFREEZE_KEY: Operation.UNFREEZE_KEY,
    Act.HOLD_WITHDRAWALS: Operation.HOLD_WITHDRAWALS,
    Act.RELEASE_WITHDRAWALS: Operation.RELEASE_WITHDRAWALS,
}
_body: Final = msgspec.json.Decoder(CallBody).decode

log = logging.getLogger(__name__)


class Calls:
    """What is on its way to the exchange and to whoever is paged."""

    def __init__(
        self,
        book: Book,
        executor: Executor,
        exchange: ExchangeClient | None,
        alarm: Caller | None,
    ) -> None:
        self._book = book
        self._executor = executor
        self._exchange = exchange
        self._alarm = alarm
        self._under_way: dict[str, tuple[OutgoingCall, Future[Answer]]] = {}
        self._failures: deque[float] = deque(maxlen=book.policy.breaker.failures)

    @property
    def under_way(self) -> set[str]:
        """Ids of the calls that are being made now."""
        return set(self._under_way)

    def make(self) -> None:
        """Begin what is due, as far as there is room; within no transaction.

        An attempt is on disk before it is made: whoever dies meanwhile knows that it may have been.
        """
        due = self._due()
        if not due:
            return
        with self._book.outbox.transaction():
            begun = [self._begun(call) for call in due if not self._is_cancelled(call)]
        for call in begun:
            self._under_way[call.id] = call, self._executor.submit(self._attempt, call)

    def _due(self) -> list[OutgoingCall]:
        room = self._book.policy.calls.at_once - len(self._under_way)
        due = self._book.outbox.due_calls(self._book.clock(), room + len(self._under_way))
        return [call for call in due if call.id not in self._under_way][: max(0, room)]

    def _begun(self, call: OutgoingCall) -> OutgoingCall:
        begun = call._replace(attempts=call.attempts + 1)
        self._book.outbox.put_call(begun)
        return begun

    def _is_cancelled(self, call: OutgoingCall) -> bool:
        """Cancel what was decided in an earlier life and is forbidden by now."""
        refusal = self._forbidden(call)
        if refusal is not None:
            self._book.cancel(self._case(call), call.attempts, *refusal)
        return refusal is not None

    def _forbidden(self, call: OutgoingCall) -> tuple[Rule, str] | None:
        if call.kind not in FREEZING:
            return None
        book, case = self._book, self._case(call)
        if book.is_stopped:
            return Rule.KILL_SWITCH, "the kill switch is on"
        if line := book.policy.allowed(case.api_key, case.account, case.app, book.clock()):
            return Rule.ALLOW_LIST, line.why
        return None

    def note_answers(self) -> None:
        """Write down what has been answered; within no transaction."""
        done = [pair for pair in self._under_way.values() if pair[1].done()]
        if not done:
            return
        with self._book.outbox.transaction():
            for call, answer in done:
                self._note(call, answer.result())
        for call, _ in done:
            del self._under_way[call.id]

    def _attempt(self, call: OutgoingCall) -> Answer:
        """Make one attempt; runs in a thread of its own."""
        if call.kind == ALARM:
            if self._alarm is None:
                return Answer(Verdict.REFUSED, "alarm_url is not set")
            return self._alarm.post("", call.id, call.body)
        if self._exchange is None:
            return Answer(Verdict.AGAIN, "exchange_url is not set")
        return self._exchange.attempt(self._as_sent(call))

    def _as_sent(self, call: OutgoingCall) -> Call:
        body, operation = _body(call.body), OPERATIONS[Act(call.kind)]
        call_id = body.call_id(call)
        return Call(call_id, operation, body.subject, body.reason, alert_id=body.alert_id)

    def _note(self, call: OutgoingCall, answer: Answer) -> None:
        if answer.verdict != Verdict.DONE and call.kind != ALARM:
            self._count_failure()
        current = self._book.outbox.call(call.id)
        if current is not None and current.body != call.body:
            confirms = answer.verdict == Verdict.DONE and current.kind == call.kind
            if not confirms:
                return  # decided anew meanwhile, and the exchange will be told so
        if call.kind == ALARM:
            self._note_alarm(call, answer)
        elif answer.verdict == Verdict.AGAIN:
            self._again(call, answer)
        else:
            self._finish(call, answer)

    def _finish(self, call: OutgoingCall, answer: Answer) -> None:
        case = self._case(call)
        self._book.outbox.drop_call(call.id)
        if answer.verdict == Verdict.REFUSED:
            self._fail(call, case, answer)
            return
        until, ttl = None, self._book.policy.unfreeze_after_s
        if ttl is not None and call.kind not in UNDOING:
            until = self._book.now_ms + round(1000 * ttl)
        why = f"the exchange confirmed: {answer.detail}"
        self._tell(call, case, Outcome.DONE, why, until)

    def _again(self, call: OutgoingCall, answer: Answer) -> None:
        """Wait for the next attempt; page people when the schedule is used up."""
        book, calls = self._book, self._book.policy.calls
        case = self._case(call)
        if book.is_stopped and call.kind in FREEZING:
            book.cancel(case, call.attempts, Rule.KILL_SWITCH, "the kill switch is on")
            return
        now = book.clock()
        if call.attempts < len(calls.retry_at_s):
            wait = calls.retry_at_s[call.attempts]
        else:
            wait = calls.again_every_s
            if case.state not in FAILURES:  # not by number: an attempt may have had no answer
                self._fail(call, case, answer)
            if now - call.since >= calls.give_up_after_s:
                book.outbox.drop_call(call.id)
                return
        book.outbox.put_call(call._replace(due=now + wait_s(wait, answer)))

    def _fail(self, call: OutgoingCall, case: Case, answer: Answer) -> None:
        self._tell(call, case, Outcome.FAILED, answer.detail)
        text = f"{call.kind} of case {case.id} failed after {call.attempts} attempts"
        key = masked(case.subject) if case.act == Act.FREEZE_KEY else case.subject
        detail = without(case.api_key or "", answer.detail)
        call_id = _body(call.body).call_id(call)
        self._book.page("failed", f"{text}: {detail}", call_id, subject=key)

    def _tell(
        self,
        call: OutgoingCall,
        case: Case,
        outcome: Outcome,
        why: str,
        until: int | None = None,
    ) -> None:
        self._book.write(
            Act(call.kind),
            outcome,
            why,
            rule=Rule.EXCHANGE,
            case=case,
            attempts=call.attempts,
            until=until,
        )

    def _note_alarm(self, call: OutgoingCall, answer: Answer) -> None:
        book, delays = self._book, self._book.policy.calls.retry_at_s
        if answer.verdict == Verdict.AGAIN and call.attempts < len(delays):
            due = book.clock() + wait_s(delays[call.attempts], answer)
            book.outbox.put_call(call._replace(due=due))
            return
        book.outbox.drop_call(call.id)
        if answer.verdict != Verdict.DONE:
            log.error("nobody could be paged: %s", answer.detail)

    def _count_failure(self) -> None:
        """Open the breaker when too many attempts fail."""
        breaker, now = self._book.policy.breaker, self._book.clock()
        self._failures.append(now)
        if len(self._failures) == breaker.failures and (
            now - self._failures[0] <= breaker.within_s
        ):
            why = f"{breaker.failures} calls failed within {breaker.within_s:g} s"
            self._book.trip(Rule.EXCHANGE, why)

    def _case(self, call: OutgoingCall) -> Case:
        case = self._book.outbox.case(call.id)
        if case is None:
            raise LookupError(f"call {call.id} belongs to no case")
        return case
