from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alerts.envelope import MAX_EVIDENCE, Action, Alert, AlertType, Severity, alert_id
from models.alerts.incidents import QUIET_MS
from models.alerts.reasons import CORROBORATION, KINDS
from models.alerts.stage import NOTEWORTHY, REASONS, SMALL_MONEY, AlertStage
from models.keys.state import FEATURES
from models.score.forest import fit_forest
from models.score.model import THRESHOLD, Model
from models.score.parts import PARTS
from tests.factories import TS, Event
from tests.models.alerts.suspects import MINUTE, plain_model, rows_of, suspect

LOW, MEDIUM, HIGH, CRITICAL = (THRESHOLD + above for above in (0.1, 0.6, 1.1, 2.1))
CONDUCT = dict.fromkeys(("rate", "turnover", "accumulation"), 3.0)


def alerts_of(tape: list[Event], model: Model | None = None, cut: int = 0) -> list[Alert]:
    """Leaked-key alerts of suspects, judged in two batches."""
    stage = AlertStage(model or plain_model())
    parts = [part for part in (tape[:cut], tape[cut:]) if part]
    alerts = [alert for part in parts for alert in stage.judge(rows_of(part))]
    return [alert for alert in alerts if alert.type == AlertType.LEAKED_KEY]


def severities_of(tape: list[Event]) -> list[str]:
    return [alert.data.severity for alert in alerts_of(tape)]


@cache
def opinionated_model() -> Model:
    """A model whose forest tells rows apart, and that alerts half of what the tapes below hold."""
    random = np.random.default_rng(5)
    forest = fit_forest(random.random((300, len(PARTS))) * 8, trees=10, sample_size=64, seed=1)
    return replace(plain_model(), forest=forest, critical=6.0)


@st.composite
def tapes(draw: st.DrawFn) -> list[Event]:
    minute, tape = 0.0, []
    for number in range(draw(st.integers(1, 25))):
        minute += draw(st.sampled_from([0, 0.1, 1, 20, 31]))
        tape.append(
            suspect(
                number,
                ts=TS + int(minute * MINUTE),
                api_key=draw(st.sampled_from("abc")),
                app=draw(st.sampled_from([None, "x"])),
                symbol=draw(st.sampled_from("ST")),
                notional=draw(st.sampled_from([1.0, 60.0, 5_000.0])),
                activity=draw(st.floats(-10, 2, width=32)),
                persistence=draw(st.floats(0, 6, width=32)),
                surprises=draw(
                    st.dictionaries(st.sampled_from(FEATURES), st.floats(0.5, 4), min_size=1)
                ),
            )
        )
    return tape


everything = settings(max_examples=15)


@everything
@given(tapes())
def test_reasons_are_two_to_five_strongest_first_and_share_the_score(tape: list[Event]) -> None:
    for alert in alerts_of(tape, opinionated_model()):
        shares = [reason.contribution for reason in alert.data.reasons]
        assert 2 <= len(shares) <= REASONS
        assert shares == sorted(shares, reverse=True)
        assert all(0.0 <= share <= 1.0 for share in shares)
        assert sum(shares) <= 1.0 + REASONS * 0.5e-4  # each is rounded to four digits
        assert all(reason.text.endswith(".") for reason in alert.data.reasons)
        assert len({reason.feature for reason in alert.data.reasons}) == len(shares)


@everything
@given(tapes(), st.integers(0, 25))
def test_alerts_do_not_depend_on_the_cut_and_their_ids_follow_from_the_input(
    tape: list[Event], cut: int
) -> None:
    alerts = alerts_of(tape, opinionated_model())
    again = alerts_of(tape, opinionated_model(), cut)
    assert [alert.encode() for alert in again] == [alert.encode() for alert in alerts]
    for alert in alerts:
        assert alert.subject == alert.data.api_key
        assert alert.id == alert_id(AlertType.LEAKED_KEY, alert.subject, alert.data.event_id)


