"""Freezes that a person asks for, where no alert opened a case.

A person who freezes one key, or holds the withdrawals of one account, has looked: what holds the
hook back (a dry run, severities, budgets, the breaker, the age of an event, the cool-down after an
unfreeze) does not hold a person back, and what a person freezes uses up no budget. What a risk team
means to hold for everybody does: the kill switch, the mode off, and the allow list.
What a person only proposes takes another one to approve.
A request that lay unread for longer than an approval holds freezes nobody: it has to be made anew.
"""

from typing import Any, Final

from streams.freeze.actions import Act, Mode, Outcome, Rule
from streams.freeze.book import Book
from streams.freeze.cases import State, case_id
from streams.freeze.judge import MINUTE_MS
from streams.freeze.requests import Ask, Request

Refusal = tuple[Rule, str]

CAN_BE_APPROVED: Final = (State.PENDING, State.FAILED)


class ByHand:
    """What people ask for by themselves, written within a transaction of the outbox."""

    def __init__(self, book: Book, *, can_call: bool) -> None:
        self._book = book
        self._can_call = can_call  # whether there is an exchange to be told

    def open(self, request: Request) -> Refusal | None:
        """Freeze, or ask for approval; else give what stands against it."""
        refusal = self._refused(request)
        if refusal is None and request.ask == Ask.FREEZE:
            self._freeze(request)
        elif refusal is None:
            self._propose(request)
        return refusal

    def forbidden(
        self, api_key: str | None, account: str | None, app: str | None, *, by_hand: bool
    ) -> Refusal | None:
        """Say what forbids a freeze now, of a case that a person opened or of any other."""
        book = self._book
        if book.is_stopped:
            return Rule.KILL_SWITCH, "the kill switch is on"
        mode = book.policy.mode
        if mode == Mode.OFF or (mode == Mode.DRY_RUN and not by_hand):
            return Rule.MODE, f"the mode is {mode}"
        if line := book.policy.allowed(api_key, account, app, book.clock()):
            return Rule.ALLOW_LIST, line.why
        if not self._can_call:
            return Rule.EXCHANGE, "exchange_url is not set: there is nobody to tell"
        return None

    def too_old(self, request: Request) -> Refusal | None:
        """Say so of a request that lay unread for too long."""
        book = self._book
        age_s, most_s = (book.now_ms - request.ts) / 1000, book.policy.approval_expires_s
        if abs(age_s) <= most_s:
            return None
        return Rule.EVENT_AGE, f"it was asked {age_s:.0f} s ago, and holds {most_s:g} s"

    def _refused(self, request: Request) -> Refusal | None:
        book = self._book
        if refusal := self.too_old(request):
            return refusal
        case = book.outbox.open_case(request.subject, request.act)
        if case is not None and not book.outbox.is_given_up(case):
            return Rule.OPEN_CASE, f"case {case.id} is {case.state} already"
        named = whom(request)
        refusal = self.forbidden(named["api_key"], named["account"], request.app, by_hand=True)
        most = book.policy.most_pending
        if (
            refusal is None
            and request.ask == Ask.PROPOSE
            and (book.outbox.count(State.PENDING) >= most)
        ):
            refusal = Rule.PENDING_LIMIT, f"{most} cases wait already"
        return refusal

    def _freeze(self, request: Request) -> None:
        entry = self._book.write(
            request.act,
            Outcome.INTENDED,
            request.reason,
            rule=Rule.BY_HAND,
            who=request.who,
            opens=self._case_of(request),
            approvers=[request.who],
            alert_id=request.alert_id,
            request=request.id,
            **whom(request),
        )
        self._book.call_for(entry)

    def _propose(self, request: Request) -> None:
        book = self._book
        book.write(
            request.act,
            Outcome.PENDING,
            request.reason,
            rule=Rule.BY_HAND,
            who=request.who,
            opens=self._case_of(request),
            approvers=[request.who],  # so that it takes somebody else
            alert_id=request.alert_id,
            needs=1,
            until=book.now_ms + round(1000 * book.policy.approval_expires_s),
            request=request.id,
            **whom(request),
        )
        text = f"{request.act} waits for approval: {request.who} asks for it"
        book.page("approval", text, f"ask-{book.now_ms // MINUTE_MS}")

    def _case_of(self, request: Request) -> str:
        # A new one each time: the exchange knows a call by its case, and does nothing twice.
        return case_id(request.act, request.subject, request.id)


def whom(request: Request) -> dict[str, Any]:
    """Say whom a request is about, in the fields of an entry."""
    is_key = request.act == Act.FREEZE_KEY
    return {
        "api_key": request.subject if is_key else None,
        "account": request.account if is_key else request.subject,
        "app": request.app,
        "symbol": request.symbol,
    }
