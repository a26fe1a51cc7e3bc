"""Run the short form of every benchmark: `python -m benchmarks`."""

import subprocess
import sys
from typing import Final

BENCHMARKS: Final = ("detection", "ablation", "weights")


def main() -> int:
    """Run them one after the other, each in a process of its own; 1 when one of them fails."""
    failed = []
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", "--short"]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
