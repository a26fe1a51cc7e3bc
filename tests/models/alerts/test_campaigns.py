from math import log
from typing import Any

import numpy as np
import pytest

from models.alerts.campaigns import APART_MS, NEARLY, WINDOW_MS, Campaigns
from models.alerts.suspects import Suspect
from models.score.model import THRESHOLD
from models.score.parts import APP_CROWD, CAMPAIGN_WEIGHT, MOST_EARLIER
from tests.factories import TS, Event
from tests.models.alerts.suspects import plain_model, rows_of, suspect, taken_out

MODEL = plain_model()
NEAR = THRESHOLD - NEARLY


def purchase(number: int, rank: float = NEAR, share: float = 1.0, **changes: Any) -> Suspect:
    """A purchase of the key `k<number>`, long after the last one."""
    usual: Event = {"api_key": f"k{number}", "ts": TS + 2 * APART_MS * number, "app": "signalbot"}
    return taken_out(rows_of([suspect(number, **(usual | changes))]), 0, rank, share=share)


def met(*purchases: Suspect) -> Suspect:
    campaigns = Campaigns()
    campaigns.meet(purchases, MODEL)
    return purchases[-1]


@pytest.mark.parametrize("count", [1, 2, MOST_EARLIER + 2])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_keys_of_an_app_robbed_before_speak_against_the_next_one_there(
    count: int, share: float
) -> None:
    last = purchase(count, share=share)
    before = last.parts[APP_CROWD]
    met(*map(purchase, range(count)), last)
    more = share * CAMPAIGN_WEIGHT * log(1 + min(count, MOST_EARLIER))
    assert last.parts[APP_CROWD] == pytest.approx(before + more)
    assert last.rank == pytest.approx(float(MODEL.rank(np.array([last.parts]))[0]))
    assert last.finding.rogue_fellows == pytest.approx(count)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"symbol": "OTHER"}, {}),
        ({"venue": "elsewhere"}, {}),
        ({"app": "other"}, {}),
        ({"app": None}, {"app": None}),
        ({"api_key": "k1"}, {}),
        ({"rank": NEAR - 0.01}, {}),
        ({"share": 0.0}, {}),
        ({}, {"share": 0.0}),
        ({}, {"ts": TS + APART_MS - 1}),
        ({}, {"ts": TS + WINDOW_MS + 1}),
    ],
)
def test_nothing_else_speaks_against_a_key(first: dict[str, Any], second: dict[str, Any]) -> None:
    last = purchase(1, **second)
    before = last.rank, list(last.parts), last.finding
    met(purchase(0, **first), last)
    assert (last.rank, last.parts, last.finding) == before


def test_a_key_that_goes_on_counts_from_when_it_was_first_seen() -> None:
    last = purchase(2)
    met(purchase(0), purchase(1, api_key="k0", ts=last.sighting.ts - 1), last)
    assert last.earlier == 1


def test_whom_only_a_campaign_brings_near_an_alert_makes_it_no_larger() -> None:
    first, second, third = purchase(0), purchase(1, rank=NEAR - 0.5), purchase(2)
    assert met(first, second, third).earlier == 1


def test_what_is_remembered_outlives_a_restart_and_is_forgotten_in_time() -> None:
    campaigns, again = Campaigns(), Campaigns()
    for number in range(4):
        campaigns.meet([purchase(number)], MODEL)
    again.restore(campaigns.save())
    last = purchase(4)
    again.meet([last], MODEL)
    assert last.earlier == 4
    again.meet([purchase(5, symbol="OTHER", ts=TS + 2 * WINDOW_MS)], MODEL)
    assert [list(seen) for seen in again._seen.values()] == [["k5"]]
