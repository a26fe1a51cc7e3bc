"""The demo's dashboard: a process of its own beside all the others, open as long as they run."""

import os
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from streams.kafka.broker import HOST, free_port
from streams.kafka.children import Command
from streams.settings import PREFIX, Settings

LOOK_S: Final = 0.1
STAY_VARIABLE: Final = "DEMO_STAY"


class DemoScreenError(Exception):
    """The dashboard did not come up."""


class DemoScreen:
    """A dashboard while the block runs; its usual port where that is free, else another."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], folder: Path, patience_s: float
    ) -> None:
        self.port = settings.dashboard_port if _is_free(settings.dashboard_port) else free_port()
        self.address = f"http://{HOST}:{self.port}"
        self._patience_s = patience_s
        self._data = folder / "dashboard"
        ours = {
            "DASHBOARD_HOST": HOST,
            "DASHBOARD_PORT": str(self.port),
            "DASHBOARD_DATA": str(self._data),
            "DASHBOARD_TOKENS": "",
            "FREEZE_POLICY": str(folder / "freeze" / "policy.toml"),  # that of the demo's hook
        }
        self._command = Command(
            ["dashboard"],
            {**environment, **{f"{PREFIX}{name}": text for name, text in ours.items()}},
            folder / "dashboard.log",
        )

    def wait(self) -> None:
        """Wait until it serves; `DemoScreenError` when it does not."""
        deadline = time.monotonic() + self._patience_s
        while _is_free(self.port):
            if self._command.exit_code is not None:
                raise DemoScreenError(f"{self._command.name}: {self._command.last_words()}")
            if time.monotonic() > deadline:
                raise DemoScreenError(f"{self._command.name} is not ready")
            time.sleep(LOOK_S)

    def __enter__(self) -> Self:
        shutil.rmtree(self._data, ignore_errors=True)  # of a demo before
        self._command.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._command.__exit__(*exception)


def stays() -> bool:
    """Whether the demo is to stay until Ctrl-C."""
    return os.environ.get(STAY_VARIABLE, "") not in {"", "0"}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0
