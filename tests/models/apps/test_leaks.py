from itertools import pairwise
from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.apps.leaks import NEWS, WINDOW_MS, App, AppLeak, AppLeaks, Misuse, surprise_of
from models.score.model import THRESHOLD

NOW = 1_670_562_611_123
DAY_MINUTES = 24 * 60


def misuse(
    minute: int = 0, rank: float = 3.5, conduct: float = 4.5, market: str = "binance\x1fAXSUSDT"
) -> Misuse:
    time = NOW + minute * 60_000
    return Misuse(time, rank, conduct, time - 30_000, market)


def told(misuses: dict[str, Misuse]) -> list[AppLeak]:
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
    surprise = surprise_of(count, expected)
    assert 10.0**-surprise >= tail(count, expected) - 1e-12


def test_one_misused_key_says_nothing_about_its_app() -> None:
    assert not told({"k1": misuse(rank=9.0)})


def test_keys_that_do_what_they_never_did_are_a_leak_with_their_names_and_since_when() -> None:
    leak = told({f"k{n}": misuse(n, rank=4.0 + n) for n in range(4)})[-1]
    assert leak.keys == sorted(leak.keys, reverse=True)  # the worst first
    assert set(leak.keys) <= {"k0", "k1", "k2", "k3"}
    assert leak.since == misuse(0).since


def test_followers_who_buy_at_their_usual_size_are_no_leak_however_many() -> None:
    assert not told({f"k{n}": misuse(n, conduct=1.0) for n in range(40)})


def test_keys_far_beyond_an_alert_are_a_leak_though_their_conduct_says_less() -> None:
    assert told({f"k{n}": misuse(n, rank=THRESHOLD + 1.5, conduct=2.5) for n in range(5)})
    assert not told({f"k{n}": misuse(n, rank=THRESHOLD + 0.5, conduct=2.5) for n in range(40)})


@pytest.mark.parametrize("elsewhere", [0, 60])
def test_an_app_of_which_a_theft_across_apps_met_no_more_keys_than_of_others_does_not_leak(
    elsewhere: int,
) -> None:
    leaks = AppLeaks(THRESHOLD)
    for app in ("app", "other"):
        leaks._apps[app] = App(heard={f"{app}{n}": NOW for n in range(200)})
    for n in range(elsewhere):
        leaks.misuse("other", f"other{n}", misuse())
    found = [leaks.misuse("app", f"app{n}", misuse(rank=5.0)) for n in range(40)]
    assert any(found) == (not elsewhere)


@pytest.mark.parametrize(
    ("market", "minute", "told"),
    [("binance\x1fAXSUSDT", 20, False), ("kraken\x1fAXSUSDT", 20, True), (None, 120, True)],
)
def test_an_app_is_compared_with_others_in_its_own_theft_not_with_all_thefts_of_the_day(
    market: str | None, minute: int, told: bool
) -> None:
    leaks = AppLeaks(THRESHOLD)
    for app in ("app", "other"):
        leaks._apps[app] = App(heard={f"{app}{n}": NOW for n in range(200)})
    for n in range(60):
        elsewhere = misuse(minute, market=market or misuse().market)
        leaks.misuse("other", f"other{n}", elsewhere)
    found = [leaks.misuse("app", f"app{n}", misuse(rank=5.0)) for n in range(40)]
    assert any(found) == told


def spread(minutes: int, markets: int) -> list[AppLeak]:
    """Leaks told of an app with 20 keys misused so far apart, in so many markets in turn."""
    each = {f"k{n}": misuse(n * minutes, 5.0, market=f"m{n % markets}") for n in range(20)}
    return told(each)


def test_single_thefts_that_share_an_app_by_chance_are_no_leak() -> None:
    assert spread(minutes=40, markets=20) == []


def test_keys_misused_in_one_market_or_at_one_time_are_a_leak() -> None:
    assert len(spread(minutes=40, markets=1)[-1].keys) > 10
    assert len(spread(minutes=1, markets=20)[-1].keys) > 10


def test_a_leak_names_only_keys_that_are_misused_together() -> None:
    alone = misuse(-300, 6.0, market="m9")
    leak = told({"alone": alone} | {f"k{n}": misuse(n, 5.0) for n in range(4)})[-1]
    assert "alone" not in leak.keys
    assert leak.since == misuse(0).since


def test_both_keys_of_an_app_with_two_that_are_misused_in_one_theft_are_a_leak() -> None:
    leaks = AppLeaks(THRESHOLD)
    leaks._apps["other"] = App(heard={f"other{n}": NOW for n in range(60)})
    leaks._apps["app"] = App(heard={"k0": NOW, "k1": NOW})
    found = [leaks.misuse("app", f"k{n}", misuse(n, 5.0)) for n in range(2)]
    assert found[0] is None
    assert found[1] is not None


def test_keys_misused_days_apart_do_not_add_up() -> None:
    apart = WINDOW_MS // 60_000 + 1
    assert not told({f"k{n}": misuse(n * apart) for n in range(10)})


def test_a_leak_is_told_again_only_when_it_has_grown_by_half() -> None:
    sizes = [len(leak.keys) for leak in told({f"k{n}": misuse(n) for n in range(30)})]
    assert sizes
    assert all(2 * later >= 3 * earlier for earlier, later in pairwise(sizes))


def test_what_an_alerted_key_costs_does_not_grow_with_the_number_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weighed: list[int] = []

    def weigh(_: str, app: App, *__: object) -> None:
        weighed.append(len(app.misused))

    monkeypatch.setattr("models.apps.leaks._leak", weigh)
    leaks = AppLeaks(THRESHOLD)
    for n in range(20_000):
        leaks.misuse("app", f"k{n}", misuse())
    assert weighed[:NEWS] == list(range(1, NEWS + 1))
    assert sum(weighed) < 2 * NEWS * 20_000


@pytest.mark.parametrize("keys", [2, 20_000])
def test_an_app_is_measured_against_its_size(keys: int) -> None:
    leaks = AppLeaks(THRESHOLD)
    app = leaks._apps.setdefault("app", App())
    app.heard.update({f"honest{n}": NOW for n in range(keys)})
    found = [leaks.misuse("app", f"k{n}", misuse(rank=5.0)) for n in range(3)]
    assert (found[-1] is not None or found[-2] is not None) == (keys == 2)


def heard(leaks: AppLeaks, app: str, key: str, minute: int) -> None:
    """Let a notable fill of a key by its usual app be heard of."""
    leaks.hear([(app, key, NOW + minute * 60_000)])


def test_apps_that_come_and_go_are_forgotten_after_a_day() -> None:
    leaks = AppLeaks(THRESHOLD)
    for n in range(100):
        heard(leaks, f"app{n}", f"k{n}", n * 60)
    assert len(leaks._apps) <= 26


def test_a_leap_of_time_that_was_taken_back_does_not_keep_anything_from_being_forgotten() -> None:
    leaks = AppLeaks(THRESHOLD)
    heard(leaks, "leapt", "k", 100 * DAY_MINUTES)
    for n in range(5):
        heard(leaks, f"app{n}", f"k{n}", n * DAY_MINUTES)
    assert "app0" not in leaks._apps
