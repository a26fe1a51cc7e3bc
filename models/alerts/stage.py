"""The alert stage: suspect fills of all keys in order of time, ranked, explained, told once."""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from models.alerts.crowd import Crowd
from models.alerts.envelope import Action, Alert, AlertType, Place, Reason, Severity, digits
from models.alerts.incidents import Incident, Incidents, Sighting
from models.alerts.raising import Allegation, alert_of
from models.alerts.reasons import KINDS, Finding, Words, explain
from models.apps.stage import AppStage
from models.entities import put_back, saved_tables
from models.market.state import ADVERSE_MOVE
from models.orders.batch import BUY, NONE, Float32s, Float64s, venue_and_symbol
from models.profiteers.stage import ProfiteerStage
from models.rows import Rows
from models.score.evidence import NOTABLE
from models.score.model import Model
from models.score.parts import parts_of
from models.snapshot import Saved, Snapshot

NOTEWORTHY: Final = 2.0  # rank from which a fill belongs to an incident; at most the threshold
REASONS: Final = 5  # an alert gives at most so many
FEWEST_REASONS: Final = 2
STEPS: Final = (0.0, 0.5, 1.0, 2.0)  # rank above the threshold from which a severity begins
SMALL_MONEY: Final = 100.0  # USD in all of an incident's fills
CORROBORATION: Final = 0.05  # share of the score from which a reason counts as one of its kind

Watch = Callable[[Rows, Float64s], None]  # told of notable fills and their ranks


def nobody(_: Rows, __: Float64s) -> None:
    """Watch nothing."""


class _Values(msgspec.Struct, array_like=True):
    crowd: dict[str, list[int]]
    incidents: bytes
    apps: bytes
    profiteers: bytes


class AlertStage:
    """Open incidents of all keys."""

    watch: Watch = staticmethod(nobody)

    def __init__(self, model: Model) -> None:
        self._model = model
        self._noteworthy = min(NOTEWORTHY, model.threshold)
        self._crowd = Crowd()
        self._incidents = Incidents()
        self._apps = AppStage(model)
        self._profiteers = ProfiteerStage(model)

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""
        records, crowd = saved_tables(self._crowd)
        parts = (self._incidents, self._apps, self._profiteers)
        return Snapshot(
            records, msgspec.msgpack.encode(_Values(crowd, *(part.save() for part in parts)))
        )

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back, in place of that of a new stage."""
        found = msgspec.msgpack.decode(values, type=_Values)
        put_back(self._crowd, records, found.crowd)
        self._incidents.restore(found.incidents)
        self._apps.restore(found.apps)
        self._profiteers.restore(found.profiteers)

    def judge(self, rows: Rows) -> list[Alert]:
        """Take notable fills and offers in order of time and give the alerts that they raise."""
        if not len(rows):
            return []
        notable = np.flatnonzero(rows.extra["odds"] > NOTABLE)
        suspects = rows if len(notable) == len(rows) else rows.take(notable)
        around = self._crowd.meet(suspects)
        parts = parts_of(suspects, around.weight)
        ranks = self._model.rank(parts)
        self.watch(suspects, ranks)
        alerts: list[Alert] = []
        heard = 0  # suspects that the app stage has heard of
        known = 0  # rows that the profiteer stage has heard of
        for row in np.flatnonzero(ranks >= self._noteworthy).tolist():
            alerts += self._profiteers.hear(rows, known, int(notable[row]))
            known = int(notable[row])
            rank = float(ranks[row])
            incident = self._note(suspects, row, rank)
            if rank >= self._model.threshold:
                severity = self._severity(rank, incident)
                if incident.is_news(severity):
                    reasons = self._reasons(suspects, row, parts[row], around.rogue[row])
                    alerts.append(self._alert(suspects, row, rank, severity, reasons, incident))
                    incident.alerted = severity
                    self._apps.hear(suspects, heard, row + 1)
                    heard = row + 1
                    alerts += self._apps.misused(suspects, row, rank, incident)
            is_alerted = incident.alerted is not None
            alerts += self._profiteers.bought(suspects, row, rank, alerted=is_alerted)
        self._apps.hear(suspects, heard, len(suspects))
        return alerts + self._profiteers.hear(rows, known, len(rows))

    def _note(self, rows: Rows, row: int, rank: float) -> Incident:
        orders = rows.orders
        time = int(rows.merge_time[row])  # one market's clock may leap, the partition's does not
        incident = self._incidents.of(orders.keys.strings[orders.key[row]], time)
        place = Place(int(orders.partition[row]), int(orders.offset[row]))
        sighting = Sighting(rank, int(orders.ts[row]), orders.event_id[row], place)
        move = max(0.0, float(rows.extra["context"][row, ADVERSE_MOVE]))
        notional = float(orders.notional[row])
        incident.add(sighting, time, notional, move * notional)
        return incident

    def _severity(self, rank: float, incident: Incident) -> Severity:
        """Rate how unlikely it is that this is honest; where little money moves, MEDIUM at most."""
        severity = Severity(sum(rank >= self._model.threshold + step for step in STEPS))
        return severity if incident.notional >= SMALL_MONEY else min(severity, Severity.MEDIUM)

    def _alert(
        self,
        rows: Rows,
        row: int,
        rank: float,
        severity: Severity,
        reasons: list[Reason],
        incident: Incident,
    ) -> Alert:
        orders = rows.orders
        key = orders.keys.strings[orders.key[row]]
        allegation = Allegation(
            AlertType.LEAKED_KEY,
            key,
            severity,
            rank,
            self._model.threshold,
            reasons,
            _action(severity, reasons),
            incident.strongest(),
        )
        return alert_of(
            allegation,
            self._model,
            rows,
            row,
            api_key=key,
            account=orders.accounts.strings[orders.account[row]],
            app=_app(rows, row),
            notional=round(incident.notional, 2),
            impact_bps=round(1e4 * incident.impact / max(incident.notional, 1e-9), 2),
        )

    def _reasons(self, rows: Rows, row: int, parts: Float64s, rogue: Float32s) -> list[Reason]:
        """Give what moved the score most, strongest first, at least two."""
        extra = rows.extra
        finding = Finding(
            symbol=venue_and_symbol(rows.orders.markets.strings[rows.orders.market[row]])[1],
            app=_app(rows, row),
            buys=bool(rows.orders.side[row] == BUY),
            features=extra["features"][row].tolist(),
            values=extra["values"][row].tolist(),
            usual=extra["usual"][row].tolist(),
            median=self._model.medians.tolist(),
            rogue_around=float(rogue[0]),
            rogue_fellows=float(rogue[1]),
            persistence=float(extra["persistence"][row]),
        )
        credit = self._model.credit(parts, extra["surprises"][row])
        names = sorted(credit, key=lambda name: -credit[name])
        total = sum(credit.values())
        return [
            _reason(name, explain(name, finding), credit[name] / total)
            for place, name in enumerate(names[:REASONS])
            if credit[name] > 0.0 or place < FEWEST_REASONS
        ]


def _reason(name: str, words: Words, share: float) -> Reason:
    return Reason(name, digits(words.value), digits(words.typical), round(share, 4), words.text)


def _action(severity: Severity, reasons: list[Reason]) -> Action:
    """Freeze a key only on evidence of at least two kinds."""
    kinds = {KINDS[reason.feature] for reason in reasons if reason.contribution >= CORROBORATION}
    return Action.FREEZE_KEY if severity > Severity.LOW and len(kinds) > 1 else Action.REVIEW


def _app(rows: Rows, row: int) -> str | None:
    code = rows.orders.app[row]
    return rows.orders.apps.strings[code] if code != NONE else None
