"""The inactive-key policy at work: read up to the present, then act, then tell.

Whoever acts on old news removes keys that were used since. So every action follows a look at the
ends of all topics and the reading of everything up to them, seconds before.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from models.alerts.masking import masked
from models.lifecycle.machine import KeyState, Mode, Phase, reactivated, rescue
from models.lifecycle.policy import Policy
from streams.exchange.client import wait_s
from streams.exchange.wire import Answer, Verdict
from streams.lifecycle.entries import Entry, Kind, Reason
from streams.lifecycle.feed import Feed
from streams.lifecycle.holds import Hold, Watch
from streams.lifecycle.intake import Intake
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.outbox import Channel, Delivery, Outbox, pause_s
from streams.lifecycle.owners import Hands
from streams.lifecycle.steps import AT_ONCE, CALLS, FRESH_MS, MOST, Clock, Limits, Steps
from streams.lifecycle.store import StateError, Store
from streams.lifecycle.wording import Teller, moment

CLOCK_SLACK_MS: Final = 300_000  # that a clock may be put back by
CLOCK_STEP_MS: Final = 60_000  # between two times that are kept
MOST_ATTEMPTS: Final = 60  # to tell an owner what nothing waits for: some ten hours

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a process goes by."""

    policy: Policy
    mode: Mode
    limits: Limits
    watch: Watch
    lifecycle_topic: str
    observed_since: int = 0  # ms, as the operator knows; 0: since the first order that was read


