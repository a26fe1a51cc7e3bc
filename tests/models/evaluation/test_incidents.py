import pytest

from models.evaluation.incidents import LookAlikeScore, by_incident, by_look_alike
from models.evaluation.labels import LabelledIncident, Labels, LeakedKey, LookAlike
from models.evaluation.scoreboard import score_alerts

LABELS = Labels(
    leaked={
        "a": LeakedKey(0, 1000, [(1000, 10.0), (3000, 30.0)]),
        "b": LeakedKey(0, 2000, [(2000, 20.0), (9000, 40.0)]),
        "c": LeakedKey(1, 500, [(500, 5.0)]),
    },
    incidents=[
        LabelledIncident(0, "blitz", "app7", "binance", "AXSUSDT"),
        LabelledIncident(1, "drip"),
    ],
    hard_negatives=[
        LookAlike("signal-thin", ["d", "e"], 100),
        LookAlike("signal-thin", ["f"], 200),
        LookAlike("listing", [], 300),
    ],
)


def test_an_incident_is_met_with_the_first_alert_on_any_of_its_keys() -> None:
    missed, met = by_incident(LABELS, [("b", 9000), ("b", 2000), ("a", 3000)])
    assert (met.kind, met.app, met.venue, met.symbol) == ("blitz", "app7", "binance", "AXSUSDT")
    assert (met.keys, met.caught) == (2, 2)
    assert met.delay_s == 1.0
    assert met.rogue_orders_before == 2
    assert met.loss_prevented == pytest.approx(40 / 100)
    assert (missed.kind, missed.caught, missed.delay_s, missed.loss_prevented) == (
        "drip", 0, None, 0.0,
    )  # fmt: skip


def test_an_alert_before_the_first_rogue_order_catches_nothing() -> None:
    assert all(incident.caught == 0 for incident in by_incident(LABELS, [("a", 999)]))


def test_the_incidents_add_up_to_the_scoreboard() -> None:
    alerted = [("a", 1000), ("c", 500), ("d", 700)]
    total, incidents = score_alerts(LABELS, alerted), by_incident(LABELS, alerted)
    assert sum(incident.caught for incident in incidents) == len(total.caught)
    assert sum(incident.rogue_notional for incident in incidents) == total.rogue_notional
    assert total.loss_prevented == pytest.approx(
        sum(i.loss_prevented * i.rogue_notional for i in incidents) / total.rogue_notional
    )


def test_a_look_alike_is_alerted_when_one_of_its_keys_is() -> None:
    assert by_look_alike(LABELS, ["e", "x"]) == [
        LookAlikeScore("listing", 1, 0),
        LookAlikeScore("signal-thin", 2, 1),
    ]
