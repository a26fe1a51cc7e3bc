from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from models.alerts.crowd import Company
from models.alerts.suspects import Suspect
from models.alerts.waiting import HINDSIGHT, MOST, WINDOW_MS, Waiting
from models.score.model import PER_DECADE, THRESHOLD
from models.score.parts import (
    APP_CROWD,
    CROWD,
    FELLOWS,
    FRESH,
    MOST_COMPANY,
    PARTS,
    company_of,
)
from tests.factories import TS, Event
from tests.models.alerts.suspects import plain_model, rows_of, suspect, taken_out

MODEL = plain_model()
CROWDED = np.array([1.5, 0.0], np.float32)
ROGUE = np.array([7.0, 3.0], np.float32)
BELOW = THRESHOLD - 0.25  # rank of a purchase that waits


def one(number: int, rank: float = BELOW, share: float = 1.0, **changes: Any) -> Suspect:
    """A purchase of the key `k<number>`, a second after the last one, alone at its time."""
    usual: Event = {"api_key": f"k{number}", "ts": TS + 1_000 * number, "app": "signalbot"}
    rows = rows_of([suspect(number, **(usual | changes))])
    strength = MODEL.critical + (rank - 3.0) * PER_DECADE
    parts = np.zeros(len(PARTS))
    parts[0] = strength - float(MODEL.strength(parts[None])[0])
    return taken_out(rows, 0, rank, parts=parts, share=share)


def company(crowd: np.ndarray, besides: Sequence[float] = (7.0, 0.0)) -> Company:
    """Those around a purchase, and those of them who are not of the lead app: mostly all."""
    return Company(crowd.tolist(), ROGUE.tolist(), np.array(besides, np.float32).tolist())


def roused(waiting: Waiting, by: Suspect, crowd: np.ndarray = CROWDED) -> list[str]:
    return [found.key for found in waiting.roused(by, company(crowd), MODEL)]


def test_the_first_victim_proves_rogue_once_a_later_one_meets_the_crowd() -> None:
    waiting = Waiting()
    waiting.add(one(0))
    found = waiting.roused(one(1), company(CROWDED), MODEL)
    assert [suspect.key for suspect in found] == ["k0"]
    gained = float(company_of(CROWDED[None], np.ones(1)).sum())
    assert found[0].rank == pytest.approx(BELOW + gained / PER_DECADE - HINDSIGHT, abs=1e-6)
    assert found[0].finding.rogue_around == ROGUE[0]
    assert roused(waiting, one(2)) == []  # that crowd tells nothing new


def test_a_bystander_is_not_accused_when_others_prove_rogue() -> None:
    waiting = Waiting()
    waiting.add(one(0, share=0.01))
    assert roused(waiting, one(1)) == []


@pytest.mark.parametrize(
    "changes",
    [{"symbol": "OTHER"}, {"venue": "elsewhere"}, {"ts": TS + WINDOW_MS + 1}, {"api_key": "k0"}],
)
def test_other_markets_later_times_and_the_key_itself_tell_nothing(changes: dict[str, Any]) -> None:
    waiting = Waiting()
    waiting.add(one(0))
    assert roused(waiting, one(1, **changes)) == []


def test_the_crowd_of_an_app_speaks_only_against_its_own_keys() -> None:
    of_app = company(np.array([0.0, 2.0], np.float32), (0.0, 0.0))
    waiting = Waiting()
    for number, app in enumerate(["signalbot", "other", None]):
        waiting.add(one(number, app=app))
    assert [found.key for found in waiting.roused(one(3), of_app, MODEL)] == ["k0"]


def test_what_speaks_against_one_app_alone_leaves_the_keys_of_others_in_peace() -> None:
    waiting, alone = Waiting(), (0.1, 0.0)
    for number, app in enumerate(["signalbot", "other", None]):
        waiting.add(one(number, app=app))
    found = waiting.roused(one(3), company(CROWDED, alone), MODEL)
    assert [suspect.key for suspect in found] == ["k0"]
    found = waiting.roused(one(4), company(CROWDED, (5.0, 0.5)), MODEL)
    assert [suspect.key for suspect in found] == ["k1", "k2"]
    assert [suspect.finding.rogue_around for suspect in found] == [5.0] * 2


