"""`roguekey dashboard`: the risk team's screen."""

import socket
from contextlib import closing, suppress

import click

from streams.commands.options import log_at, with_settings
from streams.dashboard.screen import Screen
from streams.dashboard.server import Server
from streams.kafka.access import check_access
from streams.settings import ConfigError, Settings
from streams.signals import ended_by_sigterm

LIBRARIES = ("kafka", "aiokafka", "httpx", "httpcore", "uvicorn", "asyncio")


@click.command("dashboard")
@with_settings(
    "brokers",
    "dashboard_host",
    "dashboard_port",
    "dashboard_data",
    "dashboard_tokens",
    "dashboard_user_header",
    "model",
    "log_level",
)
def command(settings: Settings) -> None:
    """Serve the risk team's screen.

    It reads the topics of alerts, freezes, key lifecycle and dispositions into a read model of its
    own, which can be deleted at any time. On loopback whoever uses the machine is trusted; any
    other address needs tokens or a proxy that names the user. SIGTERM or Ctrl-C ends it.
    """
    check_access(settings)
    log_at(settings.log_level, silent=LIBRARIES)
    screen = Screen.of(settings)
    with closing(screen.model), suppress(KeyboardInterrupt), ended_by_sigterm():
        _must_be_free(settings)
        click.echo(f"dashboard at {address(settings)}")
        Server(screen).run()


def address(settings: Settings) -> str:
    """Give the address to open."""
    host = settings.dashboard_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.dashboard_port}"


def _must_be_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.dashboard_host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.dashboard_host, settings.dashboard_port))
        except OSError as error:
            where = f"{settings.dashboard_host}:{settings.dashboard_port}"
            raise ConfigError(f"dashboard cannot listen on {where}: {error.strerror}") from None
