"""`roguekey lifecycle`: the inactive-key policy."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click
import msgspec
from aiokafka.errors import KafkaError
from kafka.errors import KafkaError as AdminError

from models.lifecycle.calendar import CalendarError, calendar
from models.lifecycle.machine import Mode
from models.lifecycle.policy import policy
from streams.clock import now_ms
from streams.commands.options import Time, json_option, log_at, show, with_settings
from streams.exchange.client import ExchangeClient, SecretError, Signer, read_signer
from streams.kafka.access import check_access
from streams.kafka.security import kafka_security
from streams.lifecycle.feed import FeedError, KafkaFeed
from streams.lifecycle.holds import Watch, acknowledge
from streams.lifecycle.intake import Intake
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.owners import DryRun, Hands, SignedCalls, notifier
from streams.lifecycle.process import Process, Rules
from streams.lifecycle.status import as_text, look
from streams.lifecycle.steps import Limits
from streams.lifecycle.store import StateError, Store, only_one
from streams.settings import ConfigError, Settings
from streams.signals import ended_by_sigterm
from streams.tapes.files import TapeError, read_tape
from streams.topics import TopicError, ensure_topics, topic_specs

CONNECT_MS: Final = 5000
IDLE_S: Final = 5.0  # between two looks, when nothing is to be done
LIBRARIES: Final = ("aiokafka", "kafka", "httpx", "httpcore")
PREFIX: Final = "--lifecycle-"
POLICY: Final = (
    "lifecycle_state",
    "lifecycle_policy",
    "lifecycle_idle_days",
    "lifecycle_notice_days",
    "lifecycle_time_zone",
    "lifecycle_country",
    "lifecycle_weekend",
    "lifecycle_holidays",
    "lifecycle_exempt",
    "lifecycle_max_silence_h",
    "lifecycle_removals_per_day",
)

log = logging.getLogger(__name__)


as_of_option: Final = click.option(
    "--as-of", type=Time(), help="Take this for the time now (RFC 3339, or ms since 1970)."
)


@click.group("lifecycle", invoke_without_command=True)
@with_settings(
    "brokers",
    "partitions",
    "replication_factor",
    "app_id",
    "lifecycle_mode",
    *POLICY,
    "lifecycle_notices_per_day",
    "lifecycle_keys",
    "lifecycle_keys_files",
    "lifecycle_notifier_url",
    "log_level",
)
@click.option("--once", is_flag=True, help="Do what is due, print what was done, and end.")
@as_of_option
@json_option
def command(settings: Settings, *, once: bool, as_of: int | None, as_json: bool) -> None:
    """Remove keys that nobody uses: notice, two business days, removal.

    Reads the uses of keys from the orders, and what else is known of keys from a topic or files.
    Any use, or a restriction to addresses, rescues a key. By default a dry run: nobody is told, and
    nothing is removed. With --as-of, a dry run as if it were that time, for which a state file of
    its own is best. Exit code 1 of --once: it was held, and did nothing.
    """
    if click.get_current_context().invoked_subcommand:
        _refuse_flags_of_the_group()
        return
    log_at(settings.log_level, LIBRARIES)
    mode = Mode(settings.lifecycle_mode)
    if as_of is not None and mode is Mode.ENFORCE:
        raise click.UsageError("--as-of is for a dry run; must not be given with --mode enforce")
    rules, hands = rules_of(settings, is_what_if=as_of is not None), _hands(settings, mode)
    with ended_by_sigterm(), _told(settings), ExitStack() as stack:
        stack.enter_context(only_one(settings.lifecycle_state))
        store = stack.enter_context(Store(settings.lifecycle_state))
        feed = stack.enter_context(_feed(settings))
        keys = KeyRows(store.sql, rules.policy)
        intake = Intake(store, keys, feed, settings.orders_topic, stops_at_now=as_of is not None)
        process = Process(store, feed, intake, keys, hands, rules)
        clock = _clock(as_of)
        process.begin(clock())
        _hear_files(settings.lifecycle_keys_files, store, intake, clock())
        _run(process, clock, ends=once or as_of is not None)
        _show(process, intake, keys, settings, clock(), as_json=as_json)
    click.get_current_context().exit(1 if process.is_held else 0)


def _show(
    process: Process,
    intake: Intake,
    keys: KeyRows,
    settings: Settings,
    now: int,
    *,
    as_json: bool,
) -> None:
    done = {kind.value: count for kind, count in sorted(process.counts.items())}
    held, phases = [hold.text for hold in process.holds], keys.counts()
    result = {
        "as_of": now,
        "mode": settings.lifecycle_mode,
        "policy": settings.lifecycle_policy,
        "orders": intake.read.events,
        "unreadable_orders": intake.read.unreadable,
        "partitions_with_later_orders": intake.read.left,
        "key_records": intake.read.records,
        "refused_key_records": intake.read.refused,
        "entries": done,
        "keys": phases,
        "held": held,
    }
    lines = [
        f"{intake.read.events:,} orders and {intake.read.records:,} records of keys read"
        f" ({intake.read.unreadable:,} and {intake.read.refused:,} could not be)",
        "entries: " + (", ".join(f"{count:,} {kind}" for kind, count in done.items()) or "none"),
        "keys: " + ", ".join(f"{count:,} {phase}" for phase, count in phases.items()),
        *(f"HELD: {text}" for text in held),
        *([f"left unread: later orders of {intake.read.left} partitions"] * (intake.read.left > 0)),
    ]
    show(result, "\n".join(lines), as_json=as_json)


@command.command("status")
@with_settings(*POLICY)
@as_of_option
@click.option("--full", is_flag=True, help="Show whole key ids and accounts.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Most keys to show, the next due first; 0: all.",
)
@json_option
def status(settings: Settings, *, as_of: int | None, full: bool, limit: int, as_json: bool) -> None:
    """Show where keys stand and what is due; changes nothing, and needs no broker."""
    rules = rules_of(settings, is_what_if=as_of is not None)
    with _told(settings), Store(settings.lifecycle_state, read_only=True) as store:
        found = look(store, rules, _clock(as_of)(), limit or -1, full=full)
    show(msgspec.to_builtins(found), as_text(found), as_json=as_json)


@command.command("acknowledge")
@with_settings(*POLICY)
@click.option("--by", "actor", required=True, help="Who acknowledges.")
@click.option("--reason", required=True, help="Why the policy may act again.")
@click.option(
    "--keep-clocks",
    is_flag=True,
    help="No use was missed: go on with the days that were counted.",
)
@json_option
def acknowledge_holds(
    settings: Settings, *, actor: str, reason: str, keep_clocks: bool, as_json: bool
) -> None:
    """Let the policy act again after orders were lost or silent.

    The days of all keys are counted anew from now, and who was notified is told that the key stays,
    unless --keep-clocks says that no use was missed.
    """
    if not (actor.strip() and reason.strip()):
        raise click.UsageError("--by and --reason must not be empty")
    rules = rules_of(settings)
    with _told(settings), Store(settings.lifecycle_state) as store:
        ended = acknowledge(store, rules.watch, _clock(None)(), actor, reason, keep=keep_clocks)
    if not ended:
        raise click.ClickException("nothing is held: there is nothing to acknowledge")
    result = {"acknowledged": ended, "by": actor, "clocks": "kept" if keep_clocks else "restarted"}
    show(result, "\n".join(f"acknowledged: {text}" for text in ended), as_json=as_json)


def rules_of(settings: Settings, *, is_what_if: bool = False) -> Rules:
    """Give the rules that the settings make; `ConfigError` where they make none."""
    try:
        days_off = calendar(
            settings.lifecycle_time_zone,
            settings.lifecycle_country,
            settings.lifecycle_weekend,
            settings.lifecycle_holidays,
        )
    except CalendarError as error:
        raise ConfigError(str(error)) from error
    rule = policy(
        settings.lifecycle_policy,
        days_off,
        idle_days=settings.lifecycle_idle_days,
        notice_days=settings.lifecycle_notice_days,
        exempt=settings.lifecycle_exempt,
    )
    since = settings.lifecycle_observed_since
    # What if it were later: then nothing was ordered until then, which is no silence.
    silence = 0 if is_what_if else settings.lifecycle_max_silence_h
    return Rules(
        policy=rule,
        mode=Mode(settings.lifecycle_mode),
        limits=Limits(settings.lifecycle_notices_per_day, settings.lifecycle_removals_per_day),
        watch=Watch(silence, rule.idle_days),
        lifecycle_topic=settings.lifecycle_topic,
        observed_since=round(since.timestamp() * 1000) if since else 0,
    )


def _hands(settings: Settings, mode: Mode) -> Hands:
    if mode is Mode.DRY_RUN:
        return DryRun()
    for name in (
        "lifecycle_notifier_url",
        "lifecycle_notifier_secret_file",
        "exchange_url",
        "exchange_secret_file",
    ):
        if not getattr(settings, name):
            raise ConfigError(f"lifecycle_mode is enforce, which needs {name}")
    if not (settings.lifecycle_keys or settings.lifecycle_keys_files):
        # No order says that its key is bound to addresses.
        raise ConfigError(
            "lifecycle_mode is enforce, which needs lifecycle_keys or lifecycle_keys_files: without"
            " either, keys that are bound to addresses would be removed too"
        )
    caller, path = notifier(
        settings.lifecycle_notifier_url, _signer(settings, "lifecycle_notifier_secret_file")
    )
    exchange = ExchangeClient(settings.exchange_url, _signer(settings, "exchange_secret_file"))
    return SignedCalls(caller, path, exchange)


def _signer(settings: Settings, name: str) -> Signer:
    try:
        return read_signer(Path(getattr(settings, name)))
    except SecretError as error:
        raise ConfigError(f"{name}: {error}") from error


def _feed(settings: Settings) -> KafkaFeed:
    brokers, security = settings.bootstrap_servers(), kafka_security(settings)
    check_access(settings)
    names = settings.topics
    ours = {names.orders, names.lifecycle}
    ensure_topics(
        brokers,
        [spec for spec in topic_specs(names, settings.partitions) if spec.name in ours],
        replication=settings.replication_factor,
        client={"bootstrap_timeout_ms": CONNECT_MS} | security,
    )
    topics = [names.orders, *filter(None, [settings.lifecycle_keys])]
    return KafkaFeed(brokers, topics, f"{settings.app_id}.lifecycle", security)


def _hear_files(paths: tuple[Path, ...], store: Store, intake: Intake, now: int) -> None:
    for path in paths:
        for chunk in read_tape(path):
            with store.transaction():
                intake.hear(chunk.lines, now, str(path))


def _run(process: Process, clock: Callable[[], int], *, ends: bool) -> None:
    while True:
        try:
            more = process.tick(clock)
        except KafkaError as error:
            if ends:
                raise
            log.warning("brokers: %s; trying again", error)
            more = False
        if not more:
            if ends:
                return
            time.sleep(IDLE_S)


def _clock(as_of: int | None) -> Callable[[], int]:
    return now_ms if as_of is None else (lambda: as_of)


@contextmanager
def _told(settings: Settings) -> Iterator[None]:
    """Say in one line what cannot be used."""
    try:
        yield
    except (StateError, FeedError, TopicError, TapeError) as error:
        raise click.ClickException(str(error)) from error
    except (KafkaError, AdminError) as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error


def _refuse_flags_of_the_group() -> None:
    ctx = click.get_current_context()
    for name in ctx.params:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            flag = name.replace("_", "-")
            raise click.UsageError(
                f"--{flag} stands before {ctx.invoked_subcommand}; must follow it"
            )


def _shorten_flags(group: click.Group) -> None:
    """Let --lifecycle-mode be typed as --mode, and so on."""
    for one in (group, *group.commands.values()):
        for option in one.params:
            long = [name for name in option.opts if name.startswith(PREFIX)]
            option.opts = ["--" + name.removeprefix(PREFIX) for name in long] + option.opts


_shorten_flags(command)
