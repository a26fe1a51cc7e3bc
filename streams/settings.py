"""All that an operator can set, with units, ranges and defaults; only this reads the environment.

Flags beat `ROGUEKEY_...` variables, which beat the TOML file, which beats the defaults. A name that
is no setting is refused wherever it stands, so that a typing error never goes unnoticed. An empty
variable counts as not set.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import click
from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import override

from streams.kafka.settings import SecuritySettings
from streams.lifecycle.settings import LifecycleSettings, Paths
from streams.watch.settings import WatchSettings
from streams.worker.settings import StateSettings

PREFIX: Final = "ROGUEKEY_"
CONFIG_VARIABLE: Final = "ROGUEKEY_CONFIG"  # names the TOML file; itself no setting

DEFAULT_PARTITIONS: Final = 4

_ADDRESS: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_URL: Final = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(?:/[^\s?#]*)?")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class ConfigError(click.ClickException):
    """A setting is wrong or missing; one line names it, its value, the rule and the source."""

    exit_code = 2


def _addresses(text: str) -> str:
    for address in text.split(",") if text else ():
        match = _ADDRESS.fullmatch(address.strip())
        if match is None or not 0 < int(match[1]) < 65536:
            raise ValueError("must be host:port, several separated by commas")
    return text


def _topic(name: str) -> str:
    if not _TOPIC.fullmatch(name) or name in {".", ".."}:
        raise ValueError("must be a Kafka topic name: 1 to 249 of A-Z a-z 0-9 . _ -")
    return name


def _url(text: str) -> str:
    if text and not _URL.fullmatch(text):
        raise ValueError("must be http://host or https://host, with a port or path if need be")
    return text


Topic = Annotated[str, AfterValidator(_topic)]


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names of the topics, by what they carry."""

    orders: str
    alerts: str
    dispositions: str
    freezes: str
    lifecycle: str
    dead: str
    keys: str
    suspects: str
    requests: str
    triage: str


