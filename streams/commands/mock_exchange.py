"""`roguekey mock-exchange`: an exchange to try the freeze hook on."""

import secrets
import threading
from base64 import b64encode
from pathlib import Path

import click

from streams.commands.options import OUTPUT_FILE
from streams.exchange.mock import MockExchange, MockServer
from streams.signals import told_to_end

SECRET_BYTES = 32


@click.command("mock-exchange")
@click.option(
    "--secret-file",
    type=OUTPUT_FILE,
    required=True,
    metavar="FILE",
    help="Secret that calls are signed with; made where it is missing.",
)
@click.option(
    "--state",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="SQLite file of its state.  [default: in memory]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Loopback port.  [default: any that is free]",
)
def command(secret_file: Path, state: Path | None, port: int) -> None:
    """Run a mock exchange, to try the freeze hook on.

    It keeps the state of keys and accounts, and shows it under /mock/state. What is posted to
    /mock/faults, a JSON list, makes it fail. Its address is the first line on stdout.
    """
    if not secret_file.exists():
        secret_file.touch(mode=0o600)
        secret_file.write_text(f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}\n")
    ended = threading.Event()
    with told_to_end(lambda _: ended.set()):
        exchange = MockExchange(secret_file.read_text("utf-8").strip(), state)
        with MockServer(exchange, port) as server:
            click.echo(server.url)
            ended.wait()
        exchange.close()
