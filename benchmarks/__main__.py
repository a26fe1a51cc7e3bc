"""Run the benchmarks of speed and memory: `python -m benchmarks [--short]`.

The short form runs those of detection as well, whose full forms take longer: `python -m
benchmarks.detection`, `.ablation` and `.weights`.
"""

import argparse
import subprocess
import sys
from typing import Final

SPEED: Final = (
    "forest",
    "decoding",
    "compression",
    "kernels",
    "memory",
    "recovery",
    "replay",
    "pipeline",
    "skew",
    "latency",
)
DETECTION: Final = ("detection", "ablation", "weights")


def main() -> int:
    """Run them one after the other, each in a process of its own; 1 when one of them fails."""
    parser = argparse.ArgumentParser("benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="the short form of all")
    short = parser.parse_args().short
    failed = []
    for name in SPEED + DETECTION if short else SPEED:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--short"] if short else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
