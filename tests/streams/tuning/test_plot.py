from xml.etree import ElementTree as ET

import pytest

from streams.tuning.plot import COLOURS, Curve, Panel, svg


def drawn(*panels: Panel, mark: float | None = None) -> ET.Element:
    return ET.fromstring(svg(panels, (0.01, 100.0), "setting <x>", mark))  # noqa: S314 - our own


def test_the_plot_is_whole_by_itself_and_names_every_curve() -> None:
    line = Curve("a & b", [(0.01, 0.0), (100.0, 1.0)], [(0.01, 0.0), (100.0, 1.0), (0.01, 0.5)])
    plot = drawn(Panel("Found", [line], 0.0, 1.0), Panel("False", [], 0.01, 100.0, is_log=True))
    texts = [each.text for each in plot.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a & b", "Found", "False", "setting <x>", "0.01", "100"} <= set(texts)
    assert "href" not in ET.tostring(plot, "unicode")


def test_a_curve_spans_the_frame_from_corner_to_corner() -> None:
    plot = svg(
        [Panel("", [Curve("", [(0.01, 0.0), (100.0, 1.0)])], 0.0, 1.0)], (0.01, 100.0), "", 1
    )
    frame = next(
        each
        for each in ET.fromstring(plot).iter("{http://www.w3.org/2000/svg}rect")  # noqa: S314 - our own
        if each.get("class") == "f"
    )
    x, y, width, height = (float(frame.attrib[name]) for name in ("x", "y", "width", "height"))
    assert f'stroke="{COLOURS[0]}" d="M{x:.1f} {y + height:.1f}L{x + width:.1f} {y:.1f}"' in plot
    assert f'class="m" d="M{x + width / 2:.1f} ' in plot


@pytest.mark.parametrize(("value", "height"), [(0.0, 0.0), (0.01, 0.0), (1.0, 0.5), (100.0, 1.0)])
def test_what_a_logarithm_cannot_show_lies_at_the_bottom(value: float, height: float) -> None:
    assert Panel("", [], 0.01, 100.0, is_log=True).height_of(value) == pytest.approx(height)
