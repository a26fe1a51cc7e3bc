"""Notices, confirmations and removals: intended first, then attempted, then settled.

An intent lies in the state file before the call, with the id that every attempt bears; state,
entry and the end of the intent are one transaction after it. A process that is killed in between
makes the same call again, which is the same call to whoever gets it.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from models.lifecycle.machine import KeyState, Mode, Step, done, flagged, next_step
from models.lifecycle.policy import DAY_MS, Policy
from streams.exchange.client import wait_s
from streams.exchange.wire import Answer, Verdict
from streams.lifecycle.entries import Entry, Reason, decode_entry, entry_id
from streams.lifecycle.holds import Hold
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.outbox import PAUSE_S, Delivery, Outbox, pause_s
from streams.lifecycle.owners import Hands
from streams.lifecycle.store import Store
from streams.lifecycle.wording import DONE, Teller

FRESH_MS: Final = 15_000  # within which what was read counts as the present
AT_ONCE: Final = 64  # steps between two looks at the clock
CALLS: Final = 8  # at a time
LETTER_MS: Final = 600_000  # after which a letter, whose dates are of its writing, is written anew
MOST: Final = 1000  # keys in one transaction

Clock = Callable[[], int]  # ms since the Unix epoch
Tell = Callable[[Entry, bool], None]  # an entry, and whether the owner hears of it too

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be begun in 24 hours."""

    notices: int
    removals: int


