"""Why nothing may be done: uses may have been missed.

A key that looks idle because its orders were lost is an honest user's key about to be deleted. So
the policy acts only while it knows of every hour since it began to count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from models.lifecycle.policy import DAY_MS
from streams.lifecycle.entries import Reason
from streams.lifecycle.store import HOUR_MS, Store
from streams.lifecycle.wording import moment

MARGIN_DAYS = 30  # looked at beyond the idle days


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason, in words."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Watch:
    """How much silence is suspicious; `max_silence_h` 0: none is."""

    max_silence_h: int
    idle_days: int

    def holds(self, store: Store, observed_since: int, now: int) -> list[Hold]:
        """Give what keeps the policy from acting now."""
        lost = [Hold(Reason.LOST_ORDERS, text) for text in store.losses()]
        silent = [
            Hold(
                Reason.SILENCE,
                f"no orders from {moment(start * HOUR_MS)} to {moment(end * HOUR_MS)}",
            )
            for start, end in self.silences(store, observed_since, now)
        ]
        return lost + silent

    def silences(self, store: Store, observed_since: int, now: int) -> list[tuple[int, int]]:
        """Give hours that were silent for too long: the first, and the one behind the last."""
        if not self.max_silence_h or not observed_since:
            return []
        window = (self.idle_days + MARGIN_DAYS) * DAY_MS
        since = max(observed_since, now - window) // HOUR_MS
        until = now // HOUR_MS
        return silences(store.hours(since, until), since, until, self.max_silence_h)


def silences(hours: Sequence[int], since: int, until: int, most: int) -> list[tuple[int, int]]:
    """Find the stretches of at least `most` whole hours without orders, between two hours.

    >>> silences([1, 2, 9], 0, 12, 3)
    [(3, 9)]
    """
    bounds = [since - 1, *hours, until]
    return [(a + 1, b) for a, b in pairwise(bounds) if b - a - 1 >= most]


def acknowledge(
    store: Store, watch: Watch, now: int, actor: str, why: str, *, keep: bool
) -> list[str]:
    """End what holds the policy, and give it in words.

    The days of all keys are counted anew from now; with `keep` they are not, since the operator
    knows that no use was missed.
    """
    since = max(store.time("first_order"), store.time("restarted"))
    ended = [hold.text for hold in watch.holds(store, since, now)]
    if not ended:
        return []
    with store.transaction():
        store.end_losses(now, actor, why)
        store.keep("actor", actor)
        if not keep:
            store.keep("restarted", now)
        for start, end in watch.silences(store, since, now) if keep else ():
            store.add_hours(range(start, end))
    return ended
