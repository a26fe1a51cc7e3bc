"""`roguekey produce`: files of order events onto the orders topic."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import kafka.errors
from aiokafka.errors import KafkaError

from streams.commands.options import Amount, inputs_option, json_option, show, with_settings
from streams.kafka.access import check_access
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.tapes.files import TapeError
from streams.tapes.intake import progress_bar, stored_bytes
from streams.tapes.produce import Produced
from streams.tapes.produce import produce as put_on_topic
from streams.topics import TopicError, ensure_topics, topic_specs

CONNECT_MS: Final = 5000


@click.command("produce")
@inputs_option(required=True)
@click.option(
    "--rate",
    type=Amount(min=0, min_open=True),
    metavar="N",
    help="Events per second.  [default: as fast as the brokers take them]",
)
@with_settings("brokers", "orders_topic", "partitions", "replication_factor")
@json_option
def command(
    settings: Settings, inputs: tuple[Path, ...], rate: float | None, as_json: bool
) -> None:
    """Put order events from files on the orders topic.

    The files are sent one after the other, line by line as they are, each event keyed by its
    symbol, so that every symbol's events keep their order. A line without a readable symbol is sent
    without a key; the worker refuses it into the dead letters. A topic that is missing is made.
    """
    servers, security = settings.bootstrap_servers(), kafka_security(settings)
    check_access(settings)
    try:
        _ensure_topic(settings, security)
        with progress_bar() as bar:
            task = bar.add_task("produce", total=stored_bytes(inputs))
            produced = asyncio.run(
                put_on_topic(
                    inputs,
                    servers,
                    settings.orders_topic,
                    rate,
                    lambda read: bar.advance(task, read),
                    client=security,
                )
            )
    except (kafka.errors.KafkaError, KafkaError) as error:
        where = f"topic {settings.orders_topic} on {settings.brokers}"
        raise click.ClickException(f"{where}: {error}") from error
    except (TapeError, TopicError) as error:
        raise click.ClickException(str(error)) from error
    _report(produced, settings.orders_topic, as_json=as_json)


def _ensure_topic(settings: Settings, security: Mapping[str, Any]) -> None:
    specs = topic_specs(settings.topics, settings.partitions)
    orders = [spec for spec in specs if spec.name == settings.orders_topic]
    ensure_topics(
        settings.bootstrap_servers(),
        orders,
        replication=settings.replication_factor,
        client={"bootstrap_timeout_ms": CONNECT_MS, **security},
    )


def _report(produced: Produced, topic: str, *, as_json: bool) -> None:
    result = {
        "topic": topic,
        "events": produced.events,
        "unkeyed": produced.unkeyed,
        "seconds": round(produced.seconds, 3),
        "events_per_second": round(produced.events_per_second),
    }
    unkeyed = f", {produced.unkeyed:,} of them without a symbol" if produced.unkeyed else ""
    text = (
        f"{produced.events:,} events on topic {topic}{unkeyed} in {produced.seconds:.2f} s"
        f" ({produced.events_per_second:,.0f} events/s)"
    )
    show(result, text, as_json=as_json)
