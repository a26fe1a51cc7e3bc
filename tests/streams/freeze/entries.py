"""Entries for tests, with little to say."""

from typing import Any

from streams.freeze.actions import GENESIS, POLICY, Act, Entry, Mode, Outcome, sealed


def entry(outcome: Outcome, act: Act = Act.FREEZE_KEY, **fields: Any) -> Entry:
    usual = {"ts": 1, "rule": None, "why": "w", "who": POLICY, "mode": Mode.AUTO, "case": "c"}
    usual |= {"api_key": "key-1", "account": "account-1", "app": "app-1"}
    return Entry(seq=0, act=act, outcome=outcome, **(usual | fields))


def chain(*entries: Entry) -> list[Entry]:
    """The same entries, chained."""
    chained: list[Entry] = []
    for number, one in enumerate(entries, 1):
        chained.append(sealed(one, number, chained[-1].hash if chained else GENESIS))
    return chained
