"""The alert stage: suspect fills of all keys in order of time, ranked, explained, told once."""

from typing import Final

import numpy as np

from models.alerts.crowd import Crowd
from models.alerts.envelope import (
    Action,
    Alert,
    AlertData,
    AlertType,
    Place,
    Reason,
    Severity,
    alert_id,
)
from models.alerts.incidents import Incident, Incidents, Sighting
from models.alerts.reasons import Finding, explain
from models.market.state import ADVERSE_MOVE
from models.orders.batch import BUY, NONE, Float64s, venue_and_symbol
from models.rows import Rows
from models.score.evidence import contributions
from models.score.model import Model, parts_of

NOTEWORTHY: Final = 2.0  # rank from which a fill belongs to an incident
REASONS: Final = 5  # an alert gives at most so many
STEPS: Final = (0.0, 0.5, 1.0, 2.0)  # rank above the threshold from which a severity begins


class AlertStage:
    """Open incidents of all keys."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._crowd = Crowd()
        self._incidents = Incidents()

    def judge(self, rows: Rows) -> list[Alert]:
        """Take notable fills in order of time and give the alerts that they raise."""
        if not len(rows):
            return []
        parts = parts_of(rows.extra["odds"], self._crowd.meet(rows), rows.extra["persistence"])
        ranks = self._model.rank(parts)
        alerts = []
        for row in np.flatnonzero(ranks >= NOTEWORTHY).tolist():
            rank = float(ranks[row])
            incident = self._note(rows, row, rank)
            if rank < self._model.threshold:
                continue
            severity = self._severity(rank)
            if incident.is_news(severity):
                alerts.append(self._alert(rows, row, rank, severity, parts[row], incident))
                incident.alerted = severity
        return alerts

    def _note(self, rows: Rows, row: int, rank: float) -> Incident:
        orders = rows.orders
        time = int(rows.time[row])
        incident = self._incidents.of(orders.keys.strings[orders.key[row]], time)
        place = Place(int(orders.partition[row]), int(orders.offset[row]))
        sighting = Sighting(rank, int(orders.ts[row]), orders.event_id[row], place)
        move = max(0.0, float(rows.extra["context"][row, ADVERSE_MOVE]))
        incident.add(sighting, time, float(orders.notional[row]), move)
        return incident

    def _severity(self, rank: float) -> Severity:
        return Severity(sum(rank >= self._model.threshold + step for step in STEPS))

    def _alert(
        self,
        rows: Rows,
        row: int,
        rank: float,
        severity: Severity,
        parts: Float64s,
        incident: Incident,
    ) -> Alert:
        orders, model = rows.orders, self._model
        key = orders.keys.strings[orders.key[row]]
        venue, symbol = venue_and_symbol(orders.markets.strings[orders.market[row]])
        app = orders.apps.strings[orders.app[row]] if orders.app[row] != NONE else None
        event_id = orders.event_id[row]
        data = AlertData(
            event_id=event_id,
            event_ts=int(orders.ts[row]),
            severity=severity.name.lower(),
            score=as_score(rank),
            threshold=as_score(model.threshold),
            model=model.id,
            config=model.config,
            symbol=symbol,
            venue=venue,
            reasons=self._reasons(rows, row, parts, symbol, app),
            recommended_action=Action.FREEZE_KEY if severity >= Severity.HIGH else Action.REVIEW,
            evidence=incident.evidence(),
            api_key=key,
            account=orders.accounts.strings[orders.account[row]],
            app=app,
            notional=round(incident.notional, 2),
            impact_bps=round(1e4 * incident.impact, 2),
        )
        places = [sighting.place for sighting in incident.strongest()]
        identity = alert_id(AlertType.LEAKED_KEY, key, event_id, model.id)
        return Alert(identity, AlertType.LEAKED_KEY, key, data, places)

    def _reasons(
        self, rows: Rows, row: int, parts: Float64s, symbol: str, app: str | None
    ) -> list[Reason]:
        """Give what moved the score most, strongest first."""
        extra = rows.extra
        credit = contributions(extra["surprises"][row])
        share = credit / max(float(credit.sum()), 1e-9)
        finding = Finding(
            symbol,
            app,
            bool(rows.orders.side[row] == BUY),
            extra["features"][row].tolist(),
            extra["values"][row].tolist(),
            extra["usual"][row].tolist(),
            self._model.medians.tolist(),
        )
        strongest = np.argsort(-share, kind="stable")[:REASONS].tolist()
        reasons: list[Reason] = []
        for feature in strongest:
            if share[feature] > 0.0 or len(reasons) < 2:
                words = explain(feature, finding)
                reasons.append(
                    Reason(
                        words.feature,
                        _digits(words.value),
                        _digits(words.typical),
                        round(float(share[feature]), 4),
                        words.text,
                    )
                )
        return reasons


def as_score(rank: float) -> float:
    """Score of an alert, 0..1: the chance that a benign key-day stays below.

    >>> as_score(3.0)
    0.999
    """
    return round(1.0 - float(10.0**-rank), 10)


def _digits(value: float) -> float:
    """Six significant digits: what a reader can use, the same on every machine."""
    return float(f"{value:.6g}")
