import pytest

from models.lifecycle.policy import DAY_MS, PRESETS, policy
from tests.models.lifecycle.policies import BINANCE, ms


@pytest.mark.parametrize(("name", "days"), [("binance", 30), ("okx", 14), ("htx", 90)])
def test_a_venues_preset_says_how_long_a_key_may_be_idle(name: str, days: int) -> None:
    assert policy(name, BINANCE.calendar).idle_ms == days * DAY_MS


def test_days_that_are_set_beat_those_of_the_preset() -> None:
    assert policy("okx", BINANCE.calendar, idle_days=7).idle_days == 7
    assert min(PRESETS.values()) > 7


def test_exemptions_are_keys_or_whole_accounts() -> None:
    made = policy("binance", BINANCE.calendar, exempt=("k1", "account:a1"))
    assert made.exempt_keys == {"k1"}
    assert made.exempt_accounts == {"a1"}


def test_a_removal_is_due_two_business_days_after_the_notice() -> None:
    assert BINANCE.removal_due(ms("2026-03-05 10:00")) == ms("2026-03-09 10:00")
