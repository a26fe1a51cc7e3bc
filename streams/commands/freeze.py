"""`roguekey freeze`: what the freeze hook did, what waits for approval, and how to undo it."""

import getpass
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
from aiokafka.errors import KafkaError as AioKafkaError
from kafka.errors import KafkaError

from models.alerts.masking import masked
from streams.commands.options import (
    ORDER_FILE,
    OUTPUT_FILE,
    Amount,
    Callback,
    json_option,
    show,
    with_settings,
)
from streams.freeze.actions import Act, Entry, Outcome, read_entry
from streams.freeze.audit import Verified, verify
from streams.freeze.book import without
from streams.freeze.cases import OPEN, Case, State, cases_of
from streams.freeze.requests import Ask, Desk, new_request
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.tapes.files import TapeError, new_tape, read_tape
from streams.tapes.topic import TopicTape, TopicTapeError

ASKED_FOR: Final = {
    Ask.FREEZE: "frozen by hand",
    Ask.APPROVE: "approved",
    Ask.REJECT: "rejected",
    Ask.UNFREEZE: "to be unfrozen",
    Ask.STOP: "stopped: nothing is frozen any more",
    Ask.RESUME: "resumed",
}
TOLD_TO_EXCHANGE: Final = (Ask.FREEZE, Ask.APPROVE, Ask.UNFREEZE)
Record = tuple[int, bytes]  # offset or line, value


@click.group("freeze")
def command() -> None:
    """Show and decide what the freeze hook does."""


@command.command("list")
@click.option("--all", "whole", is_flag=True, help="Also cases that are over.")
@with_settings("brokers", "freezes_topic")
@json_option
def list_(settings: Settings, whole: bool, as_json: bool) -> None:
    """List the cases: what waits, what is frozen, what failed."""
    entries = [entry for _, value in _topic(settings) if (entry := read_entry(value)) is not None]
    cases = [case for case in cases_of(entries).values() if whole or case.state in OPEN]
    switches = [act for act in (Act.KILL_SWITCH, Act.BREAKER) if _is_on(entries, act)]
    lines = [f"{switch} is on" for switch in switches]
    lines += [_line(case) for case in cases] or ["no case is open"]
    result = {"on": switches, "cases": [_as_shown(case) for case in cases]}
    show(result, "\n".join(lines), as_json=as_json)


def _deciding(function: Callback) -> Callback:
    """Add what every decision needs."""
    for option in (
        json_option,
        with_settings("brokers", "freezes_topic", "requests_topic"),
        click.option(
            "--timeout",
            type=Amount(min=0),
            default=15.0,
            show_default=True,
            metavar="S",
            help="How long to wait for the hook.",
        ),
        click.option(
            "--by",
            default=getpass.getuser,
            metavar="NAME",
            help="Who decides; recorded.  [default: the user's login]",
        ),
        click.option("--reason", required=True, metavar="TEXT", help="Why; recorded."),
    ):
        function = option(function)
    return function


@command.command("approve")
@click.argument("case")
@_deciding
def approve(settings: Settings, case: str, **flags: Any) -> None:
    """Approve a CASE that waits; an app-wide freeze needs two people."""
    _decide(settings, Ask.APPROVE, case, **flags)


@command.command("key")
@click.argument("key")
@click.option("--account", metavar="NAME", help="Whose it is, so that the allow list is heeded.")
@click.option("--app", metavar="NAME", help="Whose it is used by; likewise.")
@_deciding
def key_(settings: Settings, key: str, account: str | None, app: str | None, **flags: Any) -> None:
    """Freeze a KEY by hand, whatever the policy makes of its alerts.

    Budgets, breaker, severity and a dry run do not hold a person back; the kill switch, the mode
    off and the allow list do.
    """
    _decide(settings, Ask.FREEZE, key, {"account": account, "app": app}, **flags)


@command.command("reject")
@click.argument("case")
@_deciding
def reject(settings: Settings, case: str, **flags: Any) -> None:
    """Reject a CASE that waits."""
    _decide(settings, Ask.REJECT, case, **flags)


@command.command("unfreeze")
@click.argument("subject", metavar="KEY|CASE")
@_deciding
def unfreeze(settings: Settings, subject: str, **flags: Any) -> None:
    """End a freeze, or a hold of withdrawals, by key, account or case."""
    _decide(settings, Ask.UNFREEZE, subject, **flags)


@command.command("stop")
@_deciding
def stop(settings: Settings, **flags: Any) -> None:
    """Throw the kill switch: nothing is frozen any more."""
    _decide(settings, Ask.STOP, "", **flags)


@command.command("resume")
@_deciding
def resume(settings: Settings, **flags: Any) -> None:
    """Take back a stop, and close the breaker."""
    _decide(settings, Ask.RESUME, "", **flags)


@command.group("audit")
def audit() -> None:
    """Check or copy the audit."""


@audit.command("verify")
@click.option("--input", "file", type=ORDER_FILE, metavar="FILE", help="A copy (.jsonl).")
@click.option(
    "--head",
    metavar="SEQ:HASH",
    help="The last entry as it was noted down: an end that was cut off leaves no other trace.",
)
@with_settings("brokers", "freezes_topic")
@json_option
def verify_(settings: Settings, file: Path | None, head: str | None, as_json: bool) -> None:
    """Find entries that were changed, are missing, or stand in another place."""
    found = verify(_file(file) if file else _topic(settings), _head(head))
    result = asdict(found) | {"sound": found.is_sound}
    show(result, _told(found), as_json=as_json)
    if not found.is_sound:
        raise click.ClickException(f"{len(found.findings) + found.more} findings in the audit")


