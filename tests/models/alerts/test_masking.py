from hypothesis import given
from hypothesis import strategies as st

from models.alerts.masking import masked

keys = st.text(st.characters(exclude_characters="…"), max_size=80)


@given(keys)
def test_a_third_or_more_of_a_key_stays_hidden(key: str) -> None:
    shown = len(masked(key)) - 1
    assert 3 * (len(key) - shown) >= len(key)


@given(keys)
def test_what_is_shown_are_both_ends_of_the_key_and_no_more_than_four_characters_each(
    key: str,
) -> None:
    head, tail = masked(key).split("…")
    assert key.startswith(head)
    assert key.endswith(tail)
    assert len(head) == len(tail) <= 4


def test_a_long_key_shows_four_characters_of_each_end() -> None:
    assert masked("5bf46931493064bc") == "5bf4…64bc"


def test_a_short_key_shows_less_and_a_very_short_one_nothing() -> None:
    assert [masked(key) for key in ("key-12345", "k43545", "abc", "ab", "")] == [
        "key…345",
        "k4…45",
        "a…c",
        "…",
        "…",
    ]
