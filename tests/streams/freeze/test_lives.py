"""Whatever comes, in whatever order, over any number of restarts: what must always hold."""

import tempfile
from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.freeze.actions import Act, Outcome
from streams.freeze.audit import verify
from streams.freeze.cases import State, cases_of
from streams.freeze.requests import Ask
from tests.streams.freeze.stand import Stand, leak

KEYS: Final = ("a", "b", "c")
PER_MINUTE: Final = 3
POLICY: Final[dict[str, Any]] = {
    "cool_down_s": 30,
    "approval_expires_s": 50,
    "budget": {"per_minute": PER_MINUTE},
    "calls": {"again_every_s": 5, "give_up_after_s": 1e9},
    "breaker": {"failures": 4},
}

keys = st.sampled_from(KEYS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("alert"), keys, st.integers(1, 9)),
        st.tuples(st.just("wait"), st.integers(0, 90)),
        st.tuples(st.just("restart")),
        st.tuples(st.just("fault"), st.sampled_from(["lost", "drop", "garbage", "status"])),
        st.tuples(st.just("approve"), keys),
        st.tuples(st.just("unfreeze"), keys),
        st.tuples(st.just("stop")),
        st.tuples(st.just("resume")),
    ),
    max_size=14,
)


def take(stand: Stand, step: tuple[Any, ...]) -> None:
    match step:
        case ("alert", key, number):
            stand.hear(leak(10 * KEYS.index(key) + number, key, event_ts=round(1000 * stand.now)))
        case ("wait", seconds):
            stand.settle(seconds)
        case ("restart",):
            stand.again(**POLICY)
        case ("fault", kind):
            stand.fail(kind=kind)
        case ("approve", key):
            case = stand.outbox.open_case(key, Act.FREEZE_KEY)
            stand.ask(Ask.APPROVE, case.id if case else "none")
        case ("unfreeze", key):
            stand.ask(Ask.UNFREEZE, key)
        case (what,):
            stand.ask(Ask(what))


@settings(max_examples=15, deadline=None)
@given(steps)
def test_the_exchange_has_what_the_audit_says_and_the_audit_is_sound(
    story: list[tuple[Any, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stand = Stand(Path(folder), **POLICY)
        for step in story:
            take(stand, step)
        stand.exchange.faults = []
        stand.settle(5)
        stand.settle(5)  # all that was to be tried again has been
        check(stand)
        stand.outbox.close()


def check(stand: Stand) -> None:
    entries = stand.entries()
    assert verify(enumerate(entry.encode() for entry in entries), stand.outbox.head).is_sound
    cases = cases_of(entries)
    assert cases == {case.id: case for case in stand.outbox.cases_in(*State)}
    assert not any(case.state in {State.FREEZING, State.UNFREEZING} for case in cases.values())
    done = [effect["id"] for effect in stand.exchange.state()["effects"]]
    for case in cases.values():
        frozen = [name for name in done if name.startswith(f"{case.id}-freeze_key-")]
        told = [(e.case, e.act, e.outcome) for e in entries]
        assert len(frozen) <= told.count((case.id, Act.FREEZE_KEY, Outcome.INTENDED))
        if case.state == State.FROZEN:
            assert stand.keys[case.subject] == "frozen"
        if case.state == State.UNFROZEN and not stand.outbox.open_case(case.subject, case.act):
            assert stand.keys[case.subject] != "frozen"
    alone = [
        entry.ts
        for entry in entries
        if (entry.act, entry.outcome, entry.approvers) == (Act.FREEZE_KEY, Outcome.INTENDED, [])
    ]
    assert all(
        later - first > 60_000 for first, later in zip(alone, alone[PER_MINUTE:], strict=False)
    )
