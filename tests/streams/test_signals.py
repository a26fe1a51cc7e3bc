import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from streams.cli import SERVICES
from streams.signals import GRACE_S, ended_by_sigterm, told_to_end, was_told
from tests.patience import PATIENCE_S

PROGRAM = "from streams.cli import main; main()"
LOST = """
import time
from streams import signals

signals.GRACE_S = 0.1

class Deaf:
    def __del__(self):
        signals.signal.raise_signal(signals.signal.SIGTERM)

with signals.ended_by_sigterm():
    Deaf()
    print("told", flush=True)
    time.sleep(60)
"""


def catches_sigterm(pid: int) -> bool:
    """Whether a process has a handler of its own."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_what_runs_is_left_with_exit_code_0_and_what_held_before_holds_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as told, ended_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert told.value.code == 0
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_to_be_called_is_called_instead_as_long_as_it_holds(number: signal.Signals) -> None:
    before, told = signal.getsignal(number), threading.Event()
    with told_to_end(lambda _: told.set()):
        signal.raise_signal(number)
        assert told.is_set()
    assert signal.getsignal(number) == before


def test_an_end_that_was_dropped_is_remembered_as_long_as_it_would_hold() -> None:
    with ended_by_sigterm():
        assert not was_told()
        with suppress(SystemExit):  # as a finalizer would
            signal.raise_signal(signal.SIGTERM)
        assert was_told()
    assert not was_told()


def test_an_end_that_python_drops_in_a_finalizer_is_enforced() -> None:
    assert GRACE_S < 10.0
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", LOST],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "told\n")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into /proc")
@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_ends_with_0_from_before_it_loads_anything_large(service: str) -> None:
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and a name of ours
        [sys.executable, "-c", PROGRAM, service],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not catches_sigterm(process.pid):
        os.sched_yield()
    assert "numpy" not in Path(f"/proc/{process.pid}/maps").read_text("utf-8")
    process.terminate()
    assert process.wait(timeout=PATIENCE_S) == 0
