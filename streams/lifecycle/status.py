"""Who is where, and what is due: a look into the state file that changes nothing."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from models.alerts.masking import masked
from models.lifecycle.machine import KeyState, Mode, Phase, Step, next_step
from models.lifecycle.policy import Policy
from streams.lifecycle.holds import Watch
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.outbox import Outbox
from streams.lifecycle.process import Rules
from streams.lifecycle.store import Store
from streams.lifecycle.wording import moment

NEVER: Final = 2**63 - 1
HEADINGS: Final = ("key", "account", "phase", "idle since", "notified", "next", "due")


class Row(msgspec.Struct, frozen=True):
    """Where one key stands; times in ms, null: never."""

    api_key: str  # masked, unless asked for in full
    account: str | None  # the same
    phase: Phase
    mode: Mode | None  # in which it left `active`
    idle_since: int
    last_use: int | None
    notified_at: int | None
    removal_due: int | None
    removed_at: int | None
    next: Step | None
    due: int | None  # when the next step may be taken
    is_overdue: bool


class Status(msgspec.Struct, frozen=True):
    """Where all keys stand."""

    as_of: int
    mode: str | None  # of the process that acted last
    policy: str
    idle_days: int
    notice_days: int
    observed_since: int | None  # days are counted from here at the earliest
    read_at: int | None  # when the process was last at the present, within a minute
    held: list[str]
    phases: dict[str, int]
    waiting: dict[str, int]  # steps that are intended and not done, by kind
    removals_in_a_day: int
    removals_per_day: int
    keys: list[Row]


def look(store: Store, rules: Rules, now: int, most: int, *, full: bool) -> Status:
    """Give the status as of a time; at most so many keys, the next due first."""
    keys, outbox, policy = KeyRows(store.sql, rules.policy), Outbox(store.sql), rules.policy
    base = max(store.time("first_order"), store.time("restarted"))
    observed_since = _observed_since(store, rules)
    return Status(
        as_of=now,
        mode=store.fact("mode"),
        policy=policy.name,
        idle_days=policy.idle_days,
        notice_days=policy.notice_days,
        observed_since=observed_since or None,
        read_at=store.time("clock") or None,
        held=_held(store, rules.watch, base, now),
        phases=keys.counts(),
        waiting={step.value: outbox.pending(step) for step in Step},
        removals_in_a_day=outbox.begun_in_a_day(Step.REMOVAL, now),
        removals_per_day=rules.limits.removals,
        keys=[
            _row(key, policy, observed_since, now, full=full)
            for key in _next_due(keys, policy, observed_since, most)
        ],
    )


def _observed_since(store: Store, rules: Rules) -> int:
    since = rules.observed_since or store.time("first_order")
    return max(since, store.time("restarted")) if since else 0


def _held(store: Store, watch: Watch, since: int, now: int) -> list[str]:
    found = [hold.text for hold in watch.holds(store, since, now)]
    kept = store.fact("held")
    return found or ([kept] if kept else [])


def _next_due(keys: KeyRows, policy: Policy, observed_since: int, most: int) -> Iterable[KeyState]:
    """Give the keys with the earliest next steps; removed ones come last."""
    found = [*keys.on_the_way(most), *keys.unused_since(NEVER, most)]

    def turn(key: KeyState) -> tuple[int, int]:
        step = next_step(key, policy, observed_since)
        return (step[1], key.basis) if step else (NEVER, -key.removed_at)

    ranked = sorted(found, key=turn)
    return ranked if most < 0 else ranked[:most]


def _row(key: KeyState, policy: Policy, observed_since: int, now: int, *, full: bool) -> Row:
    step, due = next_step(key, policy, observed_since) or (None, None)
    account = key.account if full or key.account is None else masked(key.account)
    return Row(
        api_key=key.api_key if full else masked(key.api_key),
        account=account,
        phase=key.phase,
        mode=None if key.phase is Phase.ACTIVE else key.mode,
        idle_since=key.basis or max(key.renewed, observed_since),
        last_use=key.last_use or None,
        notified_at=key.notified_at or None,
        removal_due=key.removal_due or None,
        removed_at=key.removed_at or None,
        next=step if observed_since else None,
        due=due if observed_since else None,
        is_overdue=bool(observed_since and due is not None and due <= now),
    )


def as_text(status: Status) -> str:
    """Give the status as a table for people."""
    return "\n".join(_lines(status))


def _lines(status: Status) -> Iterator[str]:
    yield (
        f"as of {moment(status.as_of)}: policy {status.policy}, {status.idle_days} idle days,"
        f" {status.notice_days} business days; mode {status.mode or 'none yet'}"
    )
    counted = (
        f"counted since {moment(status.observed_since)}"
        if status.observed_since
        else ("nothing is counted before the first order is read")
    )
    yield counted + (f"; read up to {moment(status.read_at)}" if status.read_at else "")
    yield "keys: " + ", ".join(f"{count:,} {phase}" for phase, count in status.phases.items())
    yield f"removals in 24 h: {status.removals_in_a_day:,} of {status.removals_per_day:,}"
    for held in status.held:
        yield f"HELD: {held} (see roguekey lifecycle acknowledge --help)"
    rows = [HEADINGS, *map(_cells, status.keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows if status.keys else ():
        cells = zip(row, widths, strict=True)
        yield "  ".join(cell.ljust(width) for cell, width in cells).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    due = f"{moment(row.due)}{' (due)' if row.is_overdue else ''}" if row.due else ""
    return (
        row.api_key,
        row.account or "",
        row.phase + (" (dry run)" if row.mode is Mode.DRY_RUN else ""),
        moment(row.idle_since),
        moment(row.notified_at) if row.notified_at else "",
        row.next or "",
        due or (f"removed {moment(row.removed_at)}" if row.removed_at else ""),
    )
