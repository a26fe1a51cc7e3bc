"""Our worker as anybody starts it, watched from outside: what its own metrics tell."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError

from streams.kafka.broker import HOST, free_port

POLL_S: Final = 0.2
BEGUN: Final = 0.05  # share of the events that come before the clock starts
PATIENCE_S: Final = 300.0
_SERIES: Final = re.compile(r"^roguekey_(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the worker said of itself at one moment."""

    at: float  # monotonic clock, s
    events: int  # orders read
    waiting: int  # records of any topic not worked through yet
    cpu_s: float
    resident_bytes: int


class OwnWorker:
    """A worker process, and its answers."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process = process
        self._url = f"http://{HOST}:{port}/metrics"
        self.peak_bytes = 0  # the most that it was seen to hold

    def sample(self) -> Sample | None:
        """Ask; None before it answers."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self._process.returncode}")
        try:
            with urllib.request.urlopen(self._url, timeout=30) as answer:  # noqa: S310 - ours
                text = answer.read().decode()
        except (URLError, OSError):
            return None
        found: dict[str, float] = {}
        for name, _, value in _SERIES.findall(text):
            found[name] = found.get(name, 0.0) + float(value)
        resident = int(found.get("process_resident_memory_bytes", 0))
        self.peak_bytes = max(self.peak_bytes, resident)
        return Sample(
            time.monotonic(),
            int(found.get("events_total", 0)),
            int(found.get("consumer_lag", 0)),
            found.get("process_cpu_seconds_total", 0.0),
            resident,
        )

    def begin(self, events: int) -> Sample:
        """Wait until it reads at speed: its state is here, and a few of the events were read.

        Gives the first look at that, or the one before if it came late, with half of them read.
        """
        before = sample = self.wait_for(0)
        deadline = time.monotonic() + PATIENCE_S
        while sample.events < BEGUN * events:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the worker read {sample.events} events in {PATIENCE_S:g} s")
            time.sleep(POLL_S)
            before, sample = sample, self.wait_for(0)
        return sample if 2 * sample.events <= events else before

    def wait_for(self, events: int, *, until_done: bool = False) -> Sample:
        """Wait until so many orders were read, and all that came of them worked through."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            sample = self.sample()
            if sample and sample.events >= events and not (until_done and sample.waiting):
                return sample
            time.sleep(POLL_S)
        raise TimeoutError(f"the worker did not read {events} events in {PATIENCE_S:g} s")


@contextmanager
def own_worker(
    address: str, model: Path, partitions: int, name: str, core: int | None = None
) -> Iterator[OwnWorker]:
    """Run a worker with default settings, in a group and with inner topics of its own.

    It stays on a `core`, where one is given.
    """
    port = free_port()
    names = {"ROGUEKEY_KEYS_TOPIC": f"{name}.keys", "ROGUEKEY_SUSPECTS_TOPIC": f"{name}.suspects"}
    flags = {"brokers": address, "model": model, "partitions": partitions, "app-id": name}
    flags["http-port"] = port
    command = [str(Path(sys.executable).with_name("roguekey")), "worker"]
    command += [part for flag, value in flags.items() for part in (f"--{flag}", str(value))]
    process = subprocess.Popen(command, env={**os.environ, **names}, stderr=subprocess.DEVNULL)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})  # before it has threads
        yield OwnWorker(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
