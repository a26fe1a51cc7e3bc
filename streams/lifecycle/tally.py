"""How many of a day's orders could not be read: where many could not, uses were missed."""

from typing import Final

from models.lifecycle.policy import DAY_MS
from streams.lifecycle.store import Store
from streams.lifecycle.wording import moment

MOST: Final = 50  # unreadable orders of a day that are nobody's concern, whatever their share
MOST_SHARE: Final = 0.01  # of the orders that were read on a day
FACT: Final = "tally"  # the day since the epoch, its orders, the unreadable ones, and if it is told


def tally(store: Store, events: int, unreadable: int, now: int) -> str:
    """Count orders in, within a transaction; gives what is to be told if too many are unreadable.

    That is told once a day: an operator who has looked at it is not held again for the same cause.
    """
    day, told = now // DAY_MS, 0
    kept = [int(number) for number in (store.fact(FACT) or "0").split()]
    if kept[0] == day:
        events, unreadable, told = events + kept[1], unreadable + kept[2], kept[3]
    is_too_much = unreadable > max(MOST, MOST_SHARE * events)
    store.keep(FACT, f"{day} {events} {unreadable} {int(told or is_too_much)}")
    if told or not is_too_much:
        return ""
    since = moment(day * DAY_MS)
    return f"{unreadable:,} of the {events:,} orders read since {since} could not be"