class Process:
    """One policy on one state file."""

    def __init__(
        self, store: Store, feed: Feed, intake: Intake, keys: KeyRows, hands: Hands, rules: Rules
    ) -> None:
        self.counts: Counter[Kind] = Counter()  # entries since the start
        self.holds: list[Hold] = []
        self.is_held = False
        self._store = store
        self._feed = feed
        self._intake = intake
        self._keys = keys
        self._hands = hands
        self._rules = rules
        self._outbox = Outbox(store.sql)
        self._teller = Teller(rules.policy, rules.mode)
        self._steps = Steps(store, keys, rules.policy, self._teller, hands, self._tell)

    def begin(self, now: int) -> None:
        """Refuse a clock that went back; forget notices that another mode only pretended."""
        ahead = self._store.time("clock")
        if now < ahead - CLOCK_SLACK_MS:
            raise StateError(
                f"state file {self._store.path} has been at {moment(ahead)}, and now is"
                f" {moment(now)}; to try other times, use another state file"
            )
        mode = self._rules.mode
        with self._store.transaction():
            if self._store.fact("mode") != mode:
                on_the_way = self._keys.on_the_way(-1)
                self._keys.save(reactivated(key) for key in on_the_way if not _is_gone(key))
                self._outbox.drop_all()
            self._store.keep("mode", mode)
            self._store.keep("policy", self._rules.policy.name)

    def tick(self, clock: Clock) -> bool:
        """Read, act and tell once; says whether there is more to be done at once."""
        now = clock()
        bounds = self._feed.bounds()
        self._intake.begin(bounds, now)
        if not self._intake.catch_up(bounds, clock) or clock() - now > FRESH_MS:
            return True
        observed_since = self._observed_since(now)
        self._spare(now, observed_since)
        is_held = self._look_around(now)
        done = 0
        if not is_held:
            limits = self._rules.limits
            done = self._steps.intend(now, observed_since, limits, self._rules.mode)
            done += self._steps.take(now, observed_since, limits, clock)
        done += self._tell_owners(clock)
        done += self._tell_topic(now)
        if now - self._store.time("clock") >= CLOCK_STEP_MS:
            self._store.keep("clock", now)
        return done > 0

    def _observed_since(self, now: int) -> int:
        """Give the time since which uses are known completely, ms; 0: nobody knows."""
        first = self._store.time("first_order")
        if not first and (first := self._intake.first_order(now)):
            self._store.keep("first_order", first)
        since = self._rules.observed_since or first
        return max(since, self._store.time("restarted")) if since else 0

    def _spare(self, now: int, observed_since: int) -> None:
        """Bring back what was heard of, what is exempt, and what was counted without knowledge."""

        def begun_before(most: int) -> list[KeyState]:
            return self._keys.begun_before(observed_since, most)

        for found in (self._keys.heard_of, self._keys.exempt_on_the_way, begun_before):
            while keys := found(MOST):
                with self._store.transaction():
                    for key in keys:
                        self._reconsider(key, observed_since, now)

    def _reconsider(self, key: KeyState, observed_since: int, now: int) -> None:
        spared = rescue(key, self._rules.policy, observed_since)
        if spared is None:  # heard of, but nothing that matters: do not look again
            self._keys.save([replace(key, basis=max(key.basis, key.renewed))])
            return
        after, why = spared
        self._keys.save([after])
        note = ""
        if self._outbox.cancel_steps(key.api_key):
            note = "The exchange had been asked to remove it, and has not answered: look there."
            log.warning("a key was rescued while its removal was under way: %s", why)
        entry = self._teller.spared(key, after, why, now, note)
        self._tell(entry, key.phase is not Phase.IDLE)  # of which its owner has not heard

    def _look_around(self, now: int) -> bool:
        """Say whether nothing may be done; tell when that begins and ends."""
        since = max(self._store.time("first_order"), self._store.time("restarted"))
        holds = self._rules.watch.holds(self._store, since, now)
        is_held = bool(holds)
        holds += self._steps.shortage(now, self._rules.limits)
        held, before = "; ".join(hold.text for hold in holds), self._store.fact("held") or ""
        if bool(held) != bool(before):
            with self._store.transaction():
                self._tell(self._turn(holds, now), False)
                self._store.keep("held", held)
                self._store.keep("actor", "")
        if held and not self.holds:
            log.warning("held: %s", held)
        self.holds, self.is_held = holds, is_held
        return is_held

    def _turn(self, holds: Sequence[Hold], now: int) -> Entry:
        if holds:
            text = "; ".join(hold.text for hold in holds)
            return self._teller.of_policy(Kind.HOLD, holds[0].reason, now, f"Held: {text}.")
        actor = self._store.fact("actor")
        reason = Reason.ACKNOWLEDGED if actor else Reason.RECOVERED
        entry = self._teller.of_policy(Kind.RESUME, reason, now, "The policy acts again.")
        return _by(entry, actor)

    def _tell(self, entry: Entry, to_owner: bool) -> None:
        """Intend to tell an entry, within a transaction that is open."""
        self.counts[entry.kind] += 1
        self._outbox.add(Channel.TOPIC, entry)
        if to_owner and self._rules.mode is Mode.ENFORCE:
            self._outbox.add(Channel.NOTIFIER, entry)

    def _tell_owners(self, clock: Clock) -> int:
        messages = self._outbox.messages(Channel.NOTIFIER, clock(), AT_ONCE)
        if not messages:
            return 0
        with ThreadPoolExecutor(CALLS) as pool:
            answers = list(pool.map(self._call_notifier, messages))
        now = clock()
        with self._store.transaction():
            self._outbox.begin(messages, now)
            for message, answer in zip(messages, answers, strict=True):
                if answer.verdict is Verdict.DONE:
                    self._outbox.finish([message])
                elif message.attempts >= MOST_ATTEMPTS:
                    name, why = masked(message.api_key), answer.detail
                    log.warning("%s of key %s: its owner is not told: %s", message.kind, name, why)
                    self._outbox.finish([message])
                else:
                    pause = wait_s(pause_s(message), answer)
                    self._outbox.postpone(message, now + round(pause * 1000))
        return len(messages)

    def _call_notifier(self, message: Delivery) -> Answer:
        call_id = message.id.removeprefix(f"{Channel.NOTIFIER}-")
        return self._hands.tell(call_id, message.body or b"")

    def _tell_topic(self, now: int) -> int:
        messages = self._outbox.messages(Channel.TOPIC, now, MOST)
        if messages:
            self._feed.tell(self._rules.lifecycle_topic, map(_record, messages))
            with self._store.transaction():
                self._outbox.finish(messages)
        return len(messages)


def _record(message: Delivery) -> tuple[bytes, bytes]:
    return message.api_key.encode(), message.body or b""


def _is_gone(key: KeyState) -> bool:
    return key.phase is Phase.REMOVED and key.mode is Mode.ENFORCE


def _by(entry: Entry, actor: str | None) -> Entry:
    return msgspec.structs.replace(entry, actor=actor) if actor else entry
