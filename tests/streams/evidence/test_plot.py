import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from streams.evidence.plot import HEIGHT, WIDTH, Point, price_chart

SVG = "{http://www.w3.org/2000/svg}"
points = st.lists(
    st.builds(Point, st.integers(1000, 9000), st.floats(1e-8, 1e8), st.booleans(), st.booleans()),
    max_size=20,
)


@given(points)
def test_every_mark_lies_on_the_sheet_and_each_own_fill_has_one(fills: list[Point]) -> None:
    root = ET.fromstring(price_chart(fills, "t", 1000, 9000, 5000))  # noqa: S314 - our own text
    dots = root.findall(f"{SVG}circle")
    assert len(dots) == sum(point.is_own for point in fills)
    assert all(0 <= float(dot.attrib["cx"]) <= WIDTH for dot in dots)
    assert all(0 <= float(dot.attrib["cy"]) <= HEIGHT for dot in dots)


def test_names_from_outside_are_only_text() -> None:
    chart = price_chart([], '<script>"&', 0, 1, 0)
    assert "<script>" not in chart
    assert ET.fromstring(chart) is not None  # noqa: S314 - our own text


def test_many_fills_are_thinned_but_no_mark_is_lost() -> None:
    many = [Point(n, 1.0 + n, n % 50 == 0, True) for n in range(20_000)]
    root = ET.fromstring(price_chart(many, "t", 0, 20_000, 5))  # noqa: S314 - our own text
    line = root.find(f"{SVG}polyline")
    assert line is not None
    assert len(line.attrib["points"].split()) <= 4000
    assert len(root.findall(f"{SVG}circle")) == 400
