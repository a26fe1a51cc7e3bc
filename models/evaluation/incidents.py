"""Alerts held against labels one incident and one look-alike at a time, for people to read."""

from collections.abc import Iterable
from dataclasses import dataclass

from models.evaluation.labels import LabelledIncident, Labels


@dataclass(frozen=True, slots=True)
class IncidentScore:
    """How one theft was met; the first alert is the first of any of its keys."""

    kind: str
    app: str | None
    venue: str
    symbol: str
    keys: int
    caught: int
    first_rogue_ts: int  # ms
    rogue_orders_before: int | None  # of all its keys, up to the first alert
    delay_s: float | None  # from its first rogue order to the first alert
    rogue_notional: float  # USD
    loss_prevented: float  # share of it that came after the alert on its key


@dataclass(frozen=True, slots=True)
class LookAlikeScore:
    """Look-alikes of one kind: how many there were, and of how many a key was falsely alerted."""

    kind: str
    count: int
    alerted: int


def by_incident(labels: Labels, alerted: Iterable[tuple[str, int]]) -> list[IncidentScore]:
    """Score each incident, in order of time, by alerts: each a key and its order's time in ms."""
    caught, _ = labels.caught(alerted)
    keys_of: dict[int, list[str]] = {}
    for key, leak in labels.leaked.items():
        keys_of.setdefault(leak.incident, []).append(key)
    known = {incident.id: incident for incident in labels.incidents}
    scores = [
        _score(known.get(number, LabelledIncident(number)), labels, keys, caught)
        for number, keys in keys_of.items()
    ]
    return sorted(scores, key=lambda score: score.first_rogue_ts)


def by_look_alike(labels: Labels, false: Iterable[str]) -> list[LookAlikeScore]:
    """Count the look-alikes of each kind, given the keys that were falsely alerted."""
    wrong = set(false)
    counts: dict[str, list[bool]] = {}
    for resembling in labels.hard_negatives:
        counts.setdefault(resembling.kind, []).append(not wrong.isdisjoint(resembling.keys))
    return [
        LookAlikeScore(kind, len(alerted), sum(alerted)) for kind, alerted in sorted(counts.items())
    ]


def _score(
    incident: LabelledIncident, labels: Labels, keys: list[str], caught: dict[str, int]
) -> IncidentScore:
    leaks = [labels.leaked[key] for key in keys]
    alerts = {key: caught[key] for key in keys if key in caught}
    begun, alert = min(leak.first_rogue_ts for leak in leaks), min(alerts.values(), default=None)
    total = sum(leak.notional for leak in leaks)
    saved = sum(labels.leaked[key].after(at) for key, at in alerts.items())
    times = [ts for leak in leaks for ts, _ in leak.rogue]
    return IncidentScore(
        kind=incident.kind,
        app=incident.app,
        venue=incident.venue,
        symbol=incident.symbol or "",
        keys=len(keys),
        caught=len(alerts),
        first_rogue_ts=begun,
        rogue_orders_before=None if alert is None else sum(ts <= alert for ts in times),
        delay_s=None if alert is None else (alert - begun) / 1000,
        rogue_notional=round(total, 2),
        loss_prevented=saved / total if total else 0.0,
    )
