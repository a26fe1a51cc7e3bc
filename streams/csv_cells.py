"""Cells of CSV files, of which a spreadsheet must take nothing that others wrote for a formula."""

from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def guarded(value: object) -> object:
    """Give a cell that no spreadsheet computes: text that looks like a formula gets a quote.

    >>> guarded("=cmd|' /C calc'!A0"), guarded("BTCUSDT"), guarded(-1.5)
    ("'=cmd|' /C calc'!A0", 'BTCUSDT', -1.5)
    """
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA):
        return f"'{value}"
    return value
