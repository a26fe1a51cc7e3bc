"""The alert stage: suspect fills of all keys in order of time, ranked, explained, told once."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from models.alerts.campaigns import Campaigns
from models.alerts.crowd import Company, Crowd
from models.alerts.envelope import Action, Alert, AlertType, Reason, Severity, digits
from models.alerts.incidents import Incident, Incidents
from models.alerts.raising import Allegation, alert_of
from models.alerts.reasons import Words, explain, kinds_of
from models.alerts.suspects import Suspect, suspects_at
from models.alerts.waiting import Waiting
from models.apps.stage import AppStage
from models.entities import Table, put_back, saved_tables
from models.orders.batch import BUY, Int64s
from models.profiteers.stage import ProfiteerStage
from models.rows import Rows
from models.score.evidence import NOTABLE
from models.score.model import Model
from models.score.parts import at_most, lacking, parts_of
from models.snapshot import Records, Saved, Snapshot

NOTEWORTHY: Final = 2.0  # rank from which a fill belongs to an incident; at most the threshold
REASONS: Final = 5  # an alert gives at most so many
FEWEST_REASONS: Final = 2
STEPS: Final = (0.0, 0.5, 1.0, 2.0)  # rank above the threshold from which a severity begins
SMALL_MONEY: Final = 100.0  # USD in all of an incident's fills

Watch = Callable[[Suspect, int], None]  # told of fills with their ranks, and when each was known


def nobody(_: Suspect, __: int) -> None:
    """Watch nothing."""


class _Values(msgspec.Struct, array_like=True):
    crowd: dict[str, list[int]]
    incidents: bytes
    apps: bytes
    profiteers: bytes
    waiting: bytes
    campaigns: bytes


class AlertStage:
    """Open incidents of all keys.

    `followers` are those of another stage, which has run through a history.
    """

    watch: Watch = staticmethod(nobody)

    def __init__(self, model: Model, followers: Table | None = None) -> None:
        self._model = model
        self._noteworthy = min(NOTEWORTHY, model.threshold)
        self._crowd = Crowd(followers)
        self._incidents = Incidents()
        self._apps = AppStage(model)
        self._profiteers = ProfiteerStage(model)
        self._waiting = Waiting()
        self._campaigns = Campaigns()

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""
        records, crowd = saved_tables(self._crowd)
        parts = (self._incidents, self._apps, self._profiteers, self._waiting, self._campaigns)
        return Snapshot(
            records, msgspec.msgpack.encode(_Values(crowd, *(part.save() for part in parts)))
        )

    def records(self) -> dict[str, Records]:
        """Give what is saved record by record, without the rest."""
        return saved_tables(self._crowd)[0]

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back, in place of that of a new stage."""
        found = msgspec.msgpack.decode(values, type=_Values)
        put_back(self._crowd, records, found.crowd)
        self._incidents.restore(found.incidents)
        self._apps.restore(found.apps)
        self._profiteers.restore(found.profiteers)
        self._waiting.restore(found.waiting)
        self._campaigns.restore(found.campaigns)

    @property
    def followers(self) -> Table:
        """Keys that are used to company: all that a history teaches this stage."""
        return self._crowd.followers

    def learn(self, rows: Rows) -> None:
        """Take notable fills of a history in order of time, and learn only what is usual."""
        self._crowd.meet(_notable(rows)[1])

    def judge(self, rows: Rows) -> list[Alert]:
        """Take notable fills and offers in order of time and give the alerts that they raise."""
        if not len(rows):
            return []
        notable, suspects = _notable(rows)
        around = self._crowd.meet(suspects)
        parts = parts_of(suspects, around.weight, around.share)
        ranks = self._model.rank(parts)
        buys = suspects.orders.side == BUY
        lacks = lacking(suspects)
        worst = at_most(parts, around.share, lacks)
        hopeful = buys & (self._model.rank(worst) >= self._model.threshold)
        chosen = np.flatnonzero((ranks >= self._noteworthy) | hopeful)
        medians = self._model.medians
        places, offers = notable[chosen].tolist(), np.flatnonzero(rows.told["offer"]).tolist()
        alerts: list[Alert] = []
        told = 0  # offers that profiteers have heard of
        self._apps.begin(suspects)
        picked = suspects_at(suspects, chosen, parts, ranks, around, lacks, medians)
        self._campaigns.meet(picked, self._model)
        found = zip(chosen.tolist(), places, picked, around.each(chosen), strict=True)
        for row, place, one, company in found:
            if told < len(offers) and offers[told] < place:
                before = bisect_left(offers, place)
                alerts += self._profiteers.hear(rows, offers[told:before])
                told = before
            alerted = False
            if one.rank >= self._noteworthy:
                self.watch(one, one.sighting.ts)
                incident = self._note(one, one.time)
                alerts += self._accuse(suspects, row, one, incident)
                alerted = incident.alerted is not None
                alerts += self._profiteers.bought(suspects, row, one, alerted=alerted)
            if one.buys:
                alerts += self._rouse(suspects, row, one, company)
                if hopeful[row]:
                    self._waiting.add(one)
        self._apps.end()
        return alerts + self._profiteers.hear(rows, offers[told:])

    def _rouse(self, rows: Rows, row: int, by: Suspect, company: Company) -> list[Alert]:
        """Accuse those whose purchases of the last minutes prove rogue in the light of this one."""
        alerts: list[Alert] = []
        for one in self._waiting.roused(by, company, self._model):
            self.watch(one, by.sighting.ts)
            alerts += self._accuse(rows, row, one, self._note(one, by.time))
            alerts += self._profiteers.alerted(rows, row, one)
        return alerts

    def _note(self, suspect: Suspect, time: int) -> Incident:
        incident = self._incidents.of(suspect.key, time)
        if not suspect.noted:
            impact = suspect.move * suspect.notional
            incident.add(suspect.sighting, time, suspect.notional, impact)
            suspect.noted = True
        return incident

    def _severity(self, rank: float, incident: Incident) -> Severity:
        """Rate how unlikely it is that this is honest; where little money moves, MEDIUM at most."""
        severity = Severity(sum(rank >= self._model.threshold + step for step in STEPS))
        return severity if incident.notional >= SMALL_MONEY else min(severity, Severity.MEDIUM)

    def _accuse(self, rows: Rows, row: int, suspect: Suspect, incident: Incident) -> list[Alert]:
        """Give the alert that event `row` raises on a suspect, and on its app, if they are news."""
        if suspect.rank < self._model.threshold:
            return []
        severity = self._severity(suspect.rank, incident)
        if not incident.is_news(severity):
            return []
        incident.alerted = severity
        reasons = self._reasons(suspect)
        allegation = Allegation(
            AlertType.LEAKED_KEY,
            suspect.key,
            severity,
            suspect.rank,
            self._model.threshold,
            reasons,
            _action(severity, reasons),
            incident.strongest(),
        )
        alert = alert_of(
            allegation,
            self._model,
            rows,
            row,
            api_key=suspect.key,
            account=suspect.account,
            app=suspect.app,
            notional=round(incident.notional, 2),
            impact_bps=round(1e4 * incident.impact / max(incident.notional, 1e-9), 2),
        )
        return [alert, *self._apps.misused(rows, row, suspect, incident)]

    def _reasons(self, suspect: Suspect) -> list[Reason]:
        """Give what moved the score most, strongest first, at least two."""
        parts, surprises = np.array(suspect.parts), np.array(suspect.surprises, np.float32)
        credit = self._model.credit(parts, surprises)
        names = sorted(credit, key=lambda name: -credit[name])
        total = max(sum(credit.values()), 1e-9)  # where nothing speaks, whatever the threshold
        return [
            _reason(name, explain(name, suspect.finding), credit[name] / total)
            for place, name in enumerate(names[:REASONS])
            if credit[name] > 0.0 or place < FEWEST_REASONS
        ]


def _notable(rows: Rows) -> tuple[Int64s, Rows]:
    notable = np.flatnonzero(rows.told["odds"] > NOTABLE)
    return notable, rows if len(notable) == len(rows) else rows.select(notable)


def _reason(name: str, words: Words, share: float) -> Reason:
    return Reason(name, digits(words.value), digits(words.typical), round(share, 4), words.text)


def _action(severity: Severity, reasons: list[Reason]) -> Action:
    """Freeze a key only on evidence of at least two kinds."""
    corroborated = len(kinds_of(reasons)) > 1
    return Action.FREEZE_KEY if severity > Severity.LOW and corroborated else Action.REVIEW