class Settings(SecuritySettings, LifecycleSettings, StateSettings, WatchSettings):
    """Checked settings. The constructor reads nothing from outside; `load_settings` does."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a password may be among it
    )

    brokers: Annotated[str, AfterValidator(_addresses)] = Field(
        default="",
        description="Kafka brokers, host:port, comma-separated; empty: worker and demo start one",
    )
    orders_topic: Topic = Field(default="orders", description="topic of order events (input)")
    alerts_topic: Topic = Field(default="alerts", description="topic of alerts (output)")
    dispositions_topic: Topic = Field(
        default="alerts.dispositions", description="topic of what analysts decided about alerts"
    )
    freezes_topic: Topic = Field(
        default="freeze.actions",
        description="topic of every freeze, refusal, approval and unfreeze",
    )
    lifecycle_topic: Topic = Field(
        default="key.lifecycle",
        description="topic of inactive-key notices, confirmations and removals",
    )
    dead_topic: Topic = Field(
        default="orders.dead", description="topic of order events that were refused"
    )
    keys_topic: Topic = Field(
        default="roguekey.keys", description="internal topic from the market stage to the key stage"
    )
    suspects_topic: Topic = Field(
        default="roguekey.suspects",
        description="internal topic from the key stage to the alert stage",
    )
    triage_topic: Topic = Field(
        default="roguekey.triage",
        description="internal topic of the dashboard: who has an alert, what is put off",
    )
    requests_topic: Topic = Field(
        default="roguekey.freeze.requests",
        description="internal topic of what people ask of the freeze hook",
    )
    partitions: int = Field(
        default=DEFAULT_PARTITIONS,
        ge=1,
        le=1024,
        description="partitions of the topics that roguekey makes, 1 to 1024",
    )
    replication_factor: int = Field(
        default=1, ge=1, le=9, description="copies of each partition on the brokers, 1 to 9"
    )
    model: Path = Field(default=Path("model"), description="directory of the trained model")
    false_keys_per_1000_key_days: float = Field(
        default=1.0,
        ge=0.01,
        le=100.0,
        description="alert threshold: keys falsely alerted per 1,000 key-days that can be afforded,"
        " 0.01 to 100",
    )
    app_id: str = Field(
        default="roguekey",
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="consumer group, and first part of the names of internal topics",
    )
    auto_offset_reset: Literal["earliest", "latest"] = Field(
        default="earliest",
        description="where a group without committed offsets starts: earliest or latest",
    )
    batch_events: int = Field(
        default=4096, ge=1, le=65536, description="most events in one batch, 1 to 65536"
    )
    idle_heartbeat_ms: int = Field(
        default=20,
        ge=1,
        le=60_000,
        description="quiet time after which nobody waits for a partition, ms, 1 to 60000",
    )
    checkpoint_interval_ms: int = Field(
        default=5000,
        ge=10,
        le=600_000,
        description="time between two checkpoints of the state, ms, 10 to 600000",
    )
    session_timeout_ms: int = Field(
        default=45_000,
        ge=1000,
        le=600_000,
        description="silence after which a worker's partitions go to others, ms, 1000 to 600000",
    )
    adopt_state: bool = Field(
        default=False, description="go on with the state that another model has left"
    )
    warmup: Paths = Field(
        default=(), description="order files that build the baselines on the very first start"
    )
    dashboard_host: str = Field(
        default="127.0.0.1",
        description="address that the dashboard listens on; any but loopback needs tokens or a"
        " proxy",
    )
    dashboard_port: int = Field(
        default=8780, ge=1, le=65535, description="port of the dashboard, 1 to 65535"
    )
    dashboard_data: Path = Field(
        default=Path("dashboard-data"),
        description="directory of the dashboard's read model and its secret",
    )
    dashboard_tokens: str = Field(
        default="",
        description="file of who may enter the dashboard: lines of NAME ROLE TOKEN, the role"
        " viewer, analyst or approver",
    )
    dashboard_user_header: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="header in which a trusted proxy names the user, such as X-Forwarded-User",
    )
    dashboard_role_header: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="header in which the proxy gives the user's role, such as X-Roguekey-Role;"
        " without it all are viewers; the proxy must overwrite both, whatever a browser sends",
    )
    dashboard_proxies: str = Field(
        default="127.0.0.1",
        description="addresses of the proxies whose headers are trusted, comma-separated",
    )
    dashboard_keep_days: int = Field(
        default=90, ge=1, le=3650, description="days of alerts that the dashboard keeps, 1 to 3650"
    )
    dashboard_metrics: str = Field(
        default="http://127.0.0.1:8790/metrics",
        description="metrics of the workers for the health page, comma-separated addresses",
    )
    freeze_policy: str = Field(
        default="", description="TOML file of the freeze policy; empty: the defaults, a dry run"
    )
    freeze_folder: Path = Field(
        default=Path("freeze"), description="directory of what the freeze hook must not forget"
    )
    exchange_url: Annotated[str, AfterValidator(_url)] = Field(
        default="", description="exchange that freezes and removes keys, http:// or https://"
    )
    exchange_secret_file: str = Field(
        default="", description="file of the secret that signs calls to the exchange (whsec_…)"
    )
    alarm_url: Annotated[str, AfterValidator(_url)] = Field(
        default="", description="webhook that pages people; signed with the same secret"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severity that is logged: debug, info, warning or error"
    )

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take nothing but what the constructor is given."""
        return (init_settings,)

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        owners: dict[str, str] = {}
        for kind, name in self.topic_names().items():
            if name in owners:
                both = f"{owners[name]}_topic and {kind}_topic"
                raise ValueError(f"{both} are both {name!r}; must differ")
            owners[name] = kind
        return self

    def bootstrap_servers(self) -> list[str]:
        """Addresses of the brokers; a `ConfigError` where there are none."""
        if not self.brokers:
            raise ConfigError(
                "brokers is not set; must be host:port (--brokers, ROGUEKEY_BROKERS or config file)"
            )
        return [address.strip() for address in self.brokers.split(",")]

    def warmup_files(self) -> tuple[Path, ...]:
        """Files of `warmup`; a `ConfigError` where one cannot be read.

        To be asked when they are about to be read, since they may be gone once they were.
        """
        for path in self.warmup:
            if path.is_dir() or not os.access(path, os.R_OK):
                raise ConfigError(f"warmup is '{path}': must be a file that can be read")
        return self.warmup

    @property
    def topics(self) -> TopicNames:
        """Names of the topics."""
        return TopicNames(**self.topic_names())

    def topic_names(self) -> dict[str, str]:
        """Names of the topics by what they carry."""
        fields = (field for field in type(self).model_fields if field.endswith("_topic"))
        return {field.removesuffix("_topic"): getattr(self, field) for field in fields}


def load_settings(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """Merge flags, environment, TOML file and defaults, and check the outcome.

    Parameters
    ----------
    flags : values given on the command line, by field name.
    config : TOML file; without it, the one that ROGUEKEY_CONFIG names, if any.

    Raises
    ------
    ConfigError
        If a name is unknown, a value breaks its rule, or the file cannot be read.
    """
    flags = flags or {}
    named = config or os.environ.get(CONFIG_VARIABLE)
    path = Path(named) if named else None
    _refuse_unknown_variables()
    environment = EnvSettingsSource(Settings)()
    file = _read_toml(path) if path else {}
    try:
        return Settings(**{**file, **environment, **flags})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        rule = first["msg"].removeprefix("Value error, ")
        rule = rule[0].lower() + rule[1:]
        if not first["loc"]:
            raise ConfigError(rule) from error
        name = str(first["loc"][0])
        if name in flags:
            source = f"flag --{name.replace('_', '-')}"
        else:
            source = f"variable {PREFIX}{name.upper()}" if name in environment else f"file {path}"
        shown = "********" if name == "sasl_password" else _shown(first["input"])
        raise ConfigError(f"{name} is {shown}: {rule} ({source})") from error


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, Path) else repr(value)


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _refuse_unknown_variables() -> None:
    known = [CONFIG_VARIABLE, *(PREFIX + name.upper() for name in Settings.model_fields)]
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            hint = _suggestion(variable.upper(), known)
            raise ConfigError(f"environment variable {variable} is no setting{hint}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"config file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {path} is not TOML: {error}") from error
    known = list(Settings.model_fields)
    for key in values:
        if key not in known:
            raise ConfigError(f"{key} in {path} is no setting{_suggestion(key, known)}")
    return values
