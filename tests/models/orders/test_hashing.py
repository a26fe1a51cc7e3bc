import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.hashing import stable_hashes

names = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", 0x186DA64456263A46),
        ("a", 0xC1999A454057BFD0),
        ("clé", 0x3917336011685A3B),
        ("北京", 0xA12B6F3881DB5EFD),
        ("x" * 300, 0x4B1219C87EF6D064),
    ],
)
def test_the_hash_of_a_name_never_changes(name: str, expected: int) -> None:
    assert int(stable_hashes([name])[0]) == expected


@given(st.lists(names))
def test_a_name_has_the_same_hash_in_any_company(strings: list[str]) -> None:
    alone = [stable_hashes([string])[0] for string in strings]
    np.testing.assert_array_equal(stable_hashes(strings), np.array(alone, np.uint64))


@given(st.lists(names, unique=True))
def test_names_that_differ_have_different_hashes(strings: list[str]) -> None:
    assert len(set(stable_hashes(strings).tolist())) == len(strings)