class Steps:
    """The steps of one process."""

    def __init__(
        self, store: Store, keys: KeyRows, policy: Policy, teller: Teller, hands: Hands, tell: Tell
    ) -> None:
        self._store = store
        self._keys = keys
        self._outbox = Outbox(store.sql)
        self._policy = policy
        self._teller = teller
        self._hands = hands
        self._tell = tell

    def intend(self, now: int, observed_since: int, limits: Limits, mode: Mode) -> int:
        """Flag idle keys and those whose days are over; gives how many."""
        most = min(MOST, limits.notices - self._outbox.made_in_a_day(Step.NOTICE, now))
        unused: list[KeyState] = []
        if most > 0 and observed_since and now - observed_since >= self._policy.idle_ms:
            unused = self._keys.unused_since(now - self._policy.idle_ms, most)
        due = self._keys.notified_and_due(now, MOST)
        if not (unused or due):
            return 0
        with self._store.transaction():
            self._keys.save(flagged(key, observed_since, mode) for key in unused)
            added = [self._intend(Step.NOTICE, key, now, key.renewed, now) for key in unused]
            added += [self._intend(Step.CONFIRMATION, key, now, key.notified_at) for key in due]
        return sum(added)

    def _intend(self, step: Step, key: KeyState, now: int, *basis: int) -> bool:
        call_id = entry_id(DONE[step], key.api_key, *basis)
        return self._outbox.add_step(call_id, step, key.api_key, now)

    def take(self, now: int, observed_since: int, limits: Limits, clock: Clock) -> int:
        """Attempt what is due, as long as what was read is the present; gives how many."""
        taken = 0
        for step in (Step.REMOVAL, Step.CONFIRMATION, Step.NOTICE):
            while clock() - now < FRESH_MS:
                deliveries = self._next(step, now, limits)
                if not deliveries:
                    break
                self._attempt(deliveries, step, observed_since, clock)
                taken += len(deliveries)
        return taken

    def shortage(self, now: int, limits: Limits) -> list[Hold]:
        """Say whether more removals are due than the day still allows."""
        if limits.removals > self._outbox.begun_in_a_day(Step.REMOVAL, now):
            return []
        waiting = len(self._outbox.steps(Step.REMOVAL, now, MOST, is_begun=False))
        if not waiting:
            return []
        return [Hold(Reason.BUDGET, f"{limits.removals} removals a day are used up")]

    def _next(self, step: Step, now: int, limits: Limits) -> list[Delivery]:
        begun = self._outbox.steps(step, now, AT_ONCE, is_begun=True)
        most = AT_ONCE - len(begun)
        if step is Step.REMOVAL:
            most = min(most, limits.removals - self._outbox.begun_in_a_day(step, now))
        if most <= 0:
            return begun
        return begun + self._outbox.steps(step, now, most, is_begun=False)

    def _attempt(
        self, deliveries: Sequence[Delivery], step: Step, observed_since: int, clock: Clock
    ) -> None:
        now = clock()
        keys = self._keys.get(delivery.api_key for delivery in deliveries)
        due = [
            self._written(delivery, keys[delivery.api_key], step, now)
            for delivery in deliveries
            if self._is_due(keys[delivery.api_key], step, observed_since, now)
        ]
        with self._store.transaction():
            self._outbox.begin(due, now)
        with ThreadPoolExecutor(CALLS) as pool:
            answers = dict(zip((d.seq for d in due), pool.map(self._call, due), strict=True))
        at = clock()
        with self._store.transaction():
            for delivery in deliveries:
                key, answer = keys[delivery.api_key], answers.get(delivery.seq)
                if answer is None:
                    self._wait_for_turn(delivery, key, step, observed_since, at)
                else:
                    self._settle(delivery, key, step, answer, at)

    def _written(self, delivery: Delivery, key: KeyState, step: Step, now: int) -> Delivery:
        """Write what the owner is told: once for all attempts, and anew when it is out of date."""
        if step is Step.REMOVAL:
            return delivery
        if delivery.body and now - decode_entry(delivery.body).ts < LETTER_MS:
            return delivery
        entry = self._teller.done(done(key, step, now, self._policy), step, now)
        return replace(delivery, body=entry.encode())

    def _is_due(self, key: KeyState, step: Step, observed_since: int, now: int) -> bool:
        """Ask the state machine once more, whatever the outbox says."""
        turn = next_step(key, self._policy, observed_since)
        return turn is not None and turn[0] is step and turn[1] <= now

    def _call(self, delivery: Delivery) -> Answer:
        if delivery.body is None:
            return self._hands.remove(delivery.api_key, delivery.id)
        return self._hands.tell(decode_entry(delivery.body).id, delivery.body)

    def _wait_for_turn(
        self, delivery: Delivery, key: KeyState, step: Step, observed_since: int, at: int
    ) -> None:
        """Put off what is due later by now, since the days of inactivity became more."""
        turn = next_step(key, self._policy, observed_since)
        if turn is not None and turn[0] is step:
            # Looked at again before its turn: the days may become fewer again.
            self._outbox.postpone(delivery, min(turn[1], at + round(PAUSE_S * 1000)))
        else:
            log.error("step %s came out of turn and is dropped", step)
            self._outbox.finish([delivery])

    def _settle(
        self, delivery: Delivery, key: KeyState, step: Step, answer: Answer, at: int
    ) -> None:
        if answer.verdict is Verdict.DONE:
            self._succeed(delivery, key, step, at)
        else:
            self._fail(delivery, key, step, answer, at)

    def _succeed(self, delivery: Delivery, key: KeyState, step: Step, at: int) -> None:
        after = done(key, step, at, self._policy)
        self._keys.save([after])
        self._outbox.finish([delivery])
        self._tell(self._teller.done(after, step, at), step is Step.REMOVAL)
        if step is Step.CONFIRMATION:
            self._intend(Step.REMOVAL, key, at, key.notified_at)

    def _fail(self, delivery: Delivery, key: KeyState, step: Step, answer: Answer, at: int) -> None:
        is_refused = answer.verdict is Verdict.REFUSED
        wait = PAUSE_S if is_refused else wait_s(pause_s(delivery), answer)
        is_told = (is_refused or delivery.ends_a_series) and at - delivery.told >= DAY_MS
        self._outbox.postpone(delivery, at + round(wait * 1000), at if is_told else 0)
        if is_told:
            self._tell(self._teller.failed(key, step, at, answer.detail), False)
