import pytest

from streams.csv_cells import guarded


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "|a", "%a", "  =1"]
)
def test_text_that_a_spreadsheet_would_compute_gets_a_quote(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "BTCUSDT", "a=b", " a", -1.5, 7, None])
def test_all_else_stays_as_it_is(value: object) -> None:
    assert guarded(value) == value
