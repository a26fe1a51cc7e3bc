from itertools import pairwise
from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.apps.leaks import WINDOW_MS, App, AppLeaks, Leak, Misuse, surprise_of_count
from models.score.model import THRESHOLD

NOW = 1_670_562_611_123


def misuse(minute: int = 0, rank: float = 3.5, spending: float = 2.0) -> Misuse:
    time = NOW + minute * 60_000
    return Misuse(time, rank, spending, time - 30_000)


def told(misuses: dict[str, Misuse]) -> list[Leak]:
    leaks = AppLeaks(THRESHOLD)
    found = [leaks.misuse("app", key, each) for key, each in misuses.items()]
    return [leak for leak in found if leak is not None]


def tail(count: int, expected: float) -> float:
    """Poisson chance of `count` or more, term by term."""
    return 1.0 - sum(expected**n * exp(-expected) / factorial(n) for n in range(count))


@given(st.integers(1, 12), st.floats(0.05, 10.0))
def test_the_surprise_of_a_count_never_overstates_how_unlikely_it_is(
    count: int, expected: float
) -> None:
    assert 10.0 ** -surprise_of_count(count, expected) >= tail(count, expected) - 1e-12


def test_one_misused_key_says_nothing_about_its_app() -> None:
    assert not told({"k1": misuse(rank=9.0)})


def test_keys_that_spend_unusually_are_a_leak_with_their_names_and_since_when() -> None:
    leak = told({f"k{n}": misuse(n, rank=4.0 + n) for n in range(4)})[-1]
    assert leak.keys == sorted(leak.keys, reverse=True)  # the worst first
    assert set(leak.keys) <= {"k0", "k1", "k2", "k3"}
    assert leak.since == misuse(0).since


def test_followers_who_buy_at_their_usual_size_are_no_leak_however_many() -> None:
    assert not told({f"k{n}": misuse(n, spending=0.5) for n in range(40)})


def test_keys_misused_days_apart_do_not_add_up() -> None:
    apart = WINDOW_MS // 60_000 + 1
    assert not told({f"k{n}": misuse(n * apart) for n in range(10)})


def test_a_leak_is_told_again_only_when_it_has_grown_by_half() -> None:
    sizes = [len(leak.keys) for leak in told({f"k{n}": misuse(n) for n in range(30)})]
    assert sizes
    assert all(2 * later >= 3 * earlier for earlier, later in pairwise(sizes))


@pytest.mark.parametrize("keys", [2, 20_000])
def test_an_app_is_measured_against_its_size(keys: int) -> None:
    leaks = AppLeaks(THRESHOLD)
    app = leaks._apps.setdefault("app", App())
    app.heard.update({f"honest{n}": NOW for n in range(keys)})
    found = [leaks.misuse("app", f"k{n}", misuse(rank=5.0)) for n in range(3)]
    assert (found[-1] is not None or found[-2] is not None) == (keys == 2)
