"""A dashboard of its own process on an embedded broker, and a browser before it."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from models.alerts.envelope import Alert
from streams.kafka.broker import TOPIC_LIMITS, EmbeddedBroker, free_port
from streams.kafka.children import Command
from streams.settings import PREFIX, Settings
from streams.topics import ensure_topics, topic_specs
from tests.patience import PATIENCE_S, wait_until
from tests.streams.dashboard.samples import places

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SIGHT_MS: Final = 1000 * PATIENCE_S

expect.set_options(timeout=SIGHT_MS)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


class Stand:
    """The broker, the dashboard's process, and what a test does with them."""

    def __init__(self, folder: Path, stack: ExitStack, **settings: str) -> None:
        self.folder = folder
        self.broker = stack.enter_context(EmbeddedBroker())
        ensure_topics([self.broker.address], topic_specs(Settings().topics), limits=TOPIC_LIMITS)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.exchange = ""  # address of a mock exchange, where there is one
        ours = {
            "BROKERS": self.broker.address,
            "DASHBOARD_PORT": str(self.port),
            "DASHBOARD_DATA": str(folder / "data"),
            "DASHBOARD_METRICS": f"http://127.0.0.1:{free_port()}/metrics",  # another may be up
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        self.environment = others | {f"{PREFIX}{k}": v for k, v in (ours | settings).items()}
        self._stack = stack
        self._running: ExitStack | None = None
        self._producer: Any = None
        stack.callback(self._leave)
        self.start()

    def start(self) -> None:
        """Start the dashboard and wait until it serves."""
        self._running = ExitStack()
        log = self.folder / "dashboard.log"
        dashboard = self._running.enter_context(Command(["dashboard"], self.environment, log))
        wait_until(lambda: dashboard.exit_code is not None or self._serves())
        assert dashboard.exit_code is None, log.read_text()

    def stop(self) -> None:
        """End the dashboard."""
        if self._running:
            self._running.close()
        self._running = None

    def stop_broker(self) -> None:
        """End the broker, but not before our own producer, whose attempts would leave sockets."""
        self._close_producer()
        self.broker.stop()

    def put(self, *alerts: Alert) -> None:
        """Put alerts on their topic; returns when they lie there."""
        if self._producer is None:
            self._producer = KafkaProducer(bootstrap_servers=self.broker.address)
        for one in alerts:
            headers = [("roguekey-places", places(one))]
            sent = self._producer.send(
                "alerts", one.encode(), key=one.subject.encode(), headers=headers
            )
        sent.get(timeout=PATIENCE_S)

    def ask(self, path: str) -> Any:
        """Read from the API."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - ours
            return json.load(answer)

    def _serves(self) -> bool:
        try:
            return bool(self.ask("/healthz"))
        except OSError:
            return False

    def _leave(self) -> None:
        self.stop()
        self._close_producer()

    def _close_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=1)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Watched:
    """A page of which every error is remembered."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        view: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}
        self.context = browser.new_context(base_url=url, **(view | options))
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(SIGHT_MS)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    def _heard(self, message: ConsoleMessage) -> None:
        expected = (
            "ERR_CONNECTION_REFUSED" in message.text
            or "404" in message.text
            or "401" in message.text
        )
        expected |= "ERR_INCOMPLETE_CHUNKED" in message.text or "ERR_EMPTY" in message.text
        if message.type == "error" and not expected:
            self.errors.append(message.text)

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.errors == []
