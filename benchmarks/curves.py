"""The plot of the contest: what each method finds, against what it alerts falsely."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.contest import LIVE
from models.evaluation.figures import ALL


def draw(data: Mapping[str, Any], path: Path) -> None:
    """Draw the curves of `detection_table.as_data` into a PNG file."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, recall in data["curves"]["recall"].items():
        axes.plot(data["curves"]["budgets"], recall, label=name)
    live = data["methods"][LIVE]
    axes.plot(
        live["false_per_1000_key_days"]["value"],
        live["met"][ALL]["recall"]["value"],
        "k*",
        ms=12,
        label=LIVE,
    )
    axes.axvline(data["budget_per_1000_key_days"], color="0.7", lw=1)
    axes.set(
        xscale="log",
        ylim=(0, 1),
        xlabel="falsely alerted keys per 1,000 key-days",
        ylabel="leaked keys found",
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
