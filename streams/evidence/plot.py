"""A price chart as SVG: the market's fills as a line, the accused key's fills as marks.

Drawn by hand, since it is one line and some dots, and an evidence folder must open anywhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

WIDTH: Final = 960
HEIGHT: Final = 420
LEFT: Final = 90
RIGHT: Final = 20
TOP: Final = 50
BOTTOM: Final = 50
TICKS: Final = 5
MOST_POINTS: Final = 4000  # of the line

_STYLE: Final = (
    "text{font:12px sans-serif;fill:#333}.title{font-size:15px}"
    ".grid{stroke:#ddd}.line{fill:none;stroke:#5b7fa6;stroke-width:1.2}"
    ".buy{fill:#c0392b}.sell{fill:#fff;stroke:#c0392b;stroke-width:1.5}"
    ".alert{stroke:#c0392b;stroke-dasharray:4 3}"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A fill: of the key or of anybody."""

    ts: int  # ms
    price: float
    is_own: bool
    is_buy: bool


@dataclass(frozen=True, slots=True)
class _Axes:
    from_ts: int
    to_ts: int
    low: float
    high: float

    def x(self, ts: float) -> float:
        share = (ts - self.from_ts) / max(1, self.to_ts - self.from_ts)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, price: float) -> float:
        share = (price - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def price_chart(
    points: Sequence[Point], title: str, from_ts: int, to_ts: int, alert_ts: int
) -> str:
    """Draw fills in order of time; `alert_ts` (ms) is marked by a line."""
    axes = _axes(points, from_ts, to_ts)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{escape(title, quote=True)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        *_grid(axes),
    ]
    if points:
        thinned = points[:: 1 + len(points) // MOST_POINTS]
        line = " ".join(f"{axes.x(point.ts)},{axes.y(point.price)}" for point in thinned)
        parts.append(f'<polyline class="line" points="{line}"/>')
    x = axes.x(alert_ts)
    parts.append(f'<line class="alert" x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}"/>')
    parts.append(f'<text x="{x + 4}" y="{TOP + 12}">alert</text>')
    parts += _marks(axes, (point for point in points if point.is_own))
    legend = "filled dot: the key buys; hollow dot: it sells; line: all fills; times are UTC"
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{legend}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _axes(points: Sequence[Point], from_ts: int, to_ts: int) -> _Axes:
    low = min((point.price for point in points), default=0.0)
    high = max((point.price for point in points), default=1.0)
    room = 0.05 * (high - low) or 0.01 * abs(high) or 1.0
    return _Axes(from_ts, to_ts, low - room, high + room)


def _grid(axes: _Axes) -> list[str]:
    parts = []
    for tick in range(TICKS):
        share = tick / (TICKS - 1)
        price = axes.low + share * (axes.high - axes.low)
        ts = axes.from_ts + share * (axes.to_ts - axes.from_ts)
        x, y = axes.x(ts), axes.y(price)
        clock = f"{datetime.fromtimestamp(ts / 1000, UTC):%H:%M:%S}"
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{price:.6g}</text>')
        anchor = "middle" if 0 < tick < TICKS - 1 else ("start" if tick == 0 else "end")
        parts.append(f'<text x="{x}" y="{HEIGHT - 30}" text-anchor="{anchor}">{clock}</text>')
    return parts


def _marks(axes: _Axes, own: Iterable[Point]) -> list[str]:
    return [
        f'<circle class="{"buy" if point.is_buy else "sell"}" cx="{axes.x(point.ts)}" '
        f'cy="{axes.y(point.price)}" r="4"/>'
        for point in own
    ]
