from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from models.entities import new_table
from models.keys.companions import (
    FAMILIAR,
    MOST_ORDERS,
    STRANGERS,
    close_day,
    familiarity,
    learn_company,
)
from models.keys.kernel import enter_key
from models.keys.state import COMPANIONS, KEY
from models.market.company import NAME_BITS
from models.market.state import DAY, HOUR


def packed(*names: int) -> np.uint64:
    return np.uint64(sum(name << place * NAME_BITS for place, name in enumerate(names)))


def new_key() -> Any:
    return new_table(KEY, 1).rows[0]


def key_of(days: Iterable[Iterable[np.uint64]]) -> Any:
    """A key that has had so many days, each of orders in such company."""
    key = new_key()
    for day in days:
        for company in day:
            learn_company(key, company)
        close_day(key)
    return key


def scaled(usual: float) -> float:
    return min(1.0, max(0.0, (usual - STRANGERS) / (FAMILIAR - STRANGERS)))


def test_a_key_with_no_past_or_in_no_company_is_familiar_with_nobody() -> None:
    assert familiarity(new_key(), packed(7)) == 0.0
    assert familiarity(key_of([[packed(7)]] * 9), np.uint64(0)) == 0.0
    alone = key_of([[np.uint64(0)]] * 9)
    assert alone["accompanied"] == 0.0


def test_those_who_are_always_there_are_familiar_and_strangers_are_not() -> None:
    key = key_of([[packed(1, 2, 3, 4)]] * 9)
    assert familiarity(key, packed(1, 2, 3, 4)) == 1.0
    assert familiarity(key, packed(5, 6, 7, 8)) == 0.0
    assert familiarity(key, packed(1, 6, 7, 8)) == pytest.approx(scaled(9 / 12 / 4))


def test_it_is_the_part_of_the_orders_in_company_at_which_those_met_were_there() -> None:
    key = key_of([[packed(1, 2)], [packed(1)], [packed(3), packed(3)]])
    assert familiarity(key, packed(1)) == pytest.approx(scaled(2 / 7))
    assert familiarity(key, packed(1, 2)) == pytest.approx(scaled((2 + 1) / 2 / 7))
    assert familiarity(key, packed(2)) == pytest.approx(scaled(1 / 7))
    assert 0.0 < familiarity(key_of([[packed(1)]]), packed(1)) < 1.0  # one order says little


def test_nobody_becomes_familiar_within_a_day() -> None:
    key = new_key()
    for _ in range(30):
        learn_company(key, packed(1, 2))
        assert familiarity(key, packed(1, 2)) == 0.0
    close_day(key)
    assert familiarity(key, packed(1, 2)) == 1.0


def test_old_company_fades_when_another_takes_its_place() -> None:
    days = int(MOST_ORDERS)
    key = key_of([[packed(1)]] * 10 * days + [[packed(2)]] * 3 * days)
    assert key["accompanied"] == pytest.approx(MOST_ORDERS)
    assert key["companions"]["past"].sum() == pytest.approx(MOST_ORDERS)
    assert familiarity(key, packed(1)) < 1.0
    assert familiarity(key, packed(2)) == 1.0


def test_passers_by_do_not_drive_out_those_who_are_often_there() -> None:
    days = [[packed(1, 2, 1_000 + day, 3_000 + day)] for day in range(60)]
    key = key_of(days)
    assert familiarity(key, packed(1, 2)) == 1.0
    assert len(set(key["companions"]["name"].tolist())) == COMPANIONS


def test_a_day_of_countless_orders_does_not_overflow() -> None:
    key = new_key()
    key["accompanied_today"] = 65_535
    key["companions"]["name"][0] = 5
    key["companions"]["today"][0] = 65_535
    learn_company(key, packed(5))
    close_day(key)
    assert key["companions"]["past"][0] == pytest.approx(MOST_ORDERS)
    assert familiarity(key, packed(5)) == 1.0


def met_at(*times: int) -> list[float]:
    """How familiar a key is with a companion each time that they meet."""
    keys = new_table(KEY, 1)
    familiar = []
    for time in times:
        enter_key(keys, np.uint64(7), time)
        familiar.append(familiarity(keys.rows[0], packed(1)))
        learn_company(keys.rows[0], packed(1))
    return familiar


def test_a_burst_across_the_end_of_the_day_does_not_become_its_own_past() -> None:
    burst = range(1, DAY + 5 * HOUR, HOUR // 2)  # without a pause
    assert met_at(*burst, burst[-1] + HOUR + 1) == [0.0] * len(burst) + [1.0]


def test_a_key_that_never_pauses_learns_its_company_after_two_days() -> None:
    assert met_at(*range(1, 2 * DAY + 2 * HOUR, HOUR))[-2:] == [0.0, 1.0]
