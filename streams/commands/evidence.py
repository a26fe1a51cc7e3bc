"""`roguekey evidence`: what a disputed freeze needs, as a folder of files."""

from dataclasses import asdict
from pathlib import Path

import click
from aiokafka.errors import KafkaError as AioKafkaError
from kafka.errors import KafkaError

from streams.commands.options import Amount, json_option, show, with_settings
from streams.evidence.folder import FolderError, write_folder
from streams.evidence.gather import NoEvidenceError, gather
from streams.evidence.order_window import OrderWindowError
from streams.kafka.security import kafka_security
from streams.settings import Settings


@click.command("evidence")
@click.argument("alert_id", metavar="ALERT-ID")
@click.option(
    "--out",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder for the files; must be empty, or is made.",
)
@click.option(
    "--margin",
    type=Amount(min=0),
    default=900.0,
    show_default=True,
    metavar="S",
    help="Seconds before and after the alert's evidence that are taken in.",
)
@click.option(
    "--redact", is_flag=True, help="Only what the key's user may see: the user's own data."
)
@with_settings("brokers", "orders_topic", "alerts_topic", "freezes_topic")
@json_option
def command(
    settings: Settings, alert_id: str, out: Path, margin: float, redact: bool, as_json: bool
) -> None:
    """Gather what a disputed freeze needs, as a folder of files.

    The alert, the key's orders read again from the topic, prices with a plot, the features against
    what is usual, ids of model and configuration, what was done, and a manifest with hashes.
    """
    names = settings.topics
    brokers, client = settings.bootstrap_servers(), kafka_security(settings)
    try:
        gathered = gather(alert_id, brokers, names, round(1000 * margin), client)
        if redact and gathered.alert.api_key is None:
            raise click.UsageError("--redact needs the alert of a key: this one is about others")
        written = write_folder(gathered, out, redacted=redact)
    except (NoEvidenceError, FolderError, OrderWindowError) as error:
        raise click.ClickException(str(error)) from error
    except (KafkaError, AioKafkaError) as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error
    cut = "" if written.complete else "; more lies in the window than was read"
    text = (
        f"{len(written.files)} files in {out}: {written.orders:,} orders of the key, "
        f"{written.prices:,} fills of the market, {written.actions:,} actions{cut}"
    )
    show(asdict(written) | {"folder": str(out)}, text, as_json=as_json)
