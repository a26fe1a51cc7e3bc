"""What the demo shows: alerts as they come, one line of progress, and the scoreboard.

Names come from outside, and whoever chose them may have chosen them for this screen: none is
interpreted as markup, and none holds a control character when it is printed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import floor
from typing import Final

from rich import box
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from models.alerts.envelope import AlertType, Envelope
from models.alerts.masking import masked
from models.alerts.reasons import varied
from models.evaluation.incidents import IncidentScore, LookAlikeScore

STYLES: Final = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
NAME_CHARS: Final = 24  # of a name, at most
REASONS: Final = 2
PLAIN_WIDTH: Final = 120  # of tables where there is no terminal


def shown(name: str, most: int = NAME_CHARS) -> str:
    r"""Give a name as it can be printed: on one line, not too long, without control characters.

    >>> shown("a\x1b[31mb"), shown("x" * 30)
    ('a·[31mb', 'xxxxxxxxxxxxxxxxxxxxxxx…')
    """
    printable = "".join(char if char.isprintable() else "·" for char in name)
    return printable if len(printable) <= most else printable[: most - 1] + "…"


def alert_text(alert: Envelope) -> Text:
    """Give an alert in one line, and a line for each of its strongest reasons."""
    data = alert.data
    is_key = alert.type == AlertType.LEAKED_KEY
    subject = masked(alert.subject) if is_key else alert.subject
    style = STYLES.get(data.severity, "")
    text = Text()
    text.append(f"{clock(data.event_ts)}  ", "dim")
    text.append(f"{shown(data.severity, 8).upper():<8}  ", style)
    text.append(f"{shown(subject):<9}  ", "bold")
    text.append(f"{shown(data.app or 'no app'):<8}  ")
    text.append(f"{f'{shown(data.symbol)}@{shown(data.venue)}':<20}  ")
    text.append(f"{floor(1e6 * data.score) / 1e6:.6f}", style)  # 1 only where it is 1
    for reason in varied(data.reasons)[:REASONS]:
        text.append(f"\n          · {shown(reason.text, 160)}", "dim")
    return text


def incident_table(incidents: Sequence[IncidentScore]) -> Table:
    """Give a row for each theft."""
    table = _table("theft", "began", "app", "coin", "keys caught", "first alert after", "prevented")
    for incident in incidents:
        after = "never"
        if incident.delay_s is not None:
            orders = incident.rogue_orders_before
            after = f"{orders:,} order{'s' * (orders != 1)}, {duration(incident.delay_s)}"
        table.add_row(
            shown(incident.kind),
            clock(incident.first_rogue_ts),
            shown(incident.app or "several or none"),
            f"{shown(incident.symbol)}@{shown(incident.venue)}",
            Text(
                f"{incident.caught} of {incident.keys}",
                "green" if incident.caught == incident.keys else "yellow",
            ),
            Text(after, "" if incident.caught else "red"),
            f"{incident.loss_prevented:.0%} of {incident.rogue_notional:,.0f} USD",
        )
    return table


def look_alike_table(look_alikes: Sequence[LookAlikeScore]) -> Table:
    """Give a row for each kind of look-alike."""
    table = _table("look-alike", "how many", "left alone", "falsely alerted")
    for found in look_alikes:
        table.add_row(
            shown(found.kind),
            str(found.count),
            str(found.count - found.alerted),
            Text(str(found.alerted), "red" if found.alerted else "green"),
        )
    return table


def clock(ms: int) -> str:
    """Time of day, UTC.

    >>> clock(1670562611123)
    '05:10:11'
    """
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%H:%M:%S}"


def duration(seconds: float) -> str:
    """Give a length of time in the unit that reads best.

    >>> duration(0.128), duration(75.0), duration(9000.0)
    ('0.1 s', '1.2 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


class View:
    """Prints for people: in colour and with a moving line on a terminal, else in plain lines."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = console or Console(highlight=False, markup=False, emoji=False, quiet=quiet)
        if not self._console.is_terminal:
            self._console.width = PLAIN_WIDTH
        self._live: Live | None = None
        self._spinner = Spinner("dots")

    def say(self, text: str | Text | Table = "", style: str = "") -> None:
        """Print lines, or a table."""
        if isinstance(text, Table):
            self._console.print(text)
        else:
            self._console.print(
                Text(text, style) if isinstance(text, str) else text, soft_wrap=True
            )

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Keep a line at the bottom while the block runs; off a terminal there is none."""
        if not self._console.is_terminal or self._console.quiet:
            yield
            return
        with Live(console=self._console, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def progress(self, text: str) -> None:
        """Change the line at the bottom."""
        if self._live:
            self._spinner.update(text=Text(text, "cyan"))
            self._live.update(self._spinner)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(Text(name))
    return table
