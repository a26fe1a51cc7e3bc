"""Apps and accounts that alerts name, held against those that truly were in it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from models.evaluation.labels import Labels

FEWEST: Final = 2  # leaked keys from which an app should be named; one may be, and need not


@dataclass(frozen=True, slots=True)
class Named:
    """Names rightly given, missed, and given falsely."""

    rightly: list[str]
    missed: list[str]
    falsely: list[str]


def apps_named(labels: Labels, named: Iterable[str]) -> Named:
    """Hold the apps of app-leak alerts to those of which keys were misused."""
    app_of = {incident.id: incident.app for incident in labels.incidents}
    apps = (app_of.get(leak.incident) for leak in labels.leaked.values())
    misused = Counter(app for app in apps if app is not None)
    due = {app for app, keys in misused.items() if keys >= FEWEST}
    return _held(due, set(misused), set(named))


def sellers_named(labels: Labels, named: Iterable[str]) -> Named:
    """Hold the accounts of profiteer alerts to those that sold to leaked keys."""
    stolen = {leak.incident for leak in labels.leaked.values()}
    sold = {
        account
        for incident in labels.incidents
        if incident.id in stolen
        for account in incident.sellers or ()
    }
    return _held(sold, sold, set(named))


def _held(due: set[str], true: set[str], named: set[str]) -> Named:
    return Named(sorted(named & true), sorted(due - named), sorted(named - true))
