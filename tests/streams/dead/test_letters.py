import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.refusals import Refusal
from streams.dead.letters import FEWEST_EVENTS, Letter, RefusalLimit, TooManyRefusedError

WINDOW = 200
RATIO = 0.5


def refusal(
    row: int, reason: str = "price is 0; must be above it", field: str = "price"
) -> Refusal:
    return Refusal(row, field, reason)


def fed(limit: RefusalLimit, refused: list[bool], cuts: list[int]) -> bool:
    """Whether the limit stops the events, cut into batches at `cuts`."""
    places = sorted({0, len(refused), *(cut % (len(refused) + 1) for cut in cuts)})
    try:
        for start, end in pairwise(places):
            part = refused[start:end]
            limit.take(len(part), [refusal(row) for row, is_bad in enumerate(part) if is_bad])
    except TooManyRefusedError:
        return True
    return False


def naive(refused: list[bool]) -> bool:
    """The rule restated: at no event may the last WINDOW hold too many."""
    windows = [refused[max(0, end - WINDOW) : end] for end in range(len(refused) + 1)]
    return any(len(w) >= FEWEST_EVENTS and sum(w) > RATIO * len(w) for w in windows)


stretches = st.lists(st.tuples(st.booleans(), st.integers(1, 150)), max_size=12)


@given(stretches, st.lists(st.integers(0, 2000), max_size=20))
def test_it_stops_exactly_where_the_share_is_passed_however_events_are_cut(
    parts: list[tuple[bool, int]], cuts: list[int]
) -> None:
    refused = [is_bad for is_bad, count in parts for _ in range(count)]
    assert fed(RefusalLimit("orders[0]", RATIO, WINDOW), refused, cuts) == naive(refused)


def test_a_few_bad_events_say_nothing() -> None:
    assert not fed(RefusalLimit("orders[0]", RATIO, WINDOW), [True] * (FEWEST_EVENTS - 1), [])
    assert fed(RefusalLimit("orders[0]", RATIO, WINDOW), [True] * FEWEST_EVENTS, [])


def test_exactly_the_ratio_is_allowed() -> None:
    assert not fed(RefusalLimit("orders[0]", RATIO, WINDOW), [False, True] * WINDOW, [7])


def test_a_small_window_needs_no_more_events_than_it_holds() -> None:
    assert fed(RefusalLimit("orders[0]", RATIO, 10), [True] * 10, [])


def test_a_ratio_of_one_lets_everything_through() -> None:
    assert not fed(RefusalLimit("orders[0]", 1.0, WINDOW), [True] * 5000, [3, 999])


def test_the_message_names_place_share_setting_and_the_most_frequent_reason() -> None:
    limit = RefusalLimit("orders[3]", RATIO, WINDOW)
    limit.take(
        40, [refusal(row, f"the event must be one JSON object: {row}", "") for row in range(40)]
    )
    bad = [refusal(row, f"qty is -{row}; must be positive", "qty") for row in range(60)]
    with pytest.raises(TooManyRefusedError) as caught:
        limit.take(60, bad)
    said = str(caught.value)
    assert said.startswith(
        "orders[3]: 100 of the last 100 events were refused, more than dead_letter_ratio 0.5 allows"
    )
    assert re.search(r"60 of them as: qty is -0; must be positive\.", said)
    assert "dead_letter_ratio 1" in said


def test_what_left_the_window_is_counted_no_more_among_the_reasons() -> None:
    limit = RefusalLimit("orders[0]", RATIO, WINDOW)
    limit.take(140, [refusal(row, "ts is 1; must be later", "ts") for row in range(70, 140)])
    limit.take(WINDOW, [])
    with pytest.raises(TooManyRefusedError, match=r"101 of the last 200 .*; 101 of them as: price"):
        limit.take(110, [refusal(row) for row in range(110)])


@given(st.binary(), st.text(), st.text(), st.integers(0, 99), st.integers(0, 1 << 62))
def test_a_letter_is_read_as_it_was_written(
    value: bytes, reason: str, field: str, partition: int, offset: int
) -> None:
    letter = Letter(value, reason, field, "orders", partition, offset)
    assert Letter.read(value, letter.headers()) == letter


def test_a_record_of_somebody_else_is_a_letter_from_nowhere() -> None:
    headers = [("roguekey-partition", b"two"), ("roguekey-reason", b"\xff"), ("other", b"1")]
    assert Letter.read(None, headers) == Letter(b"", "\ufffd", "", "", -1, -1)
