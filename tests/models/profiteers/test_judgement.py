from dataclasses import replace
from math import exp, factorial, log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.profiteers.dealings import Dealings
from models.profiteers.judgement import (
    CRUMBS,
    DOUBTFUL,
    GOOD_PART,
    LONG,
    THRESHOLD,
    Suspicion,
    poisson_tail,
    reasons_of,
    suspect,
)
from tests.models.profiteers.sprees import KEYS_THRESHOLD, MARKET, dealt, offer, purchase


def judged(dealings: Dealings, account: str = "thief") -> Suspicion:
    suspicion = suspect(dealings, account, KEYS_THRESHOLD)
    assert suspicion is not None
    return suspicion


@given(count=st.integers(1, 12), expected=st.floats(0.01, 11.0))
def test_the_tail_equals_the_sum_over_all_smaller_counts(count: int, expected: float) -> None:
    smaller = sum(exp(-expected) * expected**n / factorial(n) for n in range(count))
    if count > expected and smaller < 1 - 1e-6:
        assert poisson_tail(count, expected) == pytest.approx(-log10(1 - smaller), rel=1e-6)


def test_no_more_than_expected_says_nothing() -> None:
    assert poisson_tail(0, 0.2) == poisson_tail(5, 5.0) == 0.0


def test_a_stranger_who_meets_two_victims_at_two_prices_is_a_profiteer() -> None:
    assert judged(dealt(keys=2)).convicts
    assert judged(dealt(keys=2, rank=KEYS_THRESHOLD)).convicts
    assert not judged(dealt(keys=2, rise=0.0)).convicts


def test_a_stranger_who_meets_one_victim_twice_is_one_unless_the_key_may_be_honest() -> None:
    assert judged(dealt(keys=1, fills=2)).convicts
    assert not judged(dealt(keys=1, fills=2, rank=KEYS_THRESHOLD + DOUBTFUL)).convicts
    assert not judged(dealt(keys=1, fills=2, rank=KEYS_THRESHOLD + DOUBTFUL + 0.1)).convicts


def test_who_has_sold_there_before_must_meet_more_of_them() -> None:
    known = offer(usual_share=0.05)
    assert not judged(dealt(keys=2, offers=known)).convicts
    assert judged(dealt(keys=5, offers=known)).convicts


def test_a_stranger_with_a_small_part_of_what_they_spend_must_meet_more_of_them() -> None:
    suspicion = judged(dealt(keys=2))
    assert replace(suspicion, part=GOOD_PART / 2).convicts
    assert not replace(suspicion, part=0.99 * GOOD_PART / 2).convicts


def test_an_order_that_rests_at_one_price_counts_once_however_many_meet_it() -> None:
    suspicion = judged(dealt(keys=9, rise=0.0))
    assert (suspicion.fills, suspicion.counted) == (9, 1)
    assert not suspicion.convicts


def test_a_market_maker_who_always_quotes_there_is_not() -> None:
    suspicion = judged(dealt(keys=12, offers=offer(usual_share=0.3), others=28))
    assert (suspicion.fills, suspicion.of) == (12, 40)
    assert not suspicion.convicts


def test_who_sells_mostly_to_others_is_not() -> None:
    assert judged(dealt(keys=6)).devotion == 1.0
    served = judged(dealt(keys=6, offers=offer(sold_1h=50_000.0, all_sold_1h=60_000.0)))
    assert served.devotion < 0.1
    assert not served.convicts


def test_who_received_no_more_than_crumbs_is_not() -> None:
    suspicion = judged(dealt(keys=3))
    assert replace(suspicion, part=CRUMBS).convicts
    assert not replace(suspicion, part=0.99 * CRUMBS).convicts


def test_a_key_that_is_hardly_suspect_makes_no_profiteer_of_a_short_meeting() -> None:
    among_others = offer(all_sold_1h=20_000.0)
    doubtful = judged(dealt(keys=1, fills=3, rank=KEYS_THRESHOLD + 0.1, offers=among_others))
    assert doubtful.chance > THRESHOLD
    assert not doubtful.convicts


@pytest.mark.parametrize("beyond", [0.1, -0.1])
def test_one_key_that_is_bled_for_long_makes_one_unless_it_may_be_honest(beyond: float) -> None:
    dealings = dealt(
        keys=1,
        rank=KEYS_THRESHOLD + DOUBTFUL + beyond,
        fills=LONG + 5,
        offers=offer(all_sold_1h=2_000.0),
    )
    suspicion = judged(dealings)
    assert suspicion.minutes >= LONG
    assert suspicion.convicts == (beyond > 0.0)


def test_an_account_whose_keys_are_not_alerted_is_not_judged() -> None:
    dealings = Dealings()
    bought = purchase(0)
    dealings.buy(bought)
    dealings.sell(offer(), bought)
    assert suspect(dealings, "thief", KEYS_THRESHOLD) is None


def test_keys_are_named_by_what_they_paid_and_no_market_counts_twice() -> None:
    dealings = dealt(keys=2)
    rich = purchase(9, key="rich", notional=5_000.0)
    dealings.buy(rich)
    dealings.sell(offer(), rich)
    dealings.alert("rich", rich.account, rich.time)
    suspicion = judged(dealings)
    assert suspicion.keys == ["rich", "k0", "k1"]
    assert suspicion.received == 5_200.0
    assert suspicion.of == dealings.markets[MARKET].rogue == 3


def test_reasons_share_the_whole_and_are_sentences() -> None:
    reasons = reasons_of(judged(dealt(keys=1, fills=4)))
    assert sum(reason.contribution for reason in reasons) == pytest.approx(1.0)
    assert all(reason.text.endswith(".") for reason in reasons)
    assert "1 key that looks leaked" in reasons[0].text
