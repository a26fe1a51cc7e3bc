"""`roguekey freeze-hook`: freezes keys that alerts accuse, within a policy."""

import time
from typing import Final

import click
from kafka.errors import KafkaError

from streams.commands.options import json_option, log_at, show, with_settings
from streams.freeze.assembly import assembled, kill_file_of, policy_of
from streams.freeze.outbox import OutboxError
from streams.freeze.policy import Policy, explain
from streams.kafka.access import check_access
from streams.settings import Settings
from streams.signals import told_to_end
from streams.topics import TopicError

LIBRARIES: Final = ("kafka", "httpx", "httpcore")
NETWORK: Final = ("kafka.net", "kafka.future")  # show tracebacks of what a closing client cuts off


@click.command("freeze-hook")
@click.option("--explain", "only_explain", is_flag=True, help="Say what the policy means, and end.")
@click.option(
    "--once", is_flag=True, help="End when all alerts that are there now have been dealt with."
)
@with_settings(
    "brokers",
    "freeze_policy",
    "freeze_folder",
    "exchange_url",
    "exchange_secret_file",
    "alarm_url",
    "app_id",
    "auto_offset_reset",
    "log_level",
)
@json_option
def command(settings: Settings, only_explain: bool, once: bool, as_json: bool) -> None:
    """Freeze keys that alerts accuse, within a policy.

    Without a policy it is a dry run: every decision goes to the audit topic, and nobody is called.
    There is one hook; what it must not forget lies in --freeze-folder. SIGTERM or Ctrl-C ends it,
    and a file named STOP in that folder keeps it from freezing anything.
    """
    policy = policy_of(settings)
    if only_explain:
        _explain(settings, policy, as_json=as_json)
        return
    log_at(settings.log_level, LIBRARIES, silent=NETWORK)
    check_access(settings)
    try:
        with assembled(settings) as service, told_to_end(lambda _: service.stop()):
            click.echo(f"freeze hook in mode {policy.mode}, policy {policy.id}", err=True)
            service.run(once=once)
    except (OutboxError, TopicError) as error:
        raise click.ClickException(str(error)) from error
    except KafkaError as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error


def _explain(settings: Settings, policy: Policy, *, as_json: bool) -> None:
    lines = [f"policy {policy.id}", *explain(policy, time.time())]
    lines.append(f"nothing is frozen while {kill_file_of(settings, policy)} is there")
    result = {
        "policy": policy.id,
        "source": settings.freeze_policy or None,
        "values": policy.model_dump(mode="json"),
        "meaning": lines[1:],
    }
    show(result, "\n".join(lines), as_json=as_json)