def test_a_key_that_never_bought_may_be_of_any_app() -> None:
    waiting = Waiting()
    waiting.add(one(0, app="thieftool", stranger=True))
    (found,) = waiting.roused(one(1), company(CROWDED, (0.1, 0.0)), MODEL)
    assert (found.finding.rogue_around, found.finding.rogue_fellows) == (ROGUE[0], 0.0)


def test_nobody_is_company_to_itself() -> None:
    waiting, bystander = Waiting(), one(0, app="other")
    bystander.own = 0.9
    waiting.add(bystander)
    assert waiting.roused(one(1), company(CROWDED, (0.9, 0.0)), MODEL) == []
    (found,) = waiting.roused(one(2), company(CROWDED, (5.9, 0.0)), MODEL)
    assert found.finding.rogue_around == pytest.approx(5.0, abs=0.01)


def test_a_key_is_of_the_app_that_it_usually_uses_whatever_the_thief_calls_himself() -> None:
    waiting, of_app = Waiting(), company(np.array([0.0, 2.0], np.float32), (0.0, 0.0))
    waiting.add(one(0, app="signalbot", home="victims"))
    waiting.add(one(1, app="thieftool", home="signalbot"))
    by = one(2, app="thieftool", home="victims")
    assert [found.key for found in waiting.roused(by, of_app, MODEL)] == ["k0"]


def test_company_that_tells_no_more_than_the_last_changes_nothing() -> None:
    waiting, faint = Waiting(), np.array([0.1, 0.0], np.float32)
    waiting.add(one(0))
    assert roused(waiting, one(1), faint) == []
    before = waiting.save()
    assert roused(waiting, one(2), faint) == []
    assert waiting.save() == before


def test_of_each_key_the_purchase_with_the_most_evidence_waits() -> None:
    waiting = Waiting()
    hopeless = BELOW - MOST_COMPANY
    for rank in (hopeless, BELOW, hopeless):
        waiting.add(one(0, rank=rank))
    assert roused(waiting, one(1)) == ["k0"]


def test_a_market_keeps_a_bounded_number_and_drops_the_least_suspect() -> None:
    waiting = Waiting()
    for number in range(MOST + 10):
        waiting.add(one(number, rank=BELOW - 0.001 * number, ts=TS))
    found = roused(waiting, one(999, ts=TS))
    assert found == [f"k{number}" for number in range(MOST)]


def test_what_waits_outlives_a_restart() -> None:
    waiting, again = Waiting(), Waiting()
    waiting.add(one(0))
    again.restore(waiting.save())
    assert roused(again, one(1)) == roused(waiting, one(1)) == ["k0"]


def test_a_purchase_never_loses_company_that_it_had() -> None:
    waiting = Waiting()
    purchase = one(0, rank=BELOW - 2.0)
    waiting.add(purchase)
    for weight in (0.5, 0.2, 0.9, 0.1):
        roused(waiting, one(1), np.array([weight, 0.0], np.float32))
        company = purchase.parts[CROWD] + purchase.parts[APP_CROWD]
        assert company >= company_of(np.array([[weight, 0.0]]), np.ones(1)).sum() - 1e-6


@pytest.mark.parametrize(("fellows", "found"), [(0.0, []), (FELLOWS, ["k0"])])
def test_rogue_fellows_give_back_what_a_key_lacked_on_its_first_day(
    fellows: float, found: list[str]
) -> None:
    waiting, fresh = Waiting(), one(0, rank=BELOW - 0.5 * FRESH / PER_DECADE)
    fresh.lacks = FRESH
    waiting.add(fresh)
    assert roused(waiting, one(1), np.array([0.3, fellows], np.float32)) == found
    if found:  # and no more than that
        gained = float(company_of(np.array([[0.3, fellows]]), np.ones(1)).sum()) + FRESH
        assert fresh.rank == pytest.approx(
            BELOW + (gained - 0.5 * FRESH) / PER_DECADE - HINDSIGHT, abs=1e-6
        )
