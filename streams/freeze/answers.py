"""What the hook does about requests of people; every one is answered by an entry."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from models.unreadable import UNREADABLE
from streams.freeze.actions import Act, Outcome, Rule
from streams.freeze.book import FREEZING, UNDO, Book
from streams.freeze.by_hand import CAN_BE_APPROVED, ByHand, Refusal, whom
from streams.freeze.cases import Case, State, case_id
from streams.freeze.intake import stand_in_id
from streams.freeze.outbox import BREAKER, STOP_MESSAGE
from streams.freeze.requests import Ask, Request, decode_request

CAN_BE_UNDONE: Final = (
    State.FROZEN,
    State.FREEZING,
    State.FAILED,
    State.UNFREEZE_FAILED,
    State.CANCELLED,  # the exchange may have acted before
)


class Answers:
    """Requests, answered within a transaction."""

    def __init__(self, book: Book, by_hand: ByHand) -> None:
        self._book = book
        self._by_hand = by_hand

    def answer(self, value: bytes | None, under_way: Collection[str]) -> None:
        """Do what a record of the requests topic asks for, unless that was answered before.

        `under_way` are the ids of calls that are being made at this moment.
        """
        try:
            request = decode_request(value or b"")
        except UNREADABLE as error:
            self._refuse_unread(value, str(error))
            return
        if self._book.outbox.knows_request(request.id):
            return
        if request.ask == Ask.STOP:
            self._stop(request, under_way)
        elif request.ask == Ask.RESUME:
            self._resume(request)
        elif request.ask in {Ask.FREEZE, Ask.PROPOSE}:
            self._freeze(request)
        else:
            self._decide(request, under_way)

    def _freeze(self, request: Request) -> None:
        """Do what a person asks for by hand; a case that waits, or that failed, is approved."""
        case = self._book.outbox.open_case(request.subject, request.act)
        if case is not None and case.state in CAN_BE_APPROVED and request.ask == Ask.FREEZE:
            self._approve(request, case)
        elif refusal := self._by_hand.open(request):
            self._refuse(request, None, *refusal, **whom(request))

    def _decide(self, request: Request, under_way: Collection[str]) -> None:
        case = self._find(request)
        if case is None:
            why = "there is no such case"
            if request.ask == Ask.UNFREEZE:
                why = "there is no freeze of that name that could be ended"
            self._refuse(request, None, Rule.NO_CASE, why)
        elif request.ask == Ask.APPROVE:
            self._approve(request, case)
        elif request.ask == Ask.REJECT:
            self._reject(request, case, under_way)
        else:
            self._unfreeze(request, case)

    def _find(self, request: Request) -> Case | None:
        outbox = self._book.outbox
        case = outbox.case(request.subject)
        if case is not None or request.ask != Ask.UNFREEZE:
            return case
        found = (self._undoable(request.subject, act) for act in FREEZING)
        return next((case for case in found if case is not None), None)

    def _undoable(self, subject: str, act: Act) -> Case | None:
        waits = self._book.outbox.last_case(subject, act, State.PENDING)
        if waits is not None and _can_be_undone(waits):
            return waits
        return self._book.outbox.last_case(subject, act, *CAN_BE_UNDONE)

    def _approve(self, request: Request, case: Case) -> None:
        refusal = self._not_approvable(request, case)
        if refusal is not None:
            self._refuse(request, case, *refusal)
            return
        approvers = [*case.approvers, request.who]
        needs = max(0, case.needs - 1)
        book = self._book
        book.write(
            case.act,
            Outcome.APPROVED,
            request.reason,
            rule=Rule.BY_HAND if request.ask == Ask.FREEZE else Rule.REQUEST,
            who=request.who,
            case=case,
            approvers=approvers,
            needs=needs,
            keys=case.keys,
            until=case.until,
            request=request.id,
        )
        if needs:
            return
        approved = msgspec.structs.replace(case, approvers=approvers)
        if case.act == Act.FREEZE_APP:
            self._freeze_keys(request, approved)
        else:
            book.intend(case.act, request.reason, approved, who=request.who, rule=Rule.REQUEST)

    def _not_approvable(self, request: Request, case: Case) -> Refusal | None:
        """Say what stands against it, if anything."""
        if case.state not in CAN_BE_APPROVED:
            return Rule.NO_CASE, f"the case is {case.state}; only pending or failed can be approved"
        if refusal := self._by_hand.too_old(request):
            return refusal
        if case.state == State.PENDING:
            names = {name.casefold() for name in case.approvers}
            if case.until is not None and case.until <= self._book.now_ms:
                return Rule.NO_CASE, "the approval has expired"
            if request.who.casefold() in names:
                why = f"{request.who} has proposed or approved it; somebody else must approve"
                return Rule.APPROVERS, why
        by_hand = case.by_hand or request.ask == Ask.FREEZE
        return self._by_hand.forbidden(case.api_key, case.account, case.app, by_hand=by_hand)

    def _freeze_keys(self, request: Request, app: Case) -> None:
        """Freeze each key that an app's alert names, unless that is done or forbidden."""
        for key in dict.fromkeys(app.keys):
            case = msgspec.structs.replace(
                app,
                id=case_id(Act.FREEZE_KEY, key, app.alert_id or app.id),
                act=Act.FREEZE_KEY,
                subject=key,
                api_key=key,
                account=self._book.outbox.account_of(key),  # an app's alert names none
            )
            self._freeze_one(request, app, case)

    def _freeze_one(self, request: Request, app: Case, case: Case) -> None:
        """Freeze a key of an app; whatever else becomes of it is told in an entry, too."""
        book, who = self._book, request.who
        old = book.outbox.open_case(case.subject, case.act)
        if why := self._protected(case):
            book.write(case.act, Outcome.REFUSED, why, rule=Rule.ALLOW_LIST, case=case, who=who)
            return
        if old is not None and old.state != State.PENDING and not book.outbox.is_given_up(old):
            why = f"case {old.id} is {old.state} already"
            book.write(case.act, Outcome.REFUSED, why, rule=Rule.OPEN_CASE, case=case, who=who)
            return
        if old is not None:
            why = f"the app-wide freeze {app.id} takes its place"
            book.cancel(old, 0, Rule.OPEN_CASE, why, who)
        why = f"app-wide freeze {app.id}: {request.reason}"
        book.intend(case.act, why, case, who=who, rule=Rule.REQUEST)

    def _protected(self, case: Case) -> str:
        """Say how the allow list protects a key of an app; empty where it does not."""
        policy, now = self._book.policy, self._book.clock()
        if line := policy.allowed(case.api_key, case.account, case.app, now):
            return line.why
        if case.account is None and policy.names_accounts(now):
            return "its account is not known, and may be on the allow list: freeze the key by hand"
        return ""

    def _reject(self, request: Request, case: Case, under_way: Collection[str]) -> None:
        book = self._book
        call = book.outbox.call(case.id)
        begun = case.id in under_way or (call is not None and call.attempts > 0)
        if case.state not in {State.PENDING, State.FREEZING, State.FAILED}:
            self._refuse(request, case, Rule.NO_CASE, f"the case is {case.state}")
            return
        if begun or case.may_be_done:
            why = "the exchange has been called and may have acted: unfreeze it instead"
            self._refuse(request, case, Rule.EXCHANGE, why)
            return
        book.outbox.drop_call(case.id)
        book.write(
            case.act,
            Outcome.REJECTED,
            request.reason,
            rule=Rule.REQUEST,
            who=request.who,
            case=case,
            request=request.id,
        )

    def _unfreeze(self, request: Request, case: Case) -> None:
        if case.act == Act.FREEZE_APP and case.state == State.APPROVED:
            self._unfreeze_keys(request, case)
        elif case.act in UNDO and _can_be_undone(case):
            self._undo(request, case, request.id)
        else:
            self._refuse(request, case, Rule.NO_CASE, f"the case is {case.state}")

    def _unfreeze_keys(self, request: Request, app: Case) -> None:
        """End what an app-wide freeze did, key by key."""
        ended = 0
        for key in dict.fromkeys(app.keys):
            case = self._book.outbox.case(case_id(Act.FREEZE_KEY, key, app.alert_id or app.id))
            if case is not None and case.state in CAN_BE_UNDONE:
                self._undo(request, case, None)
                ended += 1
        book = self._book
        why = f"{request.reason} ({ended} keys)"
        book.write(
            Act.FREEZE_APP,
            Outcome.CANCELLED,
            why,
            rule=Rule.REQUEST,
            who=request.who,
            case=app,
            request=request.id,
        )

    def _undo(self, request: Request, case: Case, answers: str | None) -> None:
        self._book.intend(
            UNDO[case.act],
            request.reason,
            case,
            who=request.who,
            rule=Rule.REQUEST,
            request=answers,
        )

    def _stop(self, request: Request, under_way: Collection[str]) -> None:
        book = self._book
        if book.outbox.is_on(STOP_MESSAGE):
            self._refuse(request, None, Rule.KILL_SWITCH, "the kill switch is on already")
            return
        self._switch(request, Act.KILL_SWITCH, Outcome.ON)
        book.cancel_all(Rule.KILL_SWITCH, "the kill switch is on", set(under_way))

    def _resume(self, request: Request) -> None:
        outbox = self._book.outbox
        on = [
            act
            for act, switch in ((Act.KILL_SWITCH, STOP_MESSAGE), (Act.BREAKER, BREAKER))
            if outbox.is_on(switch)
        ]
        for act in on:
            self._switch(request, act, Outcome.OFF)
        if not on:
            why = "there is nothing to resume; a kill file must be removed by hand"
            self._refuse(request, None, Rule.NO_CASE, why)

    def _switch(self, request: Request, act: Act, outcome: Outcome) -> None:
        self._book.write(
            act, outcome, request.reason, rule=Rule.REQUEST, who=request.who, request=request.id
        )

    def _refuse(
        self, request: Request, case: Case | None, rule: Rule, why: str, **about: Any
    ) -> None:
        self._book.write(
            case.act if case else _ABOUT.get(request.ask, request.act if about else Act.REVIEW),
            Outcome.REFUSED,
            f"{request.ask}: {why}",
            rule=rule,
            who=request.who,
            case=case,
            request=request.id,
            **about,
        )

    def _refuse_unread(self, value: bytes | None, why: str) -> None:
        request_id = stand_in_id(value)
        if not self._book.outbox.knows_request(request_id):
            self._book.write(
                Act.REVIEW,
                Outcome.REFUSED,
                f"a request that cannot be read: {why}",
                rule=Rule.MALFORMED,
                request=request_id,
            )


def _can_be_undone(case: Case) -> bool:
    """Whether the exchange acted, or may have before people were asked."""
    asked_again = case.state == State.PENDING and case.may_be_done
    return case.state in CAN_BE_UNDONE or asked_again


_ABOUT: Final = {
    Ask.UNFREEZE: Act.UNFREEZE_KEY,
    Ask.STOP: Act.KILL_SWITCH,
    Ask.RESUME: Act.BREAKER,
}
