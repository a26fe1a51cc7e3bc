"""What the detector finds, beside what others do, on tapes that nothing was chosen on.

python -m benchmarks.detection           # nine regimes, under ten minutes
python -m benchmarks.detection --short   # two small ones, under a minute
python -m benchmarks.detection --file ORDERS --labels LABELS   # a tape of your own; may be repeated

Writes detection.json, detection.md and detection.png to benchmarks/results, or to --out.
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
    parser = argparse.ArgumentParser("benchmarks.detection", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="two small regimes, for CI")
    parser.add_argument("--file", action="append", type=Path, default=[], help="tape of orders")
    parser.add_argument("--labels", action="append", type=Path, default=[], help="its labels")
    parser.add_argument("--out", type=Path, help="folder for the results")
    given = parser.parse_args(arguments)
    if len(given.file) != len(given.labels):
        parser.error("each --file needs its --labels")
    out = given.out or (RESULTS / "short" if given.short else RESULTS)
    _run(list(zip(given.file, given.labels, strict=True)), out, short=given.short)
    return 0


def _run(files: list[tuple[Path, Path]], out: Path, *, short: bool) -> None:
    use_fresh_kernels()
    from benchmarks.contest import contest_files, contest_regimes
    from benchmarks.curves import draw
    from benchmarks.detection_table import as_data, as_markdown

    results = contest_files(files, _tell) if files else contest_regimes(short=short, tell=_tell)
    data = as_data(results)
    text = as_markdown(data)
    out.mkdir(parents=True, exist_ok=True)
    (out / "detection.json").write_text(json.dumps(data, indent=1) + "\n")
    (out / "detection.md").write_text(text)
    draw(data, out / "detection.png")
    print(text)
    _tell(f"written to {out}")


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
