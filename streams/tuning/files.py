"""The files of a tuning's report: for people, for programs, and the plot."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd

from models.evaluation.figures import ALL, Figures, Met
from models.evaluation.intervals import Estimate
from models.evaluation.sweep import Point
from streams.tuning.plot import Curve, Panel, svg
from streams.tuning.report import (
    HEAD,
    NO_CHOICE,
    SETTING,
    Tuned,
    as_result,
    in_words,
    look_alikes,
    row_of,
    shown_number,
)

ABOUT: Final = """\
Each row is a setting of `false_keys_per_1000_key_days`. Recall is over leaked keys; orders and
seconds are medians from a key's first rogue order to its alert, that one included; loss prevented
is the share of rogue notional after the alert, were the key frozen at once. In brackets 90 %
intervals: of shares resampled over incidents, of false alerts those of a Poisson count."""
THEFT_HEAD: Final = (
    *("theft", "keys", "recall", "incidents noticed", "orders", "seconds", "loss prevented"),
)


def write_report(directory: Path, tuned: Tuned) -> None:
    """Write tuning.md, tuning.json, tuning.csv and tuning.svg."""
    directory.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.format(msgspec.json.encode(as_result(tuned)), indent=2) + b"\n"
    (directory / "tuning.json").write_bytes(content)
    (directory / "tuning.md").write_text(_markdown(tuned), "utf-8")
    (directory / "tuning.csv").write_text(_csv(tuned), "utf-8")
    (directory / "tuning.svg").write_text(_plot(tuned), "utf-8")


def _markdown(tuned: Tuned) -> str:
    tapes = [
        (t.truth.tape, f"{t.truth.exposure.orders:,}", f"{t.truth.exposure.key_days:,.0f}")
        for t in tuned.trials
    ]
    parts = [
        "# Tuning",
        f"Model {tuned.model}. Aim: {tuned.aim}.",
        f"    {tuned.config_line or NO_CHOICE}",
        "![What each setting finds](tuning.svg)",
        _table([("tape", "orders", "key-days"), *tapes]),
        "## Every setting",
        ABOUT + (" Cost is in USD per 1,000 key-days." if tuned.costs else ""),
        _table([HEAD, *(row_of(tuned, point) for point in tuned.points)]),
    ]
    if tuned.chosen:
        parts += _in_detail(tuned, tuned.chosen)
    if tuned.held_out:
        parts += [
            "## What the choice itself is worth",
            "A setting chosen on the tapes that it is judged on flatters. Chosen for each tape on "
            f"the others alone: {in_words(tuned.held_out)}.",
        ]
    return "\n\n".join(parts) + "\n"


def _in_detail(tuned: Tuned, chosen: Point) -> list[str]:
    thefts = [_theft_row(*each) for each in chosen.figures.met.items()]
    alikes = [
        (kind, str(row["count"]), str(row["alerted"])) for kind, row in look_alikes(tuned).items()
    ]
    return [
        f"## By kind of theft, at {chosen.setting:g}",
        _table([THEFT_HEAD, *thefts]),
        "## Look-alikes of which a key is falsely alerted there",
        _table([("look-alike", "there were", "alerted"), *alikes]),
    ]


def _theft_row(kind: str, met: Met) -> list[str]:
    return [
        kind,
        f"{met.caught} of {met.keys}",
        met.recall.as_share(),
        f"{met.noticed} of {met.incidents}",
        shown_number(met.median_orders),
        shown_number(met.median_seconds),
        met.loss_prevented.as_share(),
    ]


def _csv(tuned: Tuned) -> str:
    """Give one line for each setting and kind of theft; what holds for all kinds stands once."""
    rows: list[dict[str, object]] = []
    for point in tuned.points:
        for kind, met in point.figures.met.items():
            row: dict[str, object] = {"setting": point.setting, "kind": kind, **asdict(met)}
            if kind == ALL:
                row |= {name: v for name, v in asdict(point.figures).items() if name != "met"}
                row["cost"] = tuned.costs.of(point.figures) if tuned.costs else None
            rows.append(row)
    flat = pd.json_normalize(rows, sep="_")  # an estimate as three columns
    flat = flat.rename(columns=lambda name: name.removesuffix("_value")).convert_dtypes()
    return flat.to_csv(index=False, lineterminator="\n")


def _plot(tuned: Tuned) -> str:
    low, high = tuned.points[0].setting, tuned.points[-1].setting
    found = [
        _curve(tuned, "recall", lambda f: f.met[ALL].recall),
        _curve(tuned, "loss prevented", lambda f: f.met[ALL].loss_prevented),
    ]
    precision = [(p.setting, p.figures.precision) for p in tuned.points]
    known = [(setting, share) for setting, share in precision if share is not None]
    if known:
        found.append(Curve("precision", known))
    asked = Curve("asked for", [(low, low), (high, high)])
    false = _curve(tuned, "measured", lambda f: f.false_per_1000_key_days)
    panels = [
        Panel("What each setting finds, and its 90 % intervals", found, 0.0, 1.0),
        Panel("Falsely alerted keys per 1,000 key-days", [false, asked], low, high, is_log=True),
    ]
    if tuned.costs:
        costs = [(p.setting, tuned.costs.of(p.figures)) for p in tuned.points]
        top = max(cost for _, cost in costs) or 1.0
        panels.append(Panel("USD per 1,000 key-days", [Curve("cost", costs)], 0.0, top))
    return svg(panels, (low, high), SETTING, tuned.chosen.setting if tuned.chosen else None)


def _curve(tuned: Tuned, name: str, of: Callable[[Figures], Estimate]) -> Curve:
    figures = [(point.setting, of(point.figures)) for point in tuned.points]
    lower = [(setting, estimate.low) for setting, estimate in figures]
    upper = [(setting, estimate.high) for setting, estimate in reversed(figures)]
    return Curve(name, [(setting, each.value) for setting, each in figures], [*lower, *upper])


def _table(rows: Iterable[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
