"""What a tuning found, as a dictionary and as text for a terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from models.evaluation.figures import ALL, Figures
from models.evaluation.incidents import by_look_alike
from models.evaluation.sweep import Costs, Point, Trial

SETTING: Final = "false_keys_per_1000_key_days"
NO_CHOICE: Final = "no setting keeps to the budget on these tapes, or no leaked key is on them"
SHOWN: Final = 4  # on a terminal, every fourth setting is shown
HEAD: Final = (
    *("setting", "recall", "incidents noticed", "false per 1,000 key-days", "per million orders"),
    *("precision", "orders", "seconds", "loss prevented", "cost"),
)


@dataclass(frozen=True, slots=True)
class Tuned:
    """All that came of a tuning."""

    trials: Sequence[Trial]
    points: Sequence[Point]  # strictest first
    aim: str  # what the recommendation is for
    costs: Costs | None
    chosen: Point | None
    held_out: Figures | None  # what the way of choosing is worth, on tapes that had no say
    model: str  # id

    @property
    def config_line(self) -> str | None:
        """Line to put into the configuration file."""
        return f"{SETTING} = {self.chosen.setting:g}" if self.chosen else None


def as_result(tuned: Tuned) -> dict[str, Any]:
    """Give what was found in plain values."""
    return {
        "tapes": [
            {"name": trial.truth.tape, **asdict(trial.truth.exposure)} for trial in tuned.trials
        ],
        "model": tuned.model,
        "aim": tuned.aim,
        "recommended": tuned.chosen.setting if tuned.chosen else None,
        "config_line": tuned.config_line,
        "points": [_plain(tuned, point) for point in tuned.points],
        "held_out": asdict(tuned.held_out) if tuned.held_out else None,
        "look_alikes": look_alikes(tuned),
    }


def as_text(tuned: Tuned) -> str:
    """Give what was found in a few lines: every fourth setting, and the recommended one."""
    figures = tuned.points[0].figures
    met = figures.met[ALL]
    head = (
        f"{len(tuned.trials)} tape(s), {figures.key_days:,.0f} key-days, "
        f"{met.keys} leaked keys in {met.incidents} incidents"
    )
    shown = [
        point
        for place, point in enumerate(tuned.points)
        if place % SHOWN == 0 or point is tuned.chosen
    ]
    lines = [head, "", *_aligned([HEAD, *(row_of(tuned, point) for point in shown)]), ""]
    if tuned.held_out:
        lines.append(f"chosen without the tape judged: {in_words(tuned.held_out)}")
    if tuned.chosen is None:
        return "\n".join([*lines, f"{tuned.aim}: {NO_CHOICE}"])
    lines.append(f"{tuned.aim}: {in_words(tuned.chosen.figures)}")
    return "\n".join([*lines, "in the configuration:", f"{tuned.config_line}"])


def row_of(tuned: Tuned, point: Point) -> list[str]:
    """Give the columns of HEAD for one setting."""
    figures, met = point.figures, point.figures.met[ALL]
    return [
        f"{point.setting:g}{' *' if point is tuned.chosen else ''}",
        met.recall.as_share(),
        f"{met.noticed} of {met.incidents}",
        figures.false_per_1000_key_days.as_rate(),
        f"{figures.false_per_million_orders:.3g}",
        "–" if figures.precision is None else f"{figures.precision:.0%}",
        shown_number(met.median_orders),
        shown_number(met.median_seconds),
        met.loss_prevented.as_share(),
        f"{tuned.costs.of(figures):,.0f}" if tuned.costs else "–",
    ]


def in_words(figures: Figures) -> str:
    """Say what one setting is worth."""
    met = figures.met[ALL]
    return (
        f"{met.recall.as_share()} of the leaked keys, {met.noticed} of {met.incidents} incidents, "
        f"{met.loss_prevented.as_share()} of the loss prevented, "
        f"{figures.false_per_1000_key_days.as_rate()} falsely alerted keys per 1,000 key-days"
    )


def shown_number(value: float | None) -> str:
    """Give a count or a time, rounded."""
    return "–" if value is None else f"{value:,.0f}"


def look_alikes(tuned: Tuned) -> dict[str, dict[str, int]]:
    """Count, by kind, the look-alikes of which the recommended setting falsely alerts a key."""
    if tuned.chosen is None:
        return {}
    found: dict[str, dict[str, int]] = {}
    for trial in tuned.trials:
        false = trial.verdict(tuned.chosen.setting).false
        for score in by_look_alike(trial.truth.labels, false):
            row = found.setdefault(score.kind, {"count": 0, "alerted": 0})
            row["count"] += score.count
            row["alerted"] += score.alerted
    return dict(sorted(found.items()))


def _plain(tuned: Tuned, point: Point) -> dict[str, Any]:
    cost = {"cost": tuned.costs.of(point.figures)} if tuned.costs else {}
    return {"setting": point.setting, **asdict(point.figures), **cost}


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]
