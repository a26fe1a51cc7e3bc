"""Settings of how much a worker remembers; `streams.settings.Settings` takes them in."""

from pydantic import Field
from pydantic_settings import BaseSettings

from models.bounds import BOUNDS, Bounds


class StateSettings(BaseSettings):
    """Where memory ends: of what does not fit, the longest idle is forgotten."""

    max_keys: int = Field(
        default=BOUNDS.keys,
        ge=1000,
        le=100_000_000,
        description="most API keys that each partition remembers, 1000 to 100000000",
    )
    max_pairs: int = Field(
        default=BOUNDS.pairs,
        ge=1000,
        le=400_000_000,
        description="most pairs, of a symbol with a key, app or account, that each partition"
        " remembers, 1000 to 400000000",
    )
    max_markets: int = Field(
        default=BOUNDS.markets,
        ge=100,
        le=10_000_000,
        description="most symbols of venues that each partition remembers, 100 to 10000000",
    )

    def bounds(self) -> Bounds:
        """Give them to the stages."""
        return Bounds(self.max_markets, self.max_keys, self.max_pairs)
