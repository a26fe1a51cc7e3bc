"""The rule itself: after how many idle days a key goes, how long its owner has, who is exempt."""

from dataclasses import dataclass
from typing import Final

from models.lifecycle.calendar import Calendar

DAY_MS: Final = 86_400_000
NOTICE_DAYS: Final = 2  # business days

# Idle days of the venues' published rules for keys without an IP restriction. Bybit's own rule is
# harsher, a life of 90 days however much the key is used: here a key in use is never removed.
PRESETS: Final = {"binance": 30, "okx": 14, "htx": 90, "bybit": 90, "coinex": 90}

ACCOUNT: Final = "account:"  # how an exemption of a whole account begins


@dataclass(frozen=True, slots=True)
class Policy:
    """One venue's rule, with its calendar."""

    name: str
    idle_days: int
    notice_days: int
    calendar: Calendar
    exempt_keys: frozenset[str] = frozenset()
    exempt_accounts: frozenset[str] = frozenset()

    @property
    def idle_ms(self) -> int:
        """Days of inactivity, ms."""
        return self.idle_days * DAY_MS

    def removal_due(self, notified_at: int) -> int:
        """Give the first moment at which a key may be removed whose owner was told then, ms."""
        return self.calendar.after(notified_at, self.notice_days)


def policy(
    name: str,
    calendar: Calendar,
    *,
    idle_days: int = 0,
    notice_days: int = NOTICE_DAYS,
    exempt: tuple[str, ...] = (),
) -> Policy:
    """Build the policy of a preset.

    Parameters
    ----------
    name : one of `PRESETS`.
    idle_days : other than the preset's; 0: the preset's.
    notice_days : business days between a notice and the removal.
    exempt : API keys, and accounts as account:ID, that are never removed.
    """
    accounts = frozenset(entry.removeprefix(ACCOUNT) for entry in exempt if is_account(entry))
    keys = frozenset(entry for entry in exempt if not is_account(entry))
    return Policy(name, idle_days or PRESETS[name], notice_days, calendar, keys, accounts)


def is_account(exemption: str) -> bool:
    """Whether an exemption names an account.

    >>> is_account("account:a17"), is_account("k43545")
    (True, False)
    """
    return exemption.startswith(ACCOUNT)
