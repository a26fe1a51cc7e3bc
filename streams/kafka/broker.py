"""The embedded broker: a Kafka-compatible process of our own for the demo and the quick tests.

It serves ONE worker: a group member that went away is never evicted, so restart the broker before
another worker joins. Anything with a Kafka address works in its place; nothing else knows of it.
"""

import socket
import subprocess
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

from streams.kafka.children import end, start

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 15.0
STOP_SECONDS: Final = 5.0

# The broker holds everything in memory and sends a partition's whole backlog at once, so its topics
# keep little: `streams.topics.ensure_topics` takes these on top of what a topic asks for.
TOPIC_LIMITS: Final = {"retention.ms": "3600000", "segment.bytes": "16777216"}


class BrokerError(RuntimeError):
    """The embedded broker did not start."""


class EmbeddedBroker:
    """A broker on a free loopback port, its data in `data_dir` or in a folder that goes with it.

    It ends with this process, also when that is killed; Ctrl-C does not reach it, so that workers
    can still finish against it.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="roguekey-broker-") if not data_dir else None
        self.data_dir = Path(self._own.name) if self._own else Path(data_dir or ".")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`host:port`, as Kafka clients take it."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Start the broker and wait until it serves; `BrokerError` when it does not."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [str(binary()), "start", "--data-dir", str(self.data_dir), "--host", HOST]
        command += ["--only", "kafka", "--kafka-port", str(self.port)]
        own = self._own.name if self._own else ""
        self._process, self._guard = start(command, self._log, own)
        self._wait_until_it_serves(self._process)
        return self

    def stop(self) -> None:
        """End the broker after it has saved its data; harmless when it does not run."""
        for process in (self._guard, self._process):
            if process:
                end(process, STOP_SECONDS)
        self._process = self._guard = None

    def restart(self) -> None:
        """Stop and start at the same address with the same data: old group members are gone."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if self._own:
            self._own.cleanup()

    @property
    def _log(self) -> Path:
        return self.data_dir / "broker.log"

    def _wait_until_it_serves(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            # Its own word first: somebody else may have taken the port.
            if self.address in self._log.read_text(errors="replace") and _serves(self.port):
                return
            time.sleep(0.01)
        self.stop()
        said = self._log.read_text(errors="replace").strip().splitlines()[-3:]
        raise BrokerError(
            f"the embedded broker did not start at {self.address}: {' | '.join(said)}"
        )


def binary() -> Path:
    """Path of the real binary: the console script of the package would not pass signals on."""
    return Path(str(files("noida_db"))) / "noida-db"


def free_port() -> int:
    """Find a loopback TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _serves(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
