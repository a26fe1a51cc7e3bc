"""The plot of a tuning: one SVG file that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Final

Points = Sequence[tuple[float, float]]

WIDTH: Final = 720
PANEL: Final = 230  # height of the frame of a panel
LEFT, RIGHT, TOP, GAP = 70, 170, 40, 62
STYLE: Final = """\
text{font:12px system-ui,sans-serif;fill:#222}.t{font-weight:600}.g{stroke:#ddd}
.f{fill:none;stroke:#888}.c{fill:none;stroke-width:2}.m{stroke:#222;stroke-dasharray:4 3}"""
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by the colour-blind too


@dataclass(frozen=True, slots=True)
class Curve:
    """One line; `band`, lower and upper edge together, is shaded in its colour."""

    name: str
    points: Points
    band: Points = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One frame over the common axis, which is logarithmic."""

    title: str
    curves: Sequence[Curve]
    bottom: float
    top: float
    is_log: bool = False

    def height_of(self, value: float) -> float:
        """Give where a value lies, 0 at the bottom and 1 at the top."""
        if self.is_log:
            value = max(value, self.bottom)
            return log10(value / self.bottom) / log10(self.top / self.bottom)
        return (value - self.bottom) / (self.top - self.bottom)

    def ticks(self) -> list[float]:
        """Give the values that are marked."""
        if self.is_log:
            return _decades(self.bottom, self.top)
        return [self.bottom + part * (self.top - self.bottom) / 4 for part in range(5)]


def svg(panels: Sequence[Panel], x: tuple[float, float], label: str, mark: float | None) -> str:
    """Draw panels one above the other; `mark` is a place on the common axis."""
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img"><title>{escape(panels[0].title)}</title>'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>'
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (PANEL + GAP), x, mark)
    parts.append(_text(_across(x, (x[0] * x[1]) ** 0.5), height - 14, label, "middle"))
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, top: int, x: tuple[float, float], mark: float | None) -> list[str]:
    bottom, right = top + PANEL, WIDTH - RIGHT
    parts = [f'<text class="t" x="{LEFT}" y="{top - 10}">{escape(panel.title)}</text>']
    for value in _decades(*x):
        at = _across(x, value)
        parts.append(f'<path class="g" d="M{at:.1f} {top}V{bottom}"/>')
        parts.append(_text(at, bottom + 16, f"{value:g}", "middle"))
    for value in panel.ticks():
        at = bottom - PANEL * panel.height_of(value)
        parts.append(f'<path class="g" d="M{LEFT} {at:.1f}H{right}"/>')
        parts.append(_text(LEFT - 6, at + 4, f"{value:g}", "end"))
    parts.append(f'<rect class="f" x="{LEFT}" y="{top}" width="{right - LEFT}" height="{PANEL}"/>')
    for number, curve in enumerate(panel.curves):
        colour = COLOURS[number % len(COLOURS)]
        if curve.band:
            path = _path(panel, bottom, x, curve.band)
            parts.append(f'<path fill="{colour}" opacity=".15" d="{path}Z"/>')
        path = _path(panel, bottom, x, curve.points)
        parts.append(f'<path class="c" stroke="{colour}" d="{path}"/>')
        at = top + 14 + 20 * number
        parts.append(f'<path class="c" stroke="{colour}" d="M{right + 10} {at - 4}h18"/>')
        parts.append(_text(right + 34, at, curve.name))
    if mark is not None:
        parts.append(f'<path class="m" d="M{_across(x, mark):.1f} {top}V{bottom}"/>')
    return parts


def _path(panel: Panel, bottom: int, x: tuple[float, float], points: Points) -> str:
    places = [
        f"{_across(x, at):.1f} {bottom - PANEL * panel.height_of(value):.1f}"
        for at, value in points
    ]
    return "M" + "L".join(places)


def _across(x: tuple[float, float], value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * log10(value / x[0]) / log10(x[1] / x[0])


def _decades(low: float, high: float) -> list[float]:
    exponents = range(-9, 13)
    return [10.0**e for e in exponents if 0.999 * low <= 10.0**e <= 1.001 * high]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
