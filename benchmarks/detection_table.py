"""The tables of the contest, as data and as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from benchmarks.contest import BUDGET, BUDGETS, FOREIGN, LIVE, Results
from models.evaluation.figures import ALL, figures_of
from models.evaluation.intervals import Estimate
from models.evaluation.named import Named

HINDSIGHT: Final = f"""\
The rows "{LIVE}" and "{FOREIGN}"
are true alerts at the threshold that training set. Every other row has its threshold chosen in
hindsight, on the very tape it is judged on, so that {BUDGET:g} key in 1,000 key-days is falsely
alerted, rounded to whole keys: no one could run it that way, and it favours them.

Recall is over leaked keys; in brackets its 90 % interval, resampled over incidents. Key-days are
keys times days of the tape, active ones those on which the key did anything. Orders and seconds
are medians from a key's first rogue order to its alert, those that raised it included. Loss
prevented is the share of rogue notional after the alert, were the key frozen at once.
"""


def as_data(results: Results) -> dict[str, Any]:
    """Give all that is known, for JSON."""
    return {
        "budget_per_1000_key_days": BUDGET,
        "methods": {name: asdict(figures_of(each)) for name, each in results.methods.items()},
        "named": {
            method: {what: _pooled(each) for what, each in named.items()}
            for method, named in results.named.items()
        },
        "tapes": {
            name: {verdict.tape: asdict(figures_of([verdict])) for verdict in verdicts}
            for name, verdicts in results.methods.items()
        },
        "curves": {"budgets": BUDGETS, "recall": _pooled_curves(results)},
        "lookalikes": {
            kind: {"count": count, "alerted": results.alerted_lookalikes[kind]}
            for kind, count in sorted(results.lookalikes.items())
        },
    }


def as_markdown(data: Mapping[str, Any]) -> str:
    """Give the tables of `as_data` for people."""
    sections = [
        ("Detection", HINDSIGHT + "\n" + _methods(data["methods"])),
        ("Tape by tape", "Recall, and falsely alerted keys.\n\n" + _tapes(data["tapes"])),
        ("How each kind of theft is met", _thefts(data["methods"])),
        ("Apps and sellers that alerts name", _named(data["named"])),
        (
            "Look-alikes that were falsely alerted",
            "Occurrences of which a key was alerted; the last row counts keys.\n\n"
            + _lookalikes(data["lookalikes"]),
        ),
    ]
    return "\n".join(f"## {title}\n\n{text}" for title, text in sections)


def _pooled(named: Sequence[Named]) -> dict[str, int]:
    return {
        "rightly": sum(len(each.rightly) for each in named),
        "missed": sum(len(each.missed) for each in named),
        "falsely": sum(len(each.falsely) for each in named),
    }


def _pooled_curves(results: Results) -> dict[str, list[float]]:
    """Recall of each budget over the leaked keys of all tapes."""
    leaked = [sum(theft.keys for theft in verdict.thefts) for verdict in results.methods[LIVE]]
    total = max(sum(leaked), 1)
    return {
        name: [
            sum(share * keys for share, keys in zip(shares, leaked, strict=True)) / total
            for shares in zip(*tapes, strict=True)
        ]
        for name, tapes in results.curves.items()
    }


def _methods(methods: Mapping[str, Any]) -> str:
    kinds = list(methods[LIVE]["met"])
    head = ["method", *(f"recall, {kind}" for kind in kinds), "incidents noticed"]
    head += ["false per 1,000 key-days", "per 1,000 active ones", "per million orders"]
    head += ["precision", "orders", "seconds", "loss prevented"]
    return table(head, [[name, *_method(row, kinds)] for name, row in methods.items()])


def _method(row: Mapping[str, Any], kinds: Sequence[str]) -> list[str]:
    met = row["met"][ALL]
    return [
        *(_estimate(row["met"][kind]["recall"]).as_share() for kind in kinds),
        f"{met['noticed']} of {met['incidents']}",
        _estimate(row["false_per_1000_key_days"]).as_rate(),
        f"{row['false_per_1000_active_key_days']:.2f}",
        f"{row['false_per_million_orders']:.1f}",
        "–" if row["precision"] is None else f"{row['precision']:.0%}",
        _number(met["median_orders"]),
        _number(met["median_seconds"]),
        _estimate(met["loss_prevented"]).as_share(),
    ]


def _thefts(methods: Mapping[str, Any]) -> str:
    head = ["method", "theft", "keys", "recall", "incidents noticed", "orders", "seconds"]
    lines = [
        [
            method,
            kind,
            str(met["keys"]),
            _estimate(met["recall"]).as_share(),
            f"{met['noticed']} of {met['incidents']}",
            _number(met["median_orders"]),
            _number(met["median_seconds"]),
            _estimate(met["loss_prevented"]).as_share(),
        ]
        for method in (LIVE, FOREIGN)
        for kind, met in methods.get(method, {"met": {}})["met"].items()
        if kind != ALL
    ]
    return table([*head, "loss prevented"], lines)


def _named(methods: Mapping[str, Any]) -> str:
    lines = [
        [method, what, f"{row['rightly']}", f"{row['missed']}", f"{row['falsely']}"]
        for method, named in methods.items()
        for what, row in named.items()
    ]
    return table(["method", "named", "rightly", "missed", "falsely"], lines)


def _tapes(methods: Mapping[str, Any]) -> str:
    tapes = list(methods[LIVE])
    lines = [
        [name, *(_share_and_false(rows[tape]) for tape in tapes)] for name, rows in methods.items()
    ]
    return table(["method", *tapes], lines)


def _lookalikes(kinds: Mapping[str, Mapping[str, int]]) -> str:
    lines = [[kind, str(row["count"]), str(row["alerted"])] for kind, row in kinds.items()]
    return table(["look-alike", "there were", "alerted"], lines)


def _estimate(told: Mapping[str, float]) -> Estimate:
    return Estimate(**told)


def _share_and_false(row: Mapping[str, Any]) -> str:
    return f"{row['met'][ALL]['recall']['value']:.0%}, {row['false_keys']}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Give a Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
