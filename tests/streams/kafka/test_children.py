import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.kafka.children import Command, undisturbed
from tests.patience import wait_until

PARENT = """
import os, sys, time
from pathlib import Path
from streams.kafka.children import Command
with Command(["worker"], dict(os.environ), Path(sys.argv[1])) as child:
    print(child.pid, flush=True)
    time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_command_says_how_it_ended_and_its_last_words(tmp_path: Path) -> None:
    with Command(["doctor"], dict(os.environ), tmp_path / "log") as child:
        wait_until(lambda: child.exit_code is not None)
        assert child.exit_code == 1
    assert child.name == "roguekey doctor"
    assert "checks failed" in child.last_words()


def test_a_command_ends_with_its_block(tmp_path: Path) -> None:
    with Command(["worker"], dict(os.environ), tmp_path / "log") as child:
        assert is_alive(child.pid)
    assert not is_alive(child.pid)


def test_a_command_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603 - our own script
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not is_alive(child))


def test_a_signal_is_held_back_and_not_lost() -> None:
    passed = []

    def start() -> None:
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            passed.append("the child stands")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert passed