@everything
@given(tapes())
def test_an_alert_names_fills_of_its_key_up_to_the_one_that_raised_it(tape: list[Event]) -> None:
    events = {event["event_id"]: (number, event) for number, event in enumerate(tape)}
    for alert in alerts_of(tape, opinionated_model()):
        data = alert.data
        raised_at, raising = events[data.event_id]
        assert raising["ts"] == data.event_ts
        if raising["api_key"] != alert.subject:  # a later purchase told of the crowd
            assert (raising["side"], raising["symbol"]) == ("buy", data.symbol)
        named = [events[event_id] for event_id in data.evidence.event_ids]
        assert 1 <= len(named) == len(set(data.evidence.event_ids)) <= MAX_EVIDENCE
        assert all(event["api_key"] == alert.subject for _, event in named)
        assert all(number <= raised_at for number, _ in named)
        assert [place.offset for place in alert.places] == [number for number, _ in named]
        times = [event["ts"] for _, event in named]
        assert (data.evidence.from_ts, data.evidence.to_ts) == (min(times), max(times))


@everything
@given(tapes())
def test_a_freeze_takes_evidence_of_two_kinds_and_more_than_low_severity(
    tape: list[Event],
) -> None:
    for alert in alerts_of(tape, opinionated_model()):
        reasons = alert.data.reasons
        kinds = {KINDS[r.feature] for r in reasons if r.contribution >= CORROBORATION}
        frozen = alert.data.recommended_action == Action.FREEZE_KEY
        assert frozen == (len(kinds) > 1 and alert.data.severity != "low")
        assert frozen or alert.data.recommended_action == Action.REVIEW


@everything
@given(tapes())
def test_small_money_is_never_above_medium(tape: list[Event]) -> None:
    for alert in alerts_of(tape, opinionated_model()):
        assert isinstance(alert.data.notional, float)
        if alert.data.notional < SMALL_MONEY:
            assert alert.data.severity in {"low", "medium"}


def test_an_alert_holds_what_the_contract_promises_of_a_leaked_key() -> None:
    fill = suspect(0, rank=HIGH, app="signalbot", notional=330.0, move=0.02)
    body = msgspec.json.decode(alerts_of([fill])[0].encode())
    data = body["data"]
    assert (body["type"], body["subject"]) == ("roguekey.alert.leaked_key.v1", "k43545")
    assert data["score"] == pytest.approx(1 - 10**-HIGH, abs=1e-6)
    assert data["threshold"] == 0.999
    assert (data["model"], data["config"]) == ("m-1", plain_model().config)
    assert (data["symbol"], data["venue"]) == ("AXSUSDT", "binance")
    assert (data["api_key"], data["account"], data["app"]) == ("k43545", "a-1", "signalbot")
    assert (data["notional"], data["impact_bps"]) == (330.0, 200.0)
    assert not data.keys() & {"keys", "since", "received_notional", "from_keys"}


def test_the_app_of_a_users_own_program_is_null() -> None:
    data = msgspec.json.decode(alerts_of([suspect(0)])[0].encode())["data"]
    assert data["app"] is None


@pytest.mark.parametrize(
    ("rank", "severity"),
    [(LOW, "low"), (MEDIUM, "medium"), (HIGH, "high"), (CRITICAL, "critical")],
)
def test_severity_follows_the_rank(rank: float, severity: str) -> None:
    assert severities_of([suspect(0, rank=rank)]) == [severity]


def test_below_the_threshold_nothing_is_alerted() -> None:
    assert severities_of([suspect(n, rank=THRESHOLD - 0.1) for n in range(50)]) == []


@pytest.mark.parametrize("false_keys", [0.1, 50.0])
def test_the_budget_moves_the_threshold_and_the_alerts_say_so(false_keys: float) -> None:
    model = plain_model().at_budget(false_keys)
    ranks = [model.threshold + above for above in (-0.1, 0.1, 0.6)]
    rows = rows_of([suspect(number, rank=rank) for number, rank in enumerate(ranks)])
    data = [alert.data for alert in AlertStage(model).judge(rows)]
    assert [each.event_id for each in data] == ["e-1", "e-2"]
    assert [each.severity for each in data] == ["low", "medium"]
    assert {each.threshold for each in data} == {round(1.0 - false_keys / 1000.0, 10)}
    assert {each.config for each in data} == {model.config} != {plain_model().config}


