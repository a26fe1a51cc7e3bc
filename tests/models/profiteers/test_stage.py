from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from models.alerts.envelope import Alert, AlertType, Severity, alert_id
from models.alerts.incidents import QUIET_MS
from models.profiteers.dealings import WINDOW_MS, Dealings
from models.profiteers.stage import GROWN, LARGE, NEWS, SMALL, ProfiteerStage
from tests.factories import TS, Event
from tests.models.alerts.suspects import MINUTE, plain_model, rows_of, suspect, taken_out

RANK = 6.0
COMMON = {
    *("event_id", "event_ts", "severity", "score", "threshold", "model", "config", "symbol"),
    *("venue", "reasons", "recommended_action", "evidence"),
}
STRANGER = (0.0005, 0.0, 0.0)  # sold here for the first time


def robbed(number: int, **changes: Any) -> Event:
    """A purchase by a leaked key of its own, dearer than the last, from `thief`."""
    usual: Event = {
        "api_key": f"k{number}",
        "price": 8.0 + 0.1 * number,
        "counterparty": "thief",
        "dealing": STRANGER,
    }
    return suspect(number, **(usual | changes))


def sale(number: int, **changes: Any) -> Event:
    """The seller's own report of `robbed(number)`, as it is told where no counterparty is given."""
    usual = {
        "event_id": f"s-{number}",
        "api_key": None,
        "account": "thief",
        "side": "sell",
        "price": 8.0 + 0.1 * number,
        "odds": -50.0,
        "offer": True,
        "dealing": STRANGER,
    }
    return suspect(number, **(usual | changes))


def alerts_of(
    tape: Sequence[Event],
    stage: ProfiteerStage | None = None,
    *,
    alerted: bool = True,
    but: Sequence[str] = (),
) -> list[Alert]:
    """Alerts where each purchase is noteworthy, and its key alerted `but` for some accounts."""
    stage = stage or ProfiteerStage(plain_model())
    rows, alerts = rows_of(tape), []
    for row, event in enumerate(tape):
        if event["offer"]:
            alerts += stage.hear(rows, [row])
        else:
            buyer = taken_out(rows, row, RANK)
            told = alerted and buyer.account not in but
            alerts += stage.bought(rows, row, buyer, alerted=told)
    return alerts


def data_of(alert: Alert) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(alert.encode())["data"]
    return data


def test_the_alert_has_the_fields_of_the_contract_and_no_others() -> None:
    (alert,) = alerts_of([robbed(n) for n in range(2)])
    body = msgspec.json.decode(alert.encode())
    data = body["data"]
    assert (body["type"], body["subject"]) == ("roguekey.alert.profiteer.v1", "thief")
    assert data.keys() == COMMON | {"account", "received_notional", "from_keys"}
    assert (data["account"], data["from_keys"]) == ("thief", ["k1", "k0"])
    assert data["received_notional"] == pytest.approx(40 * (8.0 + 8.1))
    assert data["recommended_action"] in {"review", "hold_withdrawals"}
    assert 0.0 < data["threshold"] <= data["score"] <= 1.0


def test_the_event_that_completes_the_proof_raises_it() -> None:
    (alert,) = alerts_of([robbed(n) for n in range(3)])
    assert alert.data.event_id == "e-1"
    assert alert.id == alert_id(AlertType.PROFITEER, "thief", "e-1")
    assert set(alert.data.evidence.event_ids) == {"e-0", "e-1"}
    assert len(alert.places) == 2


@pytest.mark.parametrize("seller_first", [False, True])
def test_without_a_counterparty_the_seller_is_found_by_time_and_size(seller_first: bool) -> None:
    pairs = [(robbed(n, counterparty=None), sale(n)) for n in range(3)]
    tape = [event for pair in pairs for event in (reversed(pair) if seller_first else pair)]
    (alert,) = alerts_of(tape)
    assert alert.subject == "thief"
    assert alert.data.event_id == ("e-1" if seller_first else "s-1")


def test_sales_at_other_times_than_the_purchases_prove_nothing() -> None:
    tape = [robbed(n, counterparty=None) for n in range(5)]
    tape += [sale(n, ts=TS + n * MINUTE + 1) for n in range(5)]
    assert alerts_of(tape) == []


