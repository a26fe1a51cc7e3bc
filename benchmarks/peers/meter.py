"""What a peer is told, and how it says what its events took."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

ORDERS = "orders"
ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class Task:
    """What a peer is told on its command line."""

    address: str  # of the broker, host:port
    name: str  # its consumer group, and the beginning of its topics
    history: Path  # orders to train on
    partitions: int  # of the orders
    warm: int  # events that do not count
    events: int  # that do

    @classmethod
    def given(cls) -> "Task":
        """Read it."""
        parser = argparse.ArgumentParser()
        parser.add_argument("address")
        parser.add_argument("--name", required=True)
        parser.add_argument("--history", type=Path, required=True)
        for number in ("partitions", "warm", "events"):
            parser.add_argument(f"--{number}", type=int, required=True)
        return cls(**vars(parser.parse_args()))


class Meter:
    """Counts events, and prints as JSON what they took once all are through.

    CPU time is that of the whole process, the threads of its libraries too.
    """

    def __init__(self, task: Task) -> None:
        self._warm, self._all = task.warm, task.warm + task.events
        self._count = 0
        self._began: tuple[int, float, float] | None = None

    def add(self, events: int = 1) -> bool:
        """Count events that are through; whether all are."""
        before, self._count = self._count, self._count + events
        if self._began is None and self._count >= self._warm:
            self._began = self._count, time.monotonic(), time.process_time()
        if before < self._all <= self._count and self._began is not None:
            count, wall, cpu = self._began
            took = {
                "events": self._count - count,
                "wall_s": time.monotonic() - wall,
                "cpu_s": time.process_time() - cpu,
            }
            print(json.dumps(took), flush=True)
        return self._count >= self._all
