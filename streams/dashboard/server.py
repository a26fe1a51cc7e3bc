"""The dashboard as a web application, and as a process that serves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from socket import socket

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from streams.dashboard import actions, api, freeze_requests
from streams.dashboard.pages import Headers, add_pages
from streams.dashboard.screen import Screen

GRACE_S = 3


def build(screen: Screen) -> FastAPI:
    """Give the application; its parts run while it does."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        screen.start()
        yield
        screen.stop()

    app = FastAPI(
        title="roguekey",
        version=version("roguekey"),
        summary="Leaked API keys, as the risk team sees them.",
        lifespan=running,
        openapi_url="/api/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere; /api is ours
        redoc_url=None,
    )
    app.state.screen = screen
    app.include_router(api.router)
    app.include_router(actions.router)
    app.include_router(freeze_requests.router)
    app.add_api_route("/healthz", _alive, include_in_schema=False)
    add_pages(app)
    app.add_middleware(Headers)
    return app


async def _alive() -> dict[str, str]:
    return {"status": "alive"}


class Server(uvicorn.Server):
    """A server whose streams end when it is told to."""

    def __init__(self, screen: Screen) -> None:
        settings = screen.settings
        self._bell = screen.bell
        super().__init__(
            uvicorn.Config(
                build(screen),
                host=settings.dashboard_host,
                port=settings.dashboard_port,
                log_config=None,
                access_log=False,  # addresses hold handles and ids: they stay out of logs
                server_header=False,
                proxy_headers=False,  # it would hide the peer; access.py reads what it needs
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    @override
    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._bell.close()
        await super().shutdown(sockets)
