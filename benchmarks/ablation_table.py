"""The tables of the ablation, as data and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from benchmarks.contest import BUDGET
from benchmarks.detection_table import table
from benchmarks.detector_scores import WHOLE
from benchmarks.taken_out import Ablation, counted_features, families
from models.evaluation.figures import ALL, figures_of
from models.evaluation.intervals import pooled_share
from models.evaluation.verdicts import Theft, Verdict
from models.score.evidence import WEIGHTS

ABOUT: Final = f"""\
Recall over leaked keys, with the threshold of every variant chosen in hindsight so that {BUDGET:g}
key in 1,000 key-days is falsely alerted; the rows say how many points of it are lost (−) or gained
(+) without something. The 90 % interval of that difference resamples both over the same incidents:
where it holds 0, these tapes cannot tell. "Around" is the mean over budgets from a third to three
times as large, which depends less on single keys. Loss is the share of rogue notional prevented.
In brackets the weights in use.
"""


def as_data(ablation: Ablation) -> dict[str, Any]:
    """Give all that is known, for JSON."""
    groups = {
        "parts": ablation.parts,
        "families": list(families()),
        "features": counted_features(),
    }
    return {
        "budget_per_1000_key_days": BUDGET,
        "tapes": [verdict.tape for verdict in ablation.verdicts(WHOLE)],
        "whole": {
            "around": ablation.around(WHOLE),
            **asdict(figures_of(ablation.verdicts(WHOLE))),
        },
        "groups": {
            group: {name: _row(ablation, name) for name in names} for group, names in groups.items()
        },
        "families": families(),
    }


def as_markdown(data: Mapping[str, Any]) -> str:
    """Give the tables of `as_data` for people."""
    whole = data["whole"]
    kinds = [kind for kind in whole["met"] if kind != ALL]
    shares = ", ".join(f"{kind} {met['recall']['value']:.1%}" for kind, met in whole["met"].items())
    parts = [
        "## What each piece of evidence is worth\n",
        ABOUT,
        f"Tapes: {', '.join(data['tapes'])}. With everything: {shares}; around the budget "
        f"{whole['around']:.1%}; loss prevented "
        f"{whole['met'][ALL]['loss_prevented']['value']:.1%}.\n",
    ]
    parts += [_group(rows, kinds, data["families"]) for rows in data["groups"].values()]
    return "\n".join(parts)


def _group(
    rows: Mapping[str, Any], kinds: Sequence[str], known: Mapping[str, Sequence[str]]
) -> str:
    lines = [
        [
            _named(name, known),
            _points(row["all"]["value"]),
            f"{_points(row['all']['low'])} to {_points(row['all']['high'])}",
            _points(row["around"]),
            _points(row["loss"]),
            *(_points(row["kinds"].get(kind, 0.0)) for kind in kinds),
        ]
        for name, row in sorted(rows.items(), key=lambda item: item[1]["around"])
    ]
    return table(["without", "recall", "its interval", "around", "loss", *kinds], lines)


def _row(ablation: Ablation, name: str) -> dict[str, Any]:
    """Give what is lost or gained without something, in shares."""
    with_it, without = ablation.verdicts(WHOLE), ablation.verdicts(name)
    pairs = [pair for both in zip(with_it, without, strict=True) for pair in _thefts(*both)]
    kinds = sorted({theft.kind for theft, _ in pairs})
    whole, left = figures_of(with_it).met, figures_of(without).met
    return {
        "all": asdict(
            pooled_share(
                [left.caught - whole.caught for whole, left in pairs],
                [whole.keys for whole, _ in pairs],
            )
        ),
        "around": ablation.around(name) - ablation.around(WHOLE),
        "loss": left[ALL].loss_prevented.value - whole[ALL].loss_prevented.value,
        "kinds": {kind: left[kind].recall.value - whole[kind].recall.value for kind in kinds},
    }


def _thefts(one: Verdict, other: Verdict) -> Sequence[tuple[Theft, Theft]]:
    """Give the same incidents as two variants met them."""
    return list(zip(one.thefts, other.thefts, strict=True))


def _named(name: str, known: Mapping[str, Sequence[str]]) -> str:
    """Name a family with its members, and a feature with its weight."""
    if name in known:
        return f"{name}: {', '.join(known[name])}"
    weight = f" ({WEIGHTS[name]:g})" if name in WEIGHTS else ""
    return f"{name.removeprefix('the same, without ')}{weight}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")
