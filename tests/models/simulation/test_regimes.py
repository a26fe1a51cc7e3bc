import pytest

from models.simulation import REGIMES, SCENARIOS, regime_of


def test_the_first_scenario_sets_the_world_and_further_ones_add_their_attacks() -> None:
    regime = regime_of(["calm", "drip"])
    assert regime.volatility == REGIMES["calm"].volatility
    assert regime.attacks["drip"] > REGIMES["calm"].attacks["drip"]


def test_no_scenario_is_the_standard_one() -> None:
    assert regime_of() == REGIMES["standard"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_a_regime(scenario: str) -> None:
    assert regime_of([scenario]).events > 0


def test_an_attack_as_scenario_commits_that_attack_alone() -> None:
    assert {kind for kind, rate in regime_of(["blitz"]).attacks.items() if rate} == {"blitz"}
    assert not any(regime_of(["signal-bot"]).attacks.values())


def test_events_grow_with_days_and_keys() -> None:
    regime = regime_of(["standard"], days=14.0, keys=5_600)
    assert regime.events == 4 * REGIMES["standard"].events
    assert regime.days == 14.0
    assert regime.n_keys == 5_600


def test_a_small_world_still_shows_the_attacks_that_were_asked_for() -> None:
    assert regime_of(["drip"], days=0.2, keys=100).attacks["drip"] >= 1.0


@pytest.mark.parametrize(
    ("scenarios", "days", "keys", "message"),
    [
        (["storm"], None, None, "scenario is 'storm'; must be one of"),
        ([], 0.0, None, "days is 0.0; must be between"),
        ([], 1_000.0, None, "days is 1000.0; must be between"),
        ([], None, 3, "keys is 3; must be between"),
    ],
)
def test_a_wrong_request_is_refused_by_name(
    scenarios: list[str], days: float | None, keys: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        regime_of(scenarios, days, keys)
