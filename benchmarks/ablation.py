"""What each piece of evidence is worth: the detector with one thing at a time taken out of it.

python -m benchmarks.ablation           # nine regimes, some minutes
python -m benchmarks.ablation --short   # two small ones, about a minute
python -m benchmarks.ablation --file ORDERS --labels LABELS   # a tape of your own; may be repeated
python -m benchmarks.ablation --regime wild --regime thin     # these alone

A piece that is out never surprises: what is learned, whom the crowd suspects and what persists all
follow. The forest stays the one that was grown on everything. Every variant has its threshold
chosen in hindsight, tape by tape, at the budget.

Writes ablation.json and ablation.md to benchmarks/results, or to --out.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streams.kernel_cache import use_fresh_kernels

RESULTS: Final = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser("benchmarks.ablation", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="two small regimes, for CI")
    parser.add_argument("--regime", action="append", default=[], help="simulate this regime")
    parser.add_argument("--file", action="append", type=Path, default=[], help="tape of orders")
    parser.add_argument("--labels", action="append", type=Path, default=[], help="its labels")
    parser.add_argument("--out", type=Path, help="folder for the results")
    given = parser.parse_args(arguments)
    if len(given.file) != len(given.labels):
        parser.error("each --file needs its --labels")
    use_fresh_kernels()
    from benchmarks.ablation_table import as_data, as_markdown
    from benchmarks.contest import regimes_to_judge
    from benchmarks.taken_out import Ablation

    ablation = Ablation()
    for orders, labels in zip(given.file, given.labels, strict=True):
        _tell(f"taking things out on {orders.name}")
        ablation.of_file(orders, labels)
    if not given.file:
        for name, regime in regimes_to_judge(short=given.short, only=given.regime).items():
            _tell(f"taking things out on {name}")
            ablation.of_regime(name, regime)
    data = as_data(ablation)
    text = as_markdown(data)
    out = given.out or (RESULTS / "short" if given.short else RESULTS)
    out.mkdir(parents=True, exist_ok=True)
    (out / "ablation.json").write_text(json.dumps(data, indent=1) + "\n")
    (out / "ablation.md").write_text(text)
    print(text)
    _tell(f"written to {out}")
    return 0


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
