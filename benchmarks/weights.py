"""How the weights of evidence came about: fitted on simulated tapes, beside those in use.

python -m benchmarks.weights           # ten tapes, some five minutes
python -m benchmarks.weights --short   # two small ones, under a minute

A logistic regression of rogue against other fills, every key and every tape counting alike, on how
surprising each feature is (weights not below zero) and on how far the conduct stays below what is
unusual (not above). Surprises are read on a scale learned from each tape without its labels, as
live. Then, among purchases in company, what the key itself does, of rogue ones against honest
ones. Then the second weighing: of each key's worst notable fill against those of the honest keys
that look worst. What is held back from a key's past depends on the weights in use, so a refit after
a change of theirs may move on a little.

Writes weights.json and weights.md to benchmarks/results, or to --out.
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
    """Run the fit and print its table."""
    parser = argparse.ArgumentParser("benchmarks.weights", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="two small tapes: a smoke test")
    parser.add_argument("--out", type=Path, help="folder for the results")
    given = parser.parse_args(arguments)
    out = given.out or (RESULTS / "short" if given.short else RESULTS)
    use_fresh_kernels()
    from benchmarks.weights_fit import fit_weights

    fits = fit_weights(short=given.short, tell=_tell)
    text = "".join(_table(name, fit) for name, fit in fits.items())
    out.mkdir(parents=True, exist_ok=True)
    (out / "weights.json").write_text(json.dumps(fits, indent=1) + "\n")
    (out / "weights.md").write_text(text)
    print(text)
    return 0


def _table(name: str, weights: dict[str, tuple[float, float]]) -> str:
    lines = [f"| {name} | fitted | in use |", "| --- | --- | --- |"]
    lines += [f"| {of} | {fitted:.2f} | {used:g} |" for of, (fitted, used) in weights.items()]
    return "\n".join(lines) + "\n\n"


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
