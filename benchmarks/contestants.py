"""Who runs in the race from topic to alert, and how each is started and measured."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from threading import Timer
from typing import Final

from benchmarks.own_worker import own_worker
from benchmarks.stand import Stand

PATIENCE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a number of events took."""

    events: int
    wall_s: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Events per second, topic to alert."""
        return self.events / self.wall_s

    @property
    def us(self) -> float:
        """CPU time per event, µs."""
        return 1e6 * self.cpu_s / self.events


@dataclass(frozen=True, slots=True)
class Peer:
    """A program in benchmarks.peers: by its framework, with events enough for some seconds.

    A fifth as many come before those, and are not counted; all must be on the topic.
    """

    name: str
    module: str
    needs: tuple[str, ...]  # packages
    events: int

    def run(self, stand: Stand, history: Path, number: int, share: float) -> Cost:
        """Let it work through its events."""
        events = int(self.events * share)
        task = {"name": f"{self.module.replace('_', '-')}-{number}", "history": history}
        task |= {"partitions": stand.partitions, "warm": events // 5, "events": events}
        command = [sys.executable, "-m", f"benchmarks.peers.{self.module}", stand.address]
        command += [part for flag, value in task.items() for part in (f"--{flag}", str(value))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            impatience = Timer(PATIENCE_S, process.kill)
            impatience.start()
            try:
                return Cost(**json.loads(_answer(process)))
            finally:
                impatience.cancel()
                process.kill()


PEERS: Final = (
    Peer("Faust, stock", "faust_agents", ("faust-streaming", "orjson"), 6_000),
    Peer("Quix Streams", "quix", ("quixstreams", "orjson"), 12_000),
    Peer("Bytewax", "bytewax_flow", ("bytewax", "orjson"), 60_000),
    Peer("confluent-kafka loop", "confluent_loop", ("confluent-kafka", "orjson"), 100_000),
    Peer("floor: aiokafka alone", "floor", ("aiokafka",), 360_000),
)
OWN_EVENTS: Final = 450_000


def installed(tell: Callable[[str], None]) -> Iterator[Peer]:
    """Give the peers whose packages are installed; tells of the others."""
    for peer in PEERS:
        try:
            for package in peer.needs:
                distribution(package)
        except PackageNotFoundError as error:
            tell(f"{peer.name} is left out: {error.name} is not installed")
        else:
            yield peer


def run_own(stand: Stand, model: Path, number: int, share: float, core: int | None = None) -> Cost:
    """Let our worker work through its events, to the last that came of them."""
    events = int(OWN_EVENTS * share)
    with own_worker(stand.address, model, stand.partitions, f"own-{number}", core) as worker:
        first = worker.begin(events)
        last = worker.wait_for(events, until_done=True)
    return Cost(last.events - first.events, last.at - first.at, last.cpu_s - first.cpu_s)


def _answer(process: "subprocess.Popen[str]") -> str:
    """Wait for the JSON object that a peer prints; frameworks print other lines, too."""
    for line in process.stdout or ():
        if line.startswith("{"):
            return line
    raise RuntimeError(f"a peer ended with {process.wait()} before its events")