def test_a_market_maker_a_holder_with_one_order_and_a_passer_by_are_not_named() -> None:
    maker = [robbed(n, counterparty="maker", dealing=(0.4, 9e4, 2e5)) for n in range(6)]
    holder = [robbed(n, counterparty="holder", price=9.0) for n in range(6, 12)]
    passer_by = [robbed(12, counterparty="passer-by")]
    assert alerts_of([*maker, *holder, *passer_by]) == []


def test_what_was_sold_before_the_keys_were_alerted_counts_when_they_are() -> None:
    stage = ProfiteerStage(plain_model())
    early = [robbed(n, api_key="k") for n in range(5)]
    assert alerts_of(early, stage, alerted=False) == []
    (alert,) = alerts_of([robbed(5, api_key="k", counterparty="other")], stage)
    assert (alert.subject, alert.data.event_id) == ("thief", "e-5")


def test_what_came_before_a_quiet_time_is_not_of_the_incident() -> None:
    stage = ProfiteerStage(plain_model())
    alerts_of([robbed(n, api_key="k") for n in range(5)], stage, alerted=False)
    late = robbed(5, api_key="k", counterparty="other", ts=TS + 6 * MINUTE + QUIET_MS)
    assert alerts_of([late], stage) == []


def test_it_is_told_again_only_when_it_is_worse() -> None:
    stage = ProfiteerStage(plain_model())
    alerts = alerts_of([robbed(n) for n in range(30)], stage)
    severities = [Severity[alert.data.severity.upper()] for alert in alerts]
    assert severities == sorted(severities)
    assert len(alerts) <= 4
    told = alerts[-1].data.received_notional
    assert isinstance(told, float)
    (again,) = alerts_of([robbed(30, notional=GROWN * told)], stage)
    assert again.data.event_id == "e-30"


def test_withdrawals_are_held_where_the_proof_is_strong_and_much_was_received() -> None:
    few = alerts_of([robbed(n) for n in range(3)])[-1]
    many = alerts_of([robbed(n, notional=LARGE) for n in range(12)])[-1]
    assert (few.data.severity, few.data.recommended_action) == ("medium", "review")
    assert (many.data.severity, many.data.recommended_action) == ("critical", "hold_withdrawals")


def test_nothing_is_held_of_an_account_that_received_little_however_strong_the_proof() -> None:
    little = alerts_of([robbed(n, notional=0.9 * SMALL / 12) for n in range(12)])
    more = alerts_of([robbed(n, notional=1.1 * SMALL / 12) for n in range(12)])
    assert {alert.data.recommended_action for alert in little} == {"review"}
    assert more[-1].data.recommended_action == "hold_withdrawals"


def test_after_a_day_all_is_forgotten() -> None:
    stage = ProfiteerStage(plain_model())
    alerts_of([robbed(n) for n in range(3)], stage)
    alerts_of([robbed(3, counterparty="other", ts=TS + WINDOW_MS + 10 * MINUTE)], stage)
    assert "thief" not in stage._dealings.sellers
    assert set(stage._dealings.sprees[4].sales) == {"other"}


def test_sales_of_a_leaked_key_enrich_nobody() -> None:
    assert alerts_of([robbed(n, side="sell") for n in range(9)]) == []


def test_how_surely_keys_are_misused_is_measured_from_the_models_threshold() -> None:
    among_others = [robbed(n, api_key="k", dealing=(0.0005, 0.0, 20_000.0)) for n in range(3)]
    strict = ProfiteerStage(replace(plain_model(), threshold=RANK))
    assert len(alerts_of(among_others)) == 1
    assert alerts_of(among_others, strict) == []


