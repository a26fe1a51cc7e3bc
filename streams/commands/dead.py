"""`roguekey dead`: what was refused, looked at and put back."""

import asyncio
import re
import sys
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click
from aiokafka.errors import KafkaError
from kafka.errors import KafkaError as OtherKafkaError

from models.alerts.masking import masked
from streams.commands.options import json_option, show, with_settings
from streams.dead.replay import PutBack, put_back
from streams.dead.topic import Choice, DeadTopicError, Found, Listing, latest, letter_at
from streams.kafka.access import check_access
from streams.settings import Settings

T = TypeVar("T")

LIMIT: Final = 20
# Refused events are not as they should be: any name like it, and a string, whole or cut off, a list
# or whatever else stands up to the next comma.
_KEY: Final = re.compile(
    rb"""api[_-]?key[\\"']*\s*[:=]\s*("(?:[^"\\]|\\.)*|\[[^\]]*|[^,}\s]+)""", re.IGNORECASE
)
_AROUND: Final = b"\"'[] \t\r\n"

REASON: Final = click.option(
    "--reason", default="", metavar="TEXT", help="Those whose field or reason holds this text."
)


@click.group("dead")
def command() -> None:
    """Look at refused events, and put them back."""


@command.command("list")
@REASON
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT,
    show_default=True,
    metavar="N",
    help="At most so many, the newest.",
)
@with_settings("brokers", "dead_topic")
@json_option
def list_letters(settings: Settings, reason: str, limit: int, as_json: bool) -> None:
    """List the newest dead letters, API keys masked."""
    listing = _run(settings, latest(settings, Choice(reason=reason), limit))
    result = {
        "topic": settings.dead_topic,
        "letters": [_described(found) for found in listing.letters],
        "matching": listing.meant,
        "all": listing.all,
    }
    show(result, _as_table(listing, settings.dead_topic), as_json=as_json)


@command.command("show")
@click.argument("offset", type=click.IntRange(min=0))
@click.option("--raw", is_flag=True, help="Only the event, byte for byte, its API key unmasked.")
@with_settings("brokers", "dead_topic")
@json_option
def show_letter(settings: Settings, offset: int, raw: bool, as_json: bool) -> None:
    """Show the dead letter at OFFSET of its topic, made safe for a terminal."""
    if raw and as_json:
        raise click.UsageError("give either --raw or --json")
    found = _run(settings, letter_at(settings, offset))
    if raw:
        sys.stdout.buffer.write(found.letter.value)
        return
    described, event = _described(found), printable(without_keys(found.letter.value))
    text = f"{_place(found)}, refused {described['time']}\n{_reason(found)}\n{event}"
    show(described | {"event": event}, text, as_json=as_json)


@command.command("replay")
@click.argument("offsets", type=click.IntRange(min=0), nargs=-1)
@REASON
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--again", is_flag=True, help="Also those that were put back before.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@with_settings("brokers", "dead_topic", "orders_topic", "app_id", "replication_factor")
@json_option
def replay_letters(settings: Settings, as_json: bool, **flags: Any) -> None:
    """Put refused events back on the orders topic, unchanged, each once.

    Those at OFFSETS of the dead-letter topic, those that --reason picks out, or --all. Nothing is
    done without --yes. What a worker would refuse again becomes a new dead letter.
    """
    offsets, reason = frozenset(flags["offsets"]), flags["reason"]
    if bool(offsets or reason) == flags["everything"]:
        raise click.UsageError("give OFFSETS or --reason, or else --all")
    choice = Choice(offsets, reason)
    really = flags["yes"]
    done = _run(settings, put_back(settings, choice, again=flags["again"], really=really))
    if done.refused_again:
        told = f"{done.refused_again} of {done.sent} would be refused again, as: {done.why}"
        click.echo(f"warning: {printable(told.encode())}", err=True)
    show(asdict(done) | {"done": really}, _told(done, settings, really=really), as_json=as_json)


def _run(settings: Settings, work: Coroutine[Any, Any, T]) -> T:
    try:
        with closing(work):
            check_access(settings)
            return asyncio.run(work)
    except DeadTopicError as error:
        raise click.ClickException(str(error)) from error
    except (KafkaError, OtherKafkaError) as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error


def _told(done: PutBack, settings: Settings, *, really: bool) -> str:
    if not done.meant:
        return "no such dead letter"
    letters = f"{done.sent:,} dead letter{'' if done.sent == 1 else 's'}"
    before = f"; {done.before:,} had been put back before (--again)" if done.before else ""
    if not really:
        return (
            f"{letters} would go back to topic {settings.orders_topic}{before}: "
            "nothing is done without --yes"
        )
    return f"{letters} put back on topic {settings.orders_topic}{before}"


def _described(found: Found) -> dict[str, Any]:
    letter = found.letter
    return {
        "offset": found.offset,
        "time": _time(found),
        "reason": letter.reason,
        "field": letter.field,
        "topic": letter.topic,
        "partition": letter.partition,
        "source_offset": letter.offset,
        "api_key": _masked_key(letter.value),
        "bytes": len(letter.value),
    }


def _as_table(listing: Listing, topic: str) -> str:
    if not listing.all:
        return f"topic {topic} is empty"
    lines = [
        f"{found.offset:>8}  {_time(found)}  {_place(found):<24}  "
        f"{_masked_key(found.letter.value) or '-':<10}  {_reason(found)}"
        for found in listing.letters
    ]
    head = f"{'offset':>8}  {'refused':<20}  {'lay at':<24}  {'API key':<10}  reason"
    foot = f"{len(listing.letters):,} of {listing.meant:,} dead letters"
    of_all = f" that match, {listing.all:,} in all" if listing.meant != listing.all else ""
    return "\n".join([head, *lines, foot + of_all])


def _time(found: Found) -> str:
    return f"{datetime.fromtimestamp(found.time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _place(found: Found) -> str:
    letter = found.letter
    return f"{printable(letter.topic.encode())}[{letter.partition}] {letter.offset}"


def _reason(found: Found) -> str:
    return printable(found.letter.reason.encode()) or "no reason is given"


def _masked_key(value: bytes) -> str:
    match = _KEY.search(value)
    key = match[1].strip(_AROUND) if match else b""
    return printable(masked(key.decode(errors="replace")).encode()) if key != b"null" else ""


def without_keys(value: bytes) -> bytes:
    """Give an event with every API key in it masked.

    >>> without_keys(b'{"api_key": "abcdefghijkl", "id": 1}').decode()
    '{"api_key": "abcd…ijkl", "id": 1}'
    >>> without_keys(b'{"apiKey": ["abcdefghijkl"], "API-KEY": 123456789012, "id": 1').decode()
    '{"apiKey": ["abcd…ijkl"], "API-KEY": 1234…9012, "id": 1'
    """
    for key in {match[1].strip(_AROUND) for match in _KEY.finditer(value)}:
        if key not in {b"", b"null"}:
            value = value.replace(key, masked(key.decode(errors="replace")).encode())
    return value


def printable(value: bytes) -> str:
    r"""Give bytes as text of which no terminal makes anything else.

    >>> printable(b'\x1b[31m{"a":"\xc3\xa9"}\xff\n')
    '\\x1b[31m{"a":"é"}\\xff\\n'
    """
    text = value.decode(errors="backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
