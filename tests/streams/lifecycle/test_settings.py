import pytest

from streams.settings import ConfigError, Settings, load_settings


def test_lists_are_separated_by_commas_and_may_have_spaces() -> None:
    settings = load_settings({"lifecycle_weekend": "fri, sat", "lifecycle_exempt": "k1,account:a"})
    assert settings.lifecycle_weekend == ("fri", "sat")
    assert settings.lifecycle_exempt == ("k1", "account:a")


def test_nothing_is_done_in_earnest_unless_asked_for() -> None:
    assert Settings().lifecycle_mode == "dry-run"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lifecycle_mode", "auto"),
        ("lifecycle_policy", "mtgox"),
        ("lifecycle_notice_days", "0"),
        ("lifecycle_keys", "my keys"),
        ("lifecycle_notifier_url", "ftp://exchange"),
        ("lifecycle_observed_since", "2026-01-01"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} is '{value}'"):
        load_settings({name: value})