def test_who_sold_to_many_leaked_keys_is_not_weighed_anew_at_each_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weighed: list[int] = []

    def weigh(dealings: Dealings, account: str, _: float) -> None:
        weighed.append(len(dealings.sellers[account].sprees))

    monkeypatch.setattr("models.profiteers.stage.suspect", weigh)
    many = rows_of([robbed(0, ts=TS)] * 500)
    stage = ProfiteerStage(plain_model())
    for row in range(len(many)):
        buyer = taken_out(many, row, RANK)
        buyer.key = f"k{row}"
        stage.bought(many, row, buyer, alerted=True)
    assert weighed[: NEWS // 2] == list(range(1, NEWS // 2 + 1))
    assert len(weighed) < NEWS * 4
    assert weighed[-1] > 500 - 500 // NEWS - 1


@pytest.mark.parametrize("later", [40, 120])
def test_a_sale_told_when_its_key_is_elsewhere_is_no_part_of_that(later: int) -> None:
    stage = ProfiteerStage(plain_model())
    alerts_of([robbed(n, api_key="k", counterparty=None) for n in range(3)], stage, alerted=False)
    elsewhere = {"api_key": "k", "symbol": "OTHERUSDT", "counterparty": "other"}
    alerts_of([robbed(later, **elsewhere)], stage)
    assert alerts_of([sale(n) for n in range(3)], stage) == []
    again = robbed(later + 61, **elsewhere) | {"counterparty": "thief"}
    assert alerts_of([again], stage) == []


def drip(number: int, *, drift: float = 0.0) -> list[Event]:
    """A minute in which a victim buys dear of the thief, whose own key buys back cheaply."""
    price = 8.0 * (1.0 + drift) ** number
    victim = {"api_key": "kv", "account": "victim", "counterparty": "thief", "price": price}
    thief = {"api_key": "kt", "account": "thief", "counterparty": "victim", "price": 0.94 * price}
    return [robbed(2 * number, **victim), robbed(2 * number + 1, **thief)]


def named(alerts: Sequence[Alert]) -> set[str]:
    return {alert.subject for alert in alerts}


@pytest.mark.parametrize("drift", [-0.01, 0.0001, 0.01])
def test_a_victim_whose_thief_buys_back_and_looks_leaked_itself_is_not_named(drift: float) -> None:
    stage = ProfiteerStage(plain_model())
    tape = [event for n in range(100) for event in drip(n, drift=drift)]
    assert named(alerts_of(tape[:60], stage, but=["thief"])) == {"thief"}
    assert named(alerts_of(tape[60:], stage)) <= {"thief"}


@pytest.mark.parametrize("drift", [-0.01, 0.0001, 0.01])
def test_a_victim_is_not_named_before_its_key_is_alerted_either(drift: float) -> None:
    stage = ProfiteerStage(plain_model())
    tape = [event for n in range(100) for event in drip(n, drift=drift)]
    assert alerts_of(tape, stage, but=["victim"]) == []
    later = [event for n in range(100, 130) for event in drip(n, drift=drift)]
    assert alerts_of(later, stage) == []


def test_an_account_of_which_a_key_was_alerted_is_not_named_for_a_day_wherever_it_sells() -> None:
    stage = ProfiteerStage(plain_model())
    alerts_of([robbed(0, api_key="kv", account="victim", symbol="OTHERUSDT")], stage)
    assert alerts_of([robbed(n, counterparty="victim") for n in range(700, 710)], stage) == []
    after = WINDOW_MS // MINUTE + 720
    sold = [robbed(n, counterparty="victim") for n in range(after, after + 10)]
    assert named(alerts_of(sold, stage)) == {"victim"}


def test_a_sale_of_a_leaked_key_protects_its_account_as_a_purchase_does() -> None:
    stage = ProfiteerStage(plain_model())
    assert alerts_of([robbed(0, api_key="kv", account="victim", side="sell")], stage) == []
    assert alerts_of([robbed(n, counterparty="victim") for n in range(1, 10)], stage) == []


def test_who_sells_to_a_key_of_a_named_profiteer_met_no_victim() -> None:
    stage = ProfiteerStage(plain_model())
    alerts_of([robbed(n) for n in range(3)], stage)
    bought_back = {"api_key": "kt", "account": "thief", "counterparty": "passer-by"}
    assert alerts_of([robbed(n, **bought_back) for n in range(3, 60)], stage) == []


def test_a_named_profiteer_whose_own_key_is_alerted_is_told_again_when_it_is_worse() -> None:
    stage = ProfiteerStage(plain_model())
    tape = [robbed(n) for n in range(6)]
    tape += [event for n in range(3, 40) for event in drip(n)]
    told = [alert for alert in alerts_of(tape, stage) if alert.subject == "thief"]
    assert told[-1].data.event_ts > TS + 20 * MINUTE


def test_whose_keys_are_suspect_survives_a_restart() -> None:
    stage, restarted = ProfiteerStage(plain_model()), ProfiteerStage(plain_model())
    alerts_of([event for n in range(20) for event in drip(n)], stage, but=["victim", "thief"])
    restarted.restore(stage.save())
    later = [event for n in range(20, 60) for event in drip(n)]
    assert [a.encode() for a in alerts_of(later, restarted)] == [
        a.encode() for a in alerts_of(later, stage)
    ]
