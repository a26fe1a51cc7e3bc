import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alerts.envelope import Reason
from models.alerts.reasons import _WRITERS, CORROBORATION, Finding, explain, kinds_of, varied
from models.keys.state import BASELINES, FEATURES
from models.score.parts import PARTS

EXTREMES = [0.0, 5e-324, 1e-45, -1.0, 1.0, 12.0, -60.0, 60.0, 1e4, 1e12]
extremes = st.sampled_from(EXTREMES) | st.floats(-80, 80)


def many(count: int) -> st.SearchStrategy[list[float]]:
    return st.lists(extremes, min_size=count, max_size=count)


findings = st.builds(
    Finding,
    symbol=st.sampled_from(["AXSUSDT", "<b>{x}</b> %s $(rm)", "北"]),
    app=st.none() | st.just("{0.__class__} bot"),
    buys=st.booleans(),
    features=many(len(FEATURES)),
    values=many(len(BASELINES)),
    usual=many(len(BASELINES)),
    median=many(len(FEATURES)),
    rogue_around=st.floats(0, 1e6),
    rogue_fellows=st.floats(0, 1e6),
    persistence=st.floats(0, 60),
)


def test_every_feature_and_every_kind_of_evidence_can_be_said() -> None:
    assert set(FEATURES) | set(PARTS[1:]) <= _WRITERS.keys()


@given(findings, st.sampled_from(sorted(_WRITERS)))
def test_a_reason_is_one_plain_sentence_with_finite_numbers(finding: Finding, name: str) -> None:
    words = explain(name, finding)
    assert math.isfinite(words.value)
    assert math.isfinite(words.typical)
    assert words.text.endswith(".")
    for nothing in ("nan", "inf ", "None", "  ", "\n"):
        assert nothing not in words.text


@pytest.mark.parametrize("name", ["pair_novelty", "accumulation", "push", "surge", "losing_streak"])
@given(findings)
def test_names_stand_in_a_reason_as_they_are(name: str, finding: Finding) -> None:
    assert finding.symbol in explain(name, finding).text


def reason(feature: str, contribution: float) -> Reason:
    return Reason(feature, 2.0, 1.0, contribution, feature)


def test_only_kinds_that_carry_weight_corroborate_and_two_of_one_kind_are_one() -> None:
    weak = CORROBORATION - 0.001
    told = [reason("surge", 0.5), reason("pay_up", 0.3), reason("size", weak), reason("new", 0.1)]
    assert kinds_of(told) == {"market", "new"}


def test_the_strongest_reason_of_each_kind_is_given_and_the_order_stays() -> None:
    told = [reason(name, 0.1) for name in ("surge", "new", "pay_up", "size", "rate")]
    assert [one.feature for one in varied(told)] == ["surge", "new", "size"]
