"""The tables of the contest, as data and as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from benchmarks.contest import BUDGET, BUDGETS, FOREIGN, LIVE, Results
from benchmarks.detector_scores import WHOLE
from benchmarks.verdict import Recall, Theft, Verdict, recall_of

ALL: Final = "all"
HINDSIGHT: Final = f"""\
The rows "{LIVE}" and "{FOREIGN}"
are true alerts at the threshold that training set. Every other row has its threshold chosen in
hindsight, on the very tape it is judged on, so that {BUDGET:g} key in 1,000 key-days is falsely
alerted, rounded to whole keys: no one could run it that way, and it favours them.

Recall is over leaked keys; in brackets its 90 % interval, resampled over incidents. Key-days are
keys times days of the tape, active ones those on which the key did anything. Fills and seconds are
medians from a key's first rogue fill to its alert. Loss prevented is the share of rogue notional
after the alert, were the key frozen at once.
"""


def row_of(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Give the figures of one method over all its tapes."""
    thefts = [theft for verdict in verdicts for theft in verdict.thefts]
    delays = [delay for verdict in verdicts for delay in verdict.delays_s]
    before = [count for verdict in verdicts for count in verdict.rogue_before]
    false = sum(len(verdict.false) for verdict in verdicts)
    rogue = sum(verdict.rogue for verdict in verdicts)
    return {
        "recall": {kind: _figures(recall_of(some)) for kind, some in _by_kind(thefts).items()},
        "incidents": len(thefts),
        "incidents_noticed": sum(theft.caught > 0 for theft in thefts),
        "false_keys": false,
        "false_per_1000_key_days": 1e3 * false / sum(v.key_days for v in verdicts),
        "false_per_1000_active_key_days": 1e3 * false / sum(v.active_key_days for v in verdicts),
        "false_per_million_orders": 1e6 * false / sum(v.orders for v in verdicts),
        "median_rogue_fills": median(before) if before else None,
        "median_seconds": median(delays) if delays else None,
        "loss_prevented": sum(v.saved for v in verdicts) / rogue if rogue else 0.0,
    }


def as_data(results: Results) -> dict[str, Any]:
    """Give all that is known, for JSON."""
    return {
        "budget_per_1000_key_days": BUDGET,
        "methods": {name: row_of(verdicts) for name, verdicts in results.methods.items()},
        "families": {name: row_of(verdicts) for name, verdicts in results.families.items()},
        "tapes": {
            name: {verdict.tape: row_of([verdict]) for verdict in verdicts}
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
        ("What each feature family is worth", _families(data["families"])),
        (
            "Look-alikes that were falsely alerted",
            "Occurrences of which a key was alerted; the last row counts keys.\n\n"
            + _lookalikes(data["lookalikes"]),
        ),
    ]
    return "\n".join(f"## {title}\n\n{text}" for title, text in sections)


def _by_kind(thefts: Sequence[Theft]) -> dict[str, list[Theft]]:
    kinds = sorted({theft.kind for theft in thefts})
    split = {kind: [theft for theft in thefts if theft.kind == kind] for kind in kinds}
    return {ALL: list(thefts), **split}


def _figures(recall: Recall) -> dict[str, float]:
    return {
        "keys": recall.keys,
        "share": recall.share,
        "low": recall.low,
        "high": recall.high,
    }


def _pooled_curves(results: Results) -> dict[str, list[float]]:
    """Recall of each budget over the leaked keys of all tapes."""
    leaked = [sum(theft.keys for theft in v.thefts) for v in results.methods[LIVE]]
    total = max(sum(leaked), 1)
    return {
        name: [
            sum(share * keys for share, keys in zip(shares, leaked, strict=True)) / total
            for shares in zip(*tapes, strict=True)
        ]
        for name, tapes in results.curves.items()
    }


def _methods(methods: Mapping[str, Any]) -> str:
    kinds = list(methods[LIVE]["recall"])
    head = ["method", *(f"recall, {kind}" for kind in kinds), "incidents noticed"]
    head += ["false per 1,000 key-days", "per 1,000 active ones", "per million orders"]
    head += ["rogue fills", "seconds"]
    head += ["loss prevented"]
    lines = [
        [
            name,
            *(_interval(row["recall"][kind]) for kind in kinds),
            f"{row['incidents_noticed']} of {row['incidents']}",
            f"{row['false_per_1000_key_days']:.2f}",
            f"{row['false_per_1000_active_key_days']:.2f}",
            f"{row['false_per_million_orders']:.1f}",
            _number(row["median_rogue_fills"]),
            _number(row["median_seconds"]),
            f"{row['loss_prevented']:.0%}",
        ]
        for name, row in methods.items()
    ]
    return _table(head, lines)


def _tapes(methods: Mapping[str, Any]) -> str:
    tapes = list(methods[LIVE])
    lines = [
        [name, *(_share_and_false(rows[tape]) for tape in tapes)] for name, rows in methods.items()
    ]
    return _table(["method", *tapes], lines)


def _families(families: Mapping[str, Any]) -> str:
    whole = families[WHOLE]["recall"]
    head = ["without", *(f"recall, {kind}" for kind in whole)]
    lines = [["nothing", *(f"{whole[kind]['share']:.1%}" for kind in whole)]]
    lines += [
        [name, *(_lost(row["recall"][kind]["share"], whole[kind]["share"]) for kind in whole)]
        for name, row in families.items()
        if name != WHOLE
    ]
    return "At the budget, and the difference in points.\n\n" + _table(head, lines)


def _lookalikes(kinds: Mapping[str, Mapping[str, int]]) -> str:
    lines = [[kind, str(row["count"]), str(row["alerted"])] for kind, row in kinds.items()]
    return _table(["look-alike", "there were", "alerted"], lines)


def _interval(recall: Mapping[str, float]) -> str:
    return f"{recall['share']:.0%} ({recall['low']:.0%}–{recall['high']:.0%})"


def _share_and_false(row: Mapping[str, Any]) -> str:
    return f"{row['recall'][ALL]['share']:.0%}, {row['false_keys']}"


def _lost(share: float, whole: float) -> str:
    return f"{share:.1%} ({100 * (share - whole):+.1f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
