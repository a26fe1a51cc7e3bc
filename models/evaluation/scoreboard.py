"""The scoreboard: alerts held against labels, which say what truly happened."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from models.evaluation.labels import UNKNOWN, Labels
from models.evaluation.named import Named, apps_named, sellers_named


@dataclass(frozen=True, slots=True)
class KindScore:
    """Leaked keys of one kind of incident."""

    caught: int
    missed: int


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """What the alerts were worth; medians are over the keys that were caught."""

    leaked_keys: int
    caught: list[str]  # keys
    missed: list[str]
    false: list[str]  # keys alerted that were not being misused
    by_kind: dict[str, KindScore]
    median_delay_s: float | None  # from the first rogue order to the alert
    median_rogue_orders_before: float | None  # before the alert, and those that raised it
    rogue_notional: float  # USD, of all leaked keys
    loss_prevented: float | None  # share of it that came after the key's alert
    apps: Named  # as leaking
    sellers: Named  # as profiteers


def score_alerts(
    labels: Labels,
    alerted: Iterable[tuple[str, int]],
    apps: Iterable[str] = (),
    accounts: Iterable[str] = (),
) -> Scoreboard:
    """Hold leaked-key alerts, each a key and the time (ms) of the order that raised it, to labels.

    Alerts may come in any order. `loss_prevented` takes it that the key is frozen at once. `apps`
    and `accounts` are those that app-leak and profiteer alerts name.
    """
    caught, false = labels.caught(alerted)
    rogue = sum(leak.notional for leak in labels.leaked.values())
    saved = sum(labels.leaked[key].after(at) for key, at in caught.items())
    delays = [(at - labels.leaked[key].first_rogue_ts) / 1000 for key, at in caught.items()]
    before = [sum(ts <= at for ts, _ in labels.leaked[key].rogue) for key, at in caught.items()]
    return Scoreboard(
        leaked_keys=len(labels.leaked),
        caught=sorted(caught),
        missed=sorted(labels.leaked.keys() - caught.keys()),
        false=sorted(false),
        by_kind=_by_kind(labels, caught),
        median_delay_s=median(delays) if delays else None,
        median_rogue_orders_before=median(before) if before else None,
        rogue_notional=round(rogue, 2),
        loss_prevented=saved / rogue if rogue else None,
        apps=apps_named(labels, apps),
        sellers=sellers_named(labels, accounts),
    )


def _by_kind(labels: Labels, caught: Mapping[str, int]) -> dict[str, KindScore]:
    kinds = {incident.id: incident.kind for incident in labels.incidents}
    of_kind: Counter[str] = Counter()
    caught_of_kind: Counter[str] = Counter()
    for key, leak in labels.leaked.items():
        kind = kinds.get(leak.incident, UNKNOWN)
        of_kind[kind] += 1
        caught_of_kind[kind] += key in caught
    return {
        kind: KindScore(caught_of_kind[kind], count - caught_of_kind[kind])
        for kind, count in sorted(of_kind.items())
    }
