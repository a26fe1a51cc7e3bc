"""Processes of our own that end with this one, however it ends."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from streams.signals import told_to_end

STOP_SECONDS: Final = 12.0  # a worker gives up by itself after ten

# Outlives the parent to see its end of the pipe close, however the parent died; then ends the
# child ($1) and removes the folder that was only its own ($2).
GUARD: Final = """
read _
kill -TERM "$1"
tries=50
while kill -0 "$1" 2>/dev/null && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
rm -rf -- "$2"
"""


def guard(pid: int, folder: str = "") -> subprocess.Popen[bytes]:
    """Start the shell that cleans up when this process is gone."""
    return subprocess.Popen(  # noqa: S603 - a fixed script
        ["/bin/sh", "-c", GUARD, "sh", str(pid), folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Tell a process to end, kill it when it has not after some seconds, and give its exit code."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()
    return process.returncode


def start(
    command: Sequence[str],
    log: Path,
    folder: str = "",
    environment: Mapping[str, str] | None = None,
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """Start a process and its guard; `folder`, where one is given, goes with it.

    What it says goes to `log`. Ctrl-C does not reach it. Without an environment it has ours.
    """
    with log.open("wb") as said, undisturbed():
        process = subprocess.Popen(  # noqa: S603 - programs of our own choice, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        return process, guard(process.pid, folder)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back for the moment between a child's start and its guard's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    try:
        with told_to_end(held.append):
            yield
    finally:
        for told in held:
            signal.raise_signal(told)


class Command:
    """A `roguekey` command as a process of its own, while the block runs.

    What it says goes to `log`. Ctrl-C does not reach it; it is told to end when the block ends.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = f"roguekey {arguments[0]}"
        self.log = log
        self._arguments = arguments
        self._environment = environment

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs."""
        return self._process.poll()

    def last_words(self) -> str:
        """Give the last line that it said."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def __enter__(self) -> Self:
        program = "from streams.cli import main; main()"
        command = [sys.executable, "-c", program, *self._arguments]
        self._process, self._guard = start(command, self.log, environment=dict(self._environment))
        return self

    def __exit__(self, *exception: object) -> None:
        end(self._guard, STOP_SECONDS)
        end(self._process, STOP_SECONDS)
