"""Settings of how a worker is watched; `streams.settings.Settings` takes them in."""

from pydantic import Field
from pydantic_settings import BaseSettings


class WatchSettings(BaseSettings):
    """What an operator can set of a worker's health."""

    http_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="address on which a worker tells its health and metrics; nobody logs in there",
    )
    http_port: int = Field(
        default=8790,
        ge=0,
        le=65535,
        description="port of a worker's health and metrics, 0 to 65535; 0: none; where it is not"
        " set and 8790 is taken, the next free one",
    )
    watchdog_s: float = Field(
        default=60.0,
        ge=0.0,
        le=86_400.0,
        description="a worker of which a partition stands still so long while its lag grows ends"
        " itself, s, 0 to 86400; 0: never",
    )
    dead_letter_ratio: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="a worker stops when more than this share of a partition's events is refused,"
        " 0 to 1; 1: never",
    )
    dead_letter_window: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="last events of a partition of which that share is taken, 1 to 1000000",
    )