@audit.command("export")
@click.option(
    "--out",
    type=OUTPUT_FILE,
    required=True,
    metavar="FILE",
    help="A line an entry (.jsonl, .jsonl.gz, .jsonl.zst).",
)
@with_settings("brokers", "freezes_topic")
@json_option
def export(settings: Settings, out: Path, as_json: bool) -> None:
    """Copy the audit into a file, byte for byte."""
    entries, count = _topic(settings), 0
    first = list(islice(entries, 1))  # brokers out of reach empty no earlier copy
    with _failures(settings), new_tape(out) as file:
        for _, value in chain(first, entries):
            file.write(value + b"\n")
            count += 1
    show({"out": str(out), "entries": count}, f"{count:,} entries in {out}", as_json=as_json)


def _decide(
    settings: Settings,
    ask: Ask,
    subject: str,
    about: Mapping[str, str | None] = MappingProxyType({}),
    *,
    reason: str,
    by: str,
    timeout: float,
    as_json: bool,
) -> None:
    try:
        request = new_request(ask, who=by, reason=reason, subject=subject, **about)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    names = settings.topics
    deadline = time.monotonic() + timeout
    with (
        _failures(settings),
        Desk(settings.bootstrap_servers(), names, kafka_security(settings)) as desk,
    ):
        answer = desk.ask(request, timeout)
        if answer is None:
            raise click.ClickException(
                f"no freeze hook answered within {timeout:g} s; the request waits on topic "
                f"{names.requests}, and is done when one runs"
            )
        if answer.outcome == Outcome.REFUSED:
            raise click.ClickException(answer.why)
        last = None
        if ask in TOLD_TO_EXCHANGE and not answer.needs and answer.act != Act.FREEZE_APP:
            last = desk.outcome(answer, max(0.0, deadline - time.monotonic()))
    _tell(answer, last, ask, as_json=as_json)


def _tell(answer: Entry, last: Entry | None, ask: Ask, *, as_json: bool) -> None:
    text = f"{answer.case or answer.act}: {ASKED_FOR[ask]}, by {answer.who}"
    if answer.needs:
        text += f"; {answer.needs} more must approve"
    if last is not None:
        text += f"; {without(last.api_key or '', last.why)}"
    result = {
        "case": answer.case,
        "outcome": answer.outcome,
        "by": answer.who,
        "needs": answer.needs,
        "exchange": last.outcome if last else None,
        "detail": without(last.api_key or "", last.why) if last else None,
    }
    show(result, text, as_json=as_json)
    if last is not None and last.outcome == Outcome.FAILED:
        why = without(last.api_key or "", last.why)
        raise click.ClickException(f"the exchange did not do it: {why}")


def _topic(settings: Settings) -> Iterator[Record]:
    """Give all records of the audit topic with their offsets."""
    with (
        _failures(settings),
        TopicTape(
            settings.bootstrap_servers(), settings.freezes_topic, client=kafka_security(settings)
        ) as tape,
    ):
        for partition in range(tape.partitions):
            while chunk := tape.next(partition):
                yield from zip(chunk[1].tolist(), chunk[0], strict=True)


def _file(path: Path) -> Iterator[Record]:
    try:
        for chunk in read_tape(path):
            yield from zip(chunk.numbers.tolist(), chunk.lines, strict=True)
    except TapeError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _failures(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (TapeError, TopicTapeError) as error:
        raise click.ClickException(str(error)) from error
    except (KafkaError, AioKafkaError) as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error


def _head(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    seq, _, digest = text.partition(":")
    if not seq.isdecimal() or not digest:
        raise click.UsageError(f"--head is {text!r}; must be SEQ:HASH, as verify prints it")
    return int(seq), digest


def _told(found: Verified) -> str:
    lines = [f"{one.kind} at {one.place}: entry {one.seq} {one.text}" for one in found.findings]
    if found.more:
        lines.append(f"and {found.more:,} findings more")
    verdict = "sound" if found.is_sound else "NOT sound"
    repeated = f", {found.repeated:,} of them delivered again" if found.repeated else ""
    lines.append(f"{found.entries:,} entries{repeated}: {verdict}")
    return "\n".join([*lines, f"head {found.head_seq}:{found.head_hash}"])


def _is_on(entries: list[Entry], switch: Act) -> bool:
    last: dict[Any, bool] = {}  # a file and a message stop the hook independently
    for entry in entries:
        if entry.act == switch:
            last[entry.rule if switch == Act.KILL_SWITCH else None] = entry.outcome == Outcome.ON
    return any(last.values())


def _as_shown(case: Case) -> dict[str, Any]:
    return {
        "case": case.id,
        "state": case.state,
        "act": case.act,
        "subject": _subject(case),
        "app": case.app,
        "symbol": case.symbol,
        "severity": case.severity,
        "score": case.score,
        "alert": case.alert_id,
        "opened_ts": case.opened_ts,
        "changed_ts": case.changed_ts,
        "needs": case.needs,
        "approvers": case.approvers,
        "until": case.until,
        "why": without(case.api_key or "", case.why),
    }


def _subject(case: Case) -> str:
    return masked(case.subject) if case.act == Act.FREEZE_KEY else case.subject


def _line(case: Case) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(case.changed_ts / 1000))
    why = without(case.api_key or "", case.why)
    waits = f", needs {case.needs}" if case.state == State.PENDING else ""
    return (
        f"{case.id}  {when}  {case.state:<10} {case.act:<17} {_subject(case):<12} "
        f"{case.app or '-':<12} {case.severity or '-':<8}  {why}{waits}"
    )
