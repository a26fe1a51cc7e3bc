"""Whether a worker lives and is ready, and its metrics, over HTTP in the worker's own event loop.

/live     200 as long as the event loop runs
/ready    200 when it does its work; 503 and why not, otherwise
/metrics  for Prometheus
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

from aiohttp import web

from streams.settings import ConfigError, Settings
from streams.watch.metrics import Metrics

NEIGHBOURS: Final = 100  # ports that are tried where none was asked for
CLOSE_S: Final = 1.0  # a reader may take so long to its end
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def listen(settings: Settings) -> socket.socket | None:
    """Take the port for health and metrics; None where they are not wanted.

    A port that was set must be free; without, workers on one machine take the next ones.

    Raises
    ------
    ConfigError
        If it cannot be taken.
    """
    first = settings.http_port
    if not first:
        return None
    is_set = "http_port" in settings.model_fields_set
    last = first if is_set else min(first + NEIGHBOURS - 1, 65535)
    for port in range(first, last + 1):
        try:
            return _bound(settings.http_host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                reason = (error.strerror or str(error)).partition(" (while")[0]
                raise ConfigError(
                    f"http_host is {settings.http_host!r} and http_port {port}; "
                    f"must be an address of this machine to listen on: {reason}"
                ) from error
    others = "" if is_set else f", as are all up to {last}"
    raise ConfigError(
        f"http_port is {first}; must be free on {settings.http_host}, or 0 for none: "
        f"somebody else has it{others}"
    )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def address_of(listening: socket.socket) -> str:
    """Give the address as a browser takes it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Health:
    """Answers on a port that is taken already; `not_ready` says why the worker is not."""

    def __init__(
        self, listening: socket.socket, metrics: Metrics, not_ready: Callable[[], str]
    ) -> None:
        self._listening = listening
        self._metrics = metrics
        self._not_ready = not_ready

    async def run(self) -> None:
        """Answer until cancelled."""
        application = web.Application()
        application.router.add_get("/live", self._live)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/metrics", self._tell_metrics)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listening).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _ready(self, _: web.Request) -> web.Response:
        if reason := self._not_ready():
            return web.json_response({"ready": False, "reason": reason}, status=503)
        return web.json_response({"ready": True})

    async def _tell_metrics(self, _: web.Request) -> web.Response:
        text = self._metrics.exposition()
        return web.Response(body=text, headers={"Content-Type": TEXT})
