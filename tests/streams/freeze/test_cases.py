import pytest

from streams.freeze.actions import Act, Entry, Outcome
from streams.freeze.cases import State, cases_of
from tests.streams.freeze.entries import entry

PENDING = entry(Outcome.PENDING, needs=1, until=900)
APPROVED = entry(Outcome.APPROVED, who="eva", approvers=["eva"])
INTENDED = entry(Outcome.INTENDED, ts=5, hash="5")
DONE = entry(Outcome.DONE, ts=6)
UNFREEZING = entry(Outcome.INTENDED, Act.UNFREEZE_KEY, ts=7)


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ([PENDING], State.PENDING),
        ([PENDING, entry(Outcome.REJECTED)], State.REJECTED),
        ([PENDING, entry(Outcome.EXPIRED)], State.EXPIRED),
        ([PENDING, APPROVED, INTENDED], State.FREEZING),
        ([INTENDED, DONE], State.FROZEN),
        ([INTENDED, entry(Outcome.FAILED)], State.FAILED),
        ([INTENDED, entry(Outcome.FAILED), DONE], State.FROZEN),
        ([INTENDED, entry(Outcome.CANCELLED)], State.CANCELLED),
        ([INTENDED, DONE, UNFREEZING], State.UNFREEZING),
        ([INTENDED, DONE, UNFREEZING, entry(Outcome.DONE, Act.UNFREEZE_KEY)], State.UNFROZEN),
        ([INTENDED, DONE, entry(Outcome.REFUSED, request="r")], State.FROZEN),
        ([entry(Outcome.WOULD)], State.WOULD),
    ],
)
def test_where_a_case_stands_follows_from_its_entries(story: list[Entry], state: State) -> None:
    assert cases_of(story)["c"].state == state


def test_an_app_wide_freeze_stays_pending_until_the_last_approver() -> None:
    opened = entry(Outcome.PENDING, Act.FREEZE_APP, needs=2, keys=["a", "b"])
    first = entry(Outcome.APPROVED, Act.FREEZE_APP, needs=1, approvers=["eva"])
    second = entry(Outcome.APPROVED, Act.FREEZE_APP, needs=0, approvers=["eva", "bo"])
    case = cases_of([opened, first])["c"]
    assert (case.state, case.subject, case.needs) == (State.PENDING, "app-1", 1)
    case = cases_of([opened, first, second])["c"]
    assert (case.state, case.approvers, case.keys) == (State.APPROVED, ["eva", "bo"], ["a", "b"])


def test_a_case_remembers_when_the_exchange_was_to_be_told_and_who_approved() -> None:
    case = cases_of([PENDING, APPROVED, INTENDED, DONE])["c"]
    assert (case.opened_ts, case.intended_ts, case.changed_ts) == (1, 5, 6)
    assert case.intention == INTENDED.hash
    assert not case.is_automatic


def test_refusals_open_no_case() -> None:
    assert cases_of([entry(Outcome.REFUSED, case="")]) == {}
    assert cases_of([entry(Outcome.REFUSED, request="r")]) == {}
