"""What every alert says, whatever it alleges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.alerts.envelope import (
    Action,
    Alert,
    AlertData,
    AlertType,
    Reason,
    Severity,
    alert_id,
    as_score,
)
from models.alerts.incidents import Sighting, evidence_of
from models.orders.batch import venue_and_symbol
from models.rows import Rows
from models.score.model import Model


@dataclass(frozen=True, slots=True)
class Allegation:
    """What an alert alleges of its subject, and on what grounds."""

    kind: AlertType
    subject: str
    severity: Severity
    rank: float  # -log10 of the chance that this is honest
    threshold: float  # rank to see it beside: from which on it is told, or its app's keys are
    reasons: list[Reason]
    action: Action
    sightings: Sequence[Sighting]  # the fills that weigh most, strongest first


def alert_of(allegation: Allegation, model: Model, rows: Rows, row: int, **own: Any) -> Alert:
    """Write the alert that an event raises; `own` are the fields of `data` that its kind adds."""
    orders = rows.orders
    venue, symbol = venue_and_symbol(orders.markets.strings[orders.market[row]])
    event_id = orders.event_id[row]
    data = AlertData(
        event_id=event_id,
        event_ts=int(orders.ts[row]),
        severity=allegation.severity.name.lower(),
        score=as_score(allegation.rank),
        threshold=as_score(allegation.threshold),
        model=model.id,
        config=model.config,
        symbol=symbol,
        venue=venue,
        reasons=allegation.reasons,
        recommended_action=allegation.action,
        evidence=evidence_of(allegation.sightings),
        **own,
    )
    places = [sighting.place for sighting in allegation.sightings]
    identity = alert_id(allegation.kind, allegation.subject, event_id)
    return Alert(identity, allegation.kind, allegation.subject, data, places)
