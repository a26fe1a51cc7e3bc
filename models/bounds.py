"""How many entities one partition of a stage remembers; the longest idle make room for new ones."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most entities of each kind."""

    markets: int = 100_000
    keys: int = 4_000_000
    pairs: int = 16_000_000  # of a market with a key, an app or an account


BOUNDS: Final = Bounds()
