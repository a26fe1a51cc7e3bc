"""A client of the dashboard's application, without a server between them."""

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from streams.dashboard.screen import Screen
from streams.dashboard.server import build

if TYPE_CHECKING:
    from fastapi import FastAPI


class Client:
    """Sends requests one by one, and keeps cookies; the parts of the dashboard do not run."""

    def __init__(self, screen: Screen) -> None:
        self._app: FastAPI = build(screen)
        self._cookies = httpx.Cookies()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._send("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._send("POST", path, **options)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("127.0.0.1", 5000))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8780", cookies=self._cookies
            ) as client:
                answer = await client.request(method, path, **options)
                self._cookies = client.cookies
                return answer

        return asyncio.run(send())