def test_a_rise_in_severity_raises_a_second_alert_and_a_fall_none() -> None:
    ranks = [LOW, LOW, HIGH, MEDIUM, HIGH, CRITICAL]
    tape = [suspect(number, rank=rank) for number, rank in enumerate(ranks)]
    assert severities_of(tape) == ["low", "high", "critical"]
    assert [alert.data.event_id for alert in alerts_of(tape)] == ["e-0", "e-2", "e-5"]


@pytest.mark.parametrize(("gap", "count"), [(QUIET_MS, 1), (QUIET_MS + 1, 2)])
def test_after_a_quiet_time_a_key_is_alerted_anew(gap: int, count: int) -> None:
    alerts = alerts_of([suspect(0), suspect(1, ts=TS + gap)])
    assert len(alerts) == count
    assert alerts[-1].data.evidence.event_ids == [f"e-{count - 1}"]


def test_noteworthy_fills_below_the_threshold_keep_an_incident_open() -> None:
    half = QUIET_MS // MINUTE // 2
    fills = {0: LOW, half: NOTEWORTHY + 0.1, 2 * half: NOTEWORTHY + 0.1, 3 * half: LOW}
    assert severities_of([suspect(n, rank=rank) for n, rank in fills.items()]) == ["low"]
    unworthy = {n: min(rank, rank - 0.2 * (rank < LOW)) for n, rank in fills.items()}
    assert severities_of([suspect(n, rank=rank) for n, rank in unworthy.items()]) == ["low"] * 2


def test_each_key_has_an_incident_of_its_own() -> None:
    tape = [suspect(n, api_key=f"k{n % 3}", symbol=f"S{n % 3}") for n in range(9)]
    assert sorted(alert.subject for alert in alerts_of(tape)) == ["k0", "k1", "k2"]


def test_evidence_of_one_kind_however_strong_is_for_review() -> None:
    alert = alerts_of([suspect(0, rank=CRITICAL, surprises=CONDUCT)])[0]
    assert alert.data.severity == "critical"
    assert {KINDS[reason.feature] for reason in alert.data.reasons} == {"conduct"}
    assert alert.data.recommended_action == Action.REVIEW


def test_evidence_of_two_kinds_is_for_a_freeze_unless_severity_is_low() -> None:
    assert alerts_of([suspect(0, rank=LOW)])[0].data.recommended_action == Action.REVIEW
    assert alerts_of([suspect(0, rank=MEDIUM)])[0].data.recommended_action == Action.FREEZE_KEY


def test_severity_rises_with_the_money_of_the_whole_incident() -> None:
    tape = [suspect(n, rank=CRITICAL, notional=0.4 * SMALL_MONEY) for n in range(4)]
    alerts = alerts_of(tape)
    assert [alert.data.severity for alert in alerts] == ["medium", "critical"]
    assert alerts[-1].data.event_id == "e-2"
    assert alerts[-1].data.notional == pytest.approx(1.2 * SMALL_MONEY)


def test_of_many_fills_the_strongest_twenty_are_named_strongest_first() -> None:
    ranks = [LOW + 0.01 * n for n in range(30)]  # all of them low
    tape = [suspect(n, rank=rank) for n, rank in enumerate([*ranks, HIGH])]
    last = alerts_of(tape)[-1]
    assert last.data.severity == Severity.HIGH.name.lower()
    strongest = [30, *range(29, 10, -1)]
    assert last.data.evidence.event_ids == [f"e-{n}" for n in strongest]
    assert [place.offset for place in last.places] == strongest


def test_nothing_comes_of_nothing() -> None:
    rows = rows_of([suspect(0)])
    assert AlertStage(plain_model()).judge(rows.take(np.arange(0))) == []


def test_an_alert_that_nothing_speaks_for_gives_two_reasons_of_no_weight() -> None:
    nothing: Event = {"surprises": {}, "activity": 9.0, "persistence": 0.0}
    [alert] = alerts_of([suspect(0) | nothing], replace(plain_model(), critical=-1000.0))
    assert [reason.contribution for reason in alert.data.reasons] == [0.0, 0.0]
