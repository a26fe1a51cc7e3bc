"""The freeze policy: what the hook may do by itself, as a TOML file that is checked at the start.

Without a file, the defaults hold: a dry run, in which nobody is called.
"""

import tomllib
from datetime import UTC
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from models.alerts.envelope import AlertType, Severity
from models.alerts.masking import masked
from streams.exchange.client import RETRY_AT_S, TIMEOUT_S
from streams.freeze.actions import Mode

APP_APPROVERS: Final = 2  # that an app-wide freeze needs, whatever the policy says

SeverityName = Literal["low", "medium", "high", "critical"]


class PolicyError(ValueError):
    """The policy cannot be used; one line names the field, its value and the rule."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Allowed(_Section):
    """Somebody who is never frozen, until a day comes."""

    api_key: str | None = Field(default=None, min_length=1)
    account: str | None = Field(default=None, min_length=1)
    app: str | None = Field(default=None, min_length=1)
    until: AwareDatetime
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if sum(name is not None for name in (self.api_key, self.account, self.app)) != 1:
            raise ValueError("must name exactly one of api_key, account and app")
        return self

    @property
    def why(self) -> str:
        """Say who put them there, and for what."""
        return f"on the allow list, by {self.by}: {self.reason}"

    def covers(self, api_key: str | None, account: str | None, app: str | None, now: float) -> bool:
        """Whether it holds for them at this time, s."""
        pairs = ((self.api_key, api_key), (self.account, account), (self.app, app))
        return now < self.until.timestamp() and any(
            mine is not None and mine == theirs for mine, theirs in pairs
        )


class Budget(_Section):
    """How many keys the hook may freeze by itself, in any such stretch of time."""

    per_minute: int = Field(default=10, ge=0)
    per_hour: int = Field(default=60, ge=0)
    per_day: int = Field(default=200, ge=0)
    per_app_hour: int = Field(default=20, ge=0)


class Breaker(_Section):
    """How many attempts at calls may fail before the hook no longer acts by itself."""

    failures: int = Field(default=10, ge=1)
    within_s: float = Field(default=60.0, gt=0)


class Calls(_Section):
    """How the exchange is called."""

    timeout_s: float = Field(default=TIMEOUT_S, gt=0, le=60)
    retry_at_s: tuple[float, ...] = RETRY_AT_S  # wait before each attempt; then people are paged
    again_every_s: float = Field(default=60.0, gt=0)  # after that
    give_up_after_s: float = Field(default=3600.0, ge=0)
    at_once: int = Field(default=4, ge=1, le=64)

    @field_validator("retry_at_s")
    @classmethod
    def _can_be_waited_for(cls, delays: tuple[float, ...]) -> tuple[float, ...]:
        if not delays or min(delays) < 0:
            raise ValueError("must be one or more waits of 0 or more seconds")
        return delays


class Policy(_Section):
    """All of it; times in seconds."""

    mode: Mode = Mode.DRY_RUN
    severity: SeverityName = "high"
    score: float = Field(default=0.999, ge=0, le=1)
    families: int = Field(default=2, ge=1, le=9)
    alert_types: tuple[AlertType, ...] = tuple(AlertType)
    max_event_age_s: float = Field(default=120.0, gt=0)
    cool_down_s: float = Field(default=3600.0, ge=0)
    approval_expires_s: float = Field(default=600.0, gt=0)
    unfreeze_after_s: float | None = Field(default=None, gt=0)
    most_pending: int = Field(default=1000, ge=1)
    kill_file: Path | None = None  # default: STOP in the hook's folder
    budget: Budget = Budget()
    breaker: Breaker = Breaker()
    calls: Calls = Calls()
    allow: tuple[Allowed, ...] = ()

    @field_validator("mode", mode="before")
    @classmethod
    def _is_a_mode(cls, value: object, _: ValidationInfo) -> object:
        if value not in list(Mode):
            raise ValueError(f"must be {', '.join(Mode)}")
        return value

    @property
    def id(self) -> str:
        """Id of the policy: the same for the same content, 12 hexadecimal digits."""
        return blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()

    @property
    def least_severity(self) -> Severity:
        """Severity from which a key is frozen."""
        return Severity[self.severity.upper()]

    def allowed(
        self, api_key: str | None, account: str | None, app: str | None, now: float
    ) -> Allowed | None:
        """Give the line of the allow list that protects them at this time, if any."""
        return next((line for line in self.allow if line.covers(api_key, account, app, now)), None)

    def names_accounts(self, now: float) -> bool:
        """Whether the allow list protects an account at this time, s."""
        return any(line.account and now < line.until.timestamp() for line in self.allow)


def load_policy(path: Path | None) -> Policy:
    """Read and check a policy; without a file, the defaults.

    Raises
    ------
    PolicyError
        If the file cannot be read, or a value breaks its rule.
    """
    if path is None:
        return Policy()
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PolicyError(f"policy {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"policy {path} is not TOML: {error}") from error
    try:
        return Policy(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PolicyError(f"{_told(first)} (policy {path})") from error


def _told(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    rule = error["msg"].removeprefix("Value error, ")
    rule = rule[0].lower() + rule[1:]
    if error["type"] == "extra_forbidden":
        return f"{field} is no field of a policy"
    if error["type"] == "missing":
        return f"{field} is missing; must be given"
    if isinstance(error["input"], dict):  # a whole section, which may name keys
        return f"{field or 'policy'} {rule}"
    return f"{field} is {error['input']!r}: {rule}"


def explain(policy: Policy, now: float) -> list[str]:
    """Say in sentences what the policy means at this time, s."""
    budget, calls = policy.budget, policy.calls
    kinds = ", ".join(kind.short for kind in policy.alert_types) or "none"
    lines = [
        f"mode {policy.mode}: {_MODES[policy.mode]}",
        f"alerts taken: {kinds}",
        f"a key is frozen from severity {policy.severity} and score {policy.score:g}, "
        f"on {policy.families} kinds of evidence, where the alert itself recommends it",
        f"an alert whose order is more than {policy.max_event_age_s:g} s old freezes nobody",
        f"an app-wide freeze needs {APP_APPROVERS} different approvers; a hold of withdrawals one",
        "a person may freeze any key by hand: budgets, breaker, severity and a dry run hold only "
        "the hook back; kill switch, mode off and allow list hold for people, too",
        f"approvals expire after {policy.approval_expires_s:g} s",
        f"after an unfreeze or a rejection, a key is left alone for {policy.cool_down_s:g} s",
        "a freeze lasts until somebody ends it"
        if policy.unfreeze_after_s is None
        else f"a freeze ends by itself after {policy.unfreeze_after_s:g} s",
        f"freezes by itself, at most: {budget.per_minute} a minute, {budget.per_hour} an hour, "
        f"{budget.per_day} a day; {budget.per_app_hour} an hour of one app",
        "beyond that, or after "
        f"{policy.breaker.failures} failed calls within {policy.breaker.within_s:g} s, "
        "it asks for approval until somebody resumes it",
        f"calls wait {calls.timeout_s:g} s, are tried again after "
        f"{', '.join(f'{wait:g}' for wait in calls.retry_at_s)} s, then people are paged, and they "
        f"are tried every {calls.again_every_s:g} s for {calls.give_up_after_s:g} s",
    ]
    lines += [_line(line, now) for line in policy.allow]
    return lines


_MODES: Final = {
    Mode.OFF: "refuses everything",
    Mode.DRY_RUN: "decides and records, but calls nobody",
    Mode.APPROVE: "asks a person about every freeze",
    Mode.AUTO: "freezes by itself, within the limits below",
}


def _line(line: Allowed, now: float) -> str:
    kind, name = next(
        (kind, value)
        for kind, value in (
            ("key", line.api_key),
            ("account", line.account),
            ("app", line.app),
        )
        if value is not None
    )
    shown = masked(name) if kind == "key" else name
    until = line.until.astimezone(UTC)
    over = "" if now < line.until.timestamp() else " (expired)"
    return (
        f"never {kind} {shown} until {until:%Y-%m-%d %H:%M} UTC, by {line.by}: {line.reason}{over}"
    )
