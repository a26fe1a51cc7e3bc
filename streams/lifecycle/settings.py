"""Settings of the inactive-key policy; `streams.settings.Settings` takes them in."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode


def _listed(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)]


class LifecycleSettings(BaseSettings):
    """What an operator can set of `roguekey lifecycle`."""

    lifecycle_mode: Literal["dry-run", "enforce"] = Field(
        default="dry-run",
        description="dry-run tells nobody and removes nothing; enforce does: dry-run or enforce",
    )
    lifecycle_policy: Literal["binance", "okx", "htx", "bybit", "coinex"] = Field(
        default="binance",
        description="venue whose rule holds: binance 30 idle days, okx 14, htx, bybit, coinex 90",
    )
    lifecycle_idle_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="idle days after which a key is flagged, 1 to 3650; 0: the policy's",
    )
    lifecycle_notice_days: int = Field(
        default=2,
        ge=1,
        le=60,
        description="business days between a delivered notice and the removal, 1 to 60",
    )
    lifecycle_time_zone: str = Field(
        default="UTC", description="time zone of the business days, such as Asia/Singapore"
    )
    lifecycle_country: str = Field(
        default="",
        description="country whose public holidays are days off, such as SG or US-CA; empty: none",
    )
    lifecycle_weekend: Names = Field(
        default=("sat", "sun"), description="days of the week that are days off, comma-separated"
    )
    lifecycle_holidays: Names = Field(
        default=(), description="further days off, YYYY-MM-DD, comma-separated"
    )
    lifecycle_exempt: Names = Field(
        default=(),
        description="keys that are never removed, and accounts as account:ID, comma-separated",
    )
    lifecycle_state: Path = Field(
        default=Path("lifecycle.sqlite3"),
        description="file of what the inactive-key policy must not forget",
    )
    lifecycle_keys: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,249}$",
        description="topic of records about keys (created, ip_bound, ip_unbound, deleted, used);"
        " empty: none",
    )
    lifecycle_keys_files: Paths = Field(
        default=(), description="files of such records, one JSON object per line, read at the start"
    )
    lifecycle_observed_since: AwareDatetime | None = Field(
        default=None,
        description="time since which all uses are on the topic or in the files, RFC 3339; without,"
        " that of the first order",
    )
    lifecycle_max_silence_h: int = Field(
        default=6,
        ge=0,
        le=8760,
        description="hours without any order after which nothing is done until an operator has"
        " looked, 1 to 8760; 0: never",
    )
    lifecycle_notices_per_day: int = Field(
        default=10_000, ge=1, le=10_000_000, description="most notices in 24 h, 1 to 10000000"
    )
    lifecycle_removals_per_day: int = Field(
        default=1000, ge=1, le=10_000_000, description="most removals in 24 h, 1 to 10000000"
    )
    lifecycle_notifier_url: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9._\[\]:-]+(/[^\s?#]*)?)?$",
        description="webhook that tells the keys' owners, http:// or https://",
    )
    lifecycle_notifier_secret_file: str = Field(
        default="", description="file of the secret that signs what the notifier is sent (whsec_…)"
    )
