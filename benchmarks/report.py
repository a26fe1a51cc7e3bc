"""Reports: the command line that the benchmarks share, and where their results go."""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS: Final = Path(__file__).parent / "results"


def parser_of(module: str, about: str | None) -> argparse.ArgumentParser:
    """Make the parser of a benchmark: `--short` and `--out`, and whatever it adds."""
    parser = argparse.ArgumentParser(module, description=(about or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a short form, for CI")
    parser.add_argument("--out", type=Path, help="folder for the results")
    return parser


@dataclass(frozen=True, slots=True)
class Report:
    """A benchmark's results: NAME.json, NAME.md and NAME.png in one folder."""

    name: str
    folder: Path

    @classmethod
    def of(cls, name: str, flags: argparse.Namespace) -> "Report":
        """Choose the folder that the flags ask for."""
        return cls(name, flags.out or (RESULTS / "short" if flags.short else RESULTS))

    def write(self, title: str, text: str, data: Any, figure: "Figure") -> None:
        """Write all three, and print the text."""
        self.folder.mkdir(parents=True, exist_ok=True)
        page = f"# {title}\n\n    python -m benchmarks.{self.name}\n\n{text}"
        (self.folder / f"{self.name}.json").write_text(json.dumps(data, indent=1) + "\n")
        (self.folder / f"{self.name}.md").write_text(page)
        figure.savefig(self.folder / f"{self.name}.png", dpi=120)
        print(text, flush=True)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a Markdown table; all columns but the first hold numbers.

    >>> print(table(["scorer", "µs"], [["ours", "1.1"]]))
    | scorer | µs |
    |---|---:|
    | ours | 1.1 |
    <BLANKLINE>
    """
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    ruled = ["|" + "|".join(lines[1]) + "|"]
    shown = ["| " + " | ".join(row) + " |" for row in [header, *rows]]
    return "\n".join([shown[0], *ruled, *shown[1:]]) + "\n"


def figures(number: float) -> str:
    """Give a number with three figures, for a table.

    >>> [figures(number) for number in (0.12345, 4.4, 927.4, 12345.6)]
    ['0.123', '4.40', '927', '12,346']
    """
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:#.3g}"
