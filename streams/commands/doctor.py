"""`roguekey doctor`: whether everything is there that a worker needs."""

from dataclasses import asdict

import click

from streams.commands.options import json_option, show, with_settings
from streams.doctor import Check, Outcome, examine
from streams.settings import Settings


@click.command("doctor")
@with_settings("brokers", "model", "partitions", "replication_factor", "app_id")
@json_option
def command(settings: Settings, as_json: bool) -> None:
    """Check settings, brokers, topics and model; say what to do.

    Settings are checked first: a wrong one ends with exit code 2. Then each check has one line. The
    exit code is 1 if any of them failed; warnings do not count.
    """
    # Whoever comes this far has valid settings; load_settings refuses all others.
    checks = [Check("settings", Outcome.OK, "all valid"), *examine(settings)]
    failed = sum(check.outcome is Outcome.FAILED for check in checks)
    result = {"ok": not failed, "checks": [asdict(check) for check in checks]}
    show(result, "\n".join(map(_line, checks)), as_json=as_json)
    if failed:
        raise click.ClickException(f"{failed} of {len(checks)} checks failed")


def _line(check: Check) -> str:
    advice = f"; {check.advice}" if check.advice else ""
    return f"{check.outcome:<8} {check.subject}: {check.finding}{advice}"
