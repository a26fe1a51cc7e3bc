"""What a replay found, as a dictionary, as text for a terminal, and as files of a report."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec

from models.evaluation.labels import Labels
from models.evaluation.named import Named
from models.evaluation.scoreboard import Scoreboard, score_alerts
from models.score.model import Model
from streams.replay.replay import Replayed

REPORT_JSON: Final = "report.json"
REPORT_MARKDOWN: Final = "report.md"


def score(labels: Labels, replayed: Replayed) -> Scoreboard:
    """Score a replay by the labels of what happened while it lasted."""
    if replayed.first_ts is None or replayed.last_ts is None:
        return score_alerts(Labels({}), [])
    happened = labels.within(replayed.first_ts, replayed.last_ts)
    return score_alerts(happened, replayed.alerted, replayed.apps, replayed.accounts)


def as_result(replayed: Replayed, model: Model, scores: Scoreboard | None) -> dict[str, Any]:
    """Give what was found in plain values."""
    result: dict[str, Any] = {
        "events": replayed.events,
        "refused": replayed.refused,
        "duplicates": replayed.duplicates,
        "ahead": replayed.ahead,
        "late": replayed.late,
        "alerts": replayed.alerts,
        "alerted_keys": len({key for key, _ in replayed.alerted}),
        "from_ts": replayed.first_ts,
        "to_ts": replayed.last_ts,
        "model": model.id,
        "config": model.config,
        "seconds": round(replayed.seconds, 3),
        "events_per_second": round(replayed.events_per_second),
    }
    return result | ({"scores": asdict(scores)} if scores else {})


def as_text(replayed: Replayed, scores: Scoreboard | None) -> str:
    """Give what was found in a few lines."""
    refused = f", {replayed.refused:,} refused" if replayed.refused else ""
    keys = len({key for key, _ in replayed.alerted})
    lines = [
        f"{replayed.events:,} events{refused}, {replayed.alerts:,} alerts on {keys:,} keys in "
        f"{replayed.seconds:.2f} s ({replayed.events_per_second:,.0f} events/s)"
    ]
    if scores:
        lines += [f"{name}: {value}" for name, value in _findings(scores)]
    return "\n".join(lines)


def write_report(directory: Path, result: Mapping[str, Any], scores: Scoreboard | None) -> None:
    """Write report.json and report.md."""
    directory.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
    (directory / REPORT_JSON).write_bytes(content)
    facts = [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in result.items()
        if name not in {"scores", "from_ts", "to_ts"}
    ]
    parts = ["# Replay", _table(("", ""), facts)]
    if scores:
        parts += ["## Against the labels", _table(("", ""), _findings(scores))]
    (directory / REPORT_MARKDOWN).write_text("\n\n".join(parts) + "\n", "utf-8")


def _findings(scores: Scoreboard) -> list[tuple[str, str]]:
    kinds = [
        (f"caught, {kind}", f"{found.caught} of {found.caught + found.missed}")
        for kind, found in scores.by_kind.items()
    ]
    return [
        ("leaked keys caught", f"{len(scores.caught)} of {scores.leaked_keys}"),
        *kinds,
        ("keys falsely alerted", str(len(scores.false))),
        ("median delay", _shown(scores.median_delay_s, "{:.1f} s")),
        ("median rogue orders until the alert", _shown(scores.median_rogue_orders_before, "{:g}")),
        ("rogue notional", f"{scores.rogue_notional:,.0f} USD"),
        ("loss prevented", _shown(scores.loss_prevented, "{:.1%}")),
        ("leaking apps named", _named(scores.apps)),
        ("sellers named", _named(scores.sellers)),
    ]


def _named(named: Named) -> str:
    due = len(named.missed) + len(named.rightly)
    return f"{len(named.rightly)} of {due}, {len(named.falsely)} falsely"


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in [head, ("---", "---:"), *rows])
