"""The hook itself: alerts in, decisions and calls out. Knows nothing of Kafka.

One thread calls it, again and again: `hear` and `obey` with what came, `turn` in between.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from models.alerts.masking import masked
from streams.exchange.client import Caller, ExchangeClient
from streams.freeze.actions import Act, Entry, Mode, Outcome, Rule
from streams.freeze.answers import Answers
from streams.freeze.book import FREEZING, UNDO, Book
from streams.freeze.by_hand import ByHand
from streams.freeze.calls import Calls
from streams.freeze.cases import Case, State, case_id
from streams.freeze.intake import HeardAlert, MalformedAlert, read_alert, stand_in_id
from streams.freeze.judge import DAY_MS, MINUTE_MS, Verdict, judge
from streams.freeze.outbox import STOP_FILE, Outbox, OutgoingCall
from streams.freeze.policy import Policy

MOST_AT_ONCE: Final = 500  # cases that are looked after in one turn

log = logging.getLogger(__name__)


class Hook:
    """Decides on alerts by the policy, and sees to it that the exchange is told."""

    def __init__(
        self,
        policy: Policy,
        outbox: Outbox,
        executor: Executor,
        *,
        exchange: ExchangeClient | None,
        alarm: Caller | None,
        kill_file: Path,
        clock: Callable[[], float],
    ) -> None:
        self.book = Book(outbox, policy, clock)
        self.repeated = 0  # alerts that were decided on before
        self._answers = Answers(self.book, ByHand(self.book, can_call=exchange is not None))
        self._calls = Calls(self.book, executor, exchange, alarm)
        self._kill_file = kill_file
        self._outbox = outbox
        self._policy = policy

    def resume(self) -> None:
        """Take up what an earlier life left behind, as far as the policy of now allows it."""
        with self._outbox.transaction():
            self._outbox.forget_before(self.book.now_ms - DAY_MS)
            self._remember_calls()
            mode = self._policy.mode
            if mode in {Mode.OFF, Mode.DRY_RUN}:
                spared = self._by_hand() if mode == Mode.DRY_RUN else set()
                self.book.cancel_all(Rule.MODE, f"the mode is {mode} now", spared)
            elif mode == Mode.APPROVE:
                self._ask_again()
            self._cancel_what_is_late()

    def hear(self, values: Sequence[bytes | None]) -> None:
        """Decide on alerts; on disk when this returns."""
        self._look_at_kill_file()
        with self._outbox.transaction():
            for value in values:
                self._hear(value)

    def obey(self, values: Sequence[bytes | None]) -> None:
        """Do what people ask for; on disk when this returns."""
        with self._outbox.transaction():
            for value in values:
                self._answers.answer(value, self._calls.under_way)

    def turn(self) -> None:
        """Do all that is due now; does not wait for the exchange."""
        self._look_at_kill_file()
        self._calls.note_answers()
        self._look_at_the_clock()
        self._calls.make()

    @property
    def is_idle(self) -> bool:
        """Whether no call is being made and none is due."""
        return not self._calls.under_way and not self._outbox.due_calls(self.book.clock(), 1)

    @property
    def is_settled(self) -> bool:
        """Whether every call was answered for good, or tried as often as scheduled."""
        scheduled = len(self._policy.calls.retry_at_s)
        return self.is_idle and not self._outbox.has_calls(scheduled)

    def _hear(self, value: bytes | None) -> None:
        try:
            alert = read_alert(value)
        except MalformedAlert as error:
            self._refuse_unread(value, str(error))
            return
        if self._outbox.knows_alert(alert.id):
            self.repeated += 1
            return
        book = self.book
        verdict = judge(alert, self._policy, self._outbox, book.now_ms, stopped=book.is_stopped)
        if verdict.outcome == Outcome.REFUSED:
            self._write(alert, verdict, "")
            return
        old = self._outbox.open_case(alert.subject, alert.act)
        if old is not None and verdict.outcome != Outcome.WOULD:
            book.cancel(old, 0, Rule.OPEN_CASE, "a newer alert takes its place")
        case = case_id(alert.act, alert.subject, alert.id)
        entry = self._write(alert, verdict, case)
        if verdict.outcome == Outcome.INTENDED:
            book.call_for(entry)
        elif verdict.outcome == Outcome.PENDING:
            minute = book.now_ms // MINUTE_MS
            book.page("approval", f"{alert.act} waits for approval: {verdict.why}", f"ask-{minute}")
            if verdict.trips:
                book.trip(Rule.BUDGET, verdict.why)

    def _write(self, alert: HeardAlert, verdict: Verdict, case: str) -> Entry:
        data, is_pending = alert.data, verdict.outcome == Outcome.PENDING
        expires = self.book.now_ms + round(1000 * self._policy.approval_expires_s)
        return self.book.write(
            alert.act,
            verdict.outcome,
            verdict.why,
            rule=verdict.rule,
            opens=case,
            api_key=data.api_key,
            account=data.account,
            app=data.app,
            keys=data.keys if case else [],
            symbol=data.symbol,
            alert_id=alert.id,
            incident=alert.id if case else None,
            severity=data.severity,
            score=data.score,
            event_ts=data.event_ts,
            needs=verdict.needs,
            until=expires if is_pending else None,
        )

    def _refuse_unread(self, value: bytes | None, why: str) -> None:
        alert_id = stand_in_id(value)
        if self._outbox.knows_alert(alert_id):
            self.repeated += 1
            return
        log.warning("an alert cannot be read: %s", why)
        self.book.write(Act.REVIEW, Outcome.REFUSED, why, rule=Rule.MALFORMED, alert_id=alert_id)

    def _look_at_kill_file(self) -> None:
        there = self._kill_file.exists()
        if there == self._outbox.is_on(STOP_FILE):
            return
        with self._outbox.transaction():
            outcome, verb = (Outcome.ON, "is there") if there else (Outcome.OFF, "is gone")
            why = f"the kill file {self._kill_file.name} {verb}"
            self.book.write(Act.KILL_SWITCH, outcome, why, rule=Rule.KILL_SWITCH)
            if there:
                self.book.cancel_all(Rule.KILL_SWITCH, why, self._calls.under_way)

    def _look_at_the_clock(self) -> None:
        now = self.book.now_ms
        expired = self._outbox.due_cases(State.PENDING, now, MOST_AT_ONCE)
        ended = self._outbox.due_cases(State.FROZEN, now, MOST_AT_ONCE)
        if not expired and not ended:
            return
        with self._outbox.transaction():
            for case in expired:
                self._expire(case)
            for case in ended:
                why = f"{masked(case.subject)} was frozen for as long as the policy says"
                self.book.intend(UNDO[case.act], why, case, rule=Rule.TIME_TO_LIVE)

    def _expire(self, case: Case) -> None:
        why = "nobody approved in time"
        if case.may_be_done:  # so that it can still be unfrozen
            self.book.cancel(case, case.attempts, Rule.APPROVERS, why)
        else:
            self.book.write(case.act, Outcome.EXPIRED, why, case=case, keys=case.keys)

    def _by_hand(self) -> set[str]:
        """Give the cases for which people asked by themselves, and that wait for the exchange."""
        cases = self._outbox.cases_in(State.FREEZING, State.FAILED)
        return {case.id for case in cases if case.by_hand}

    def _remember_calls(self) -> None:
        """Make the calls again that cases wait for, where all but the topic was lost."""
        for case in self._outbox.cases_in(State.FREEZING, State.UNFREEZING):
            if self._outbox.call(case.id) is None:
                self.book.call_again(case)

    def _cancel_what_is_late(self) -> None:
        """Cancel what the hook decided by itself, and would have given up by now."""
        calls = self._policy.calls
        most_s = max(calls.give_up_after_s, sum(calls.retry_at_s))
        for call, case in self._automatic():
            # Not since the call was put down: it may have been made anew from the topic.
            waited_s = (self.book.now_ms - case.intended_ts) / 1000
            if waited_s > most_s:
                why = f"it was decided {waited_s:.0f} s ago, and is tried for {most_s:g} s"
                self.book.cancel(case, call.attempts, Rule.EVENT_AGE, why)

    def _ask_again(self) -> None:
        """Turn what was to be frozen without being asked into a question."""
        for call, case in self._automatic():
            self._outbox.drop_call(call.id)
            self._ask(case, call.attempts)

    def _automatic(self) -> Iterator[tuple[OutgoingCall, Case]]:
        """Give the freezes that wait for the exchange and that no person approved."""
        for act in FREEZING:
            for call in self._outbox.calls_of_kind(act):
                case = self._outbox.case(call.id)
                if case is not None and case.is_automatic:
                    yield call, case

    def _ask(self, case: Case, attempts: int) -> None:
        self.book.write(
            case.act,
            Outcome.PENDING,
            "the hook asks about every freeze now",
            rule=Rule.MODE,
            case=case,
            needs=1,
            attempts=attempts,
            until=self.book.now_ms + round(1000 * self._policy.approval_expires_s),
        )
