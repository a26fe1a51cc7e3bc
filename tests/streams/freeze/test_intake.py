from typing import Any

import msgspec
import pytest

from streams.freeze.actions import Act
from streams.freeze.intake import MalformedAlert, read_alert
from tests.streams.freeze.stand import app_leak, leak, profiteer


def test_each_type_asks_for_what_it_accuses_of() -> None:
    assert [read_alert(value).act for value in (leak(), app_leak(["a"]), profiteer())] == [
        Act.FREEZE_KEY,
        Act.FREEZE_APP,
        Act.HOLD_WITHDRAWALS,
    ]


def test_two_reasons_of_one_kind_are_one_family_and_a_faint_one_is_none() -> None:
    shares = {"push": 0.5, "slippage": 0.3, "pair_novelty": 0.04, "rate": 0.05}
    reasons = [{"feature": name, "contribution": share} for name, share in shares.items()]
    assert read_alert(leak(reasons=reasons)).families == {"market", "conduct"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event_ts": -1}, "event_ts"),
        ({"severity": "awful"}, "severity"),
        ({"score": "high"}, "score"),
        ({"recommended_action": "shoot"}, "recommended_action"),
        ({"reasons": None}, "reasons"),
        ({"api_key": "other"}, "subject is not whom `data` names"),
        ({"api_key": ""}, "api_key"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(change: dict[str, Any], words: str) -> None:
    with pytest.raises(MalformedAlert, match=words):
        read_alert(leak(**change))


def test_a_type_that_is_not_known_is_no_alert() -> None:
    alert = msgspec.json.decode(leak()) | {"type": "roguekey.alert.leaked_key.v9"}
    with pytest.raises(MalformedAlert, match="v9' is not known"):
        read_alert(msgspec.json.encode(alert))
