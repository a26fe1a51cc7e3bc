import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.kafka.broker import BrokerError, EmbeddedBroker
from streams.topics import TopicSpec, ensure_topics
from tests.patience import PATIENCE_S, wait_until

PARENT = """
import signal, socket, sys
from streams.kafka.broker import EmbeddedBroker
with EmbeddedBroker() as broker:
    try:
        print(broker.port, broker.data_dir, flush=True)
        signal.pause()
    except KeyboardInterrupt:
        with socket.create_connection(("127.0.0.1", broker.port)):
            print("still served", flush=True)
"""


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    yield process
    process.kill()
    process.communicate()


def broker_of(parent: subprocess.Popen[str]) -> tuple[int, Path]:
    assert parent.stdout
    port, folder = parent.stdout.readline().split()
    return int(port), Path(folder)


def test_it_serves_until_it_is_stopped_and_leaves_nothing_behind() -> None:
    with EmbeddedBroker() as broker:
        assert accepts(broker.port)
        assert broker.address == f"127.0.0.1:{broker.port}"
        assert broker.data_dir.is_dir()
    assert not accepts(broker.port)
    assert broker.pid is None
    assert not broker.data_dir.exists()


def test_a_given_folder_keeps_the_data_for_the_next_start(tmp_path: Path) -> None:
    spec = TopicSpec("orders", 3, "", "")
    with EmbeddedBroker(tmp_path) as broker:
        assert ensure_topics([broker.address], [spec]) == ["orders"]
    with EmbeddedBroker(tmp_path) as broker:
        assert ensure_topics([broker.address], [spec]) == []


def test_a_restart_keeps_address_and_data(broker: EmbeddedBroker) -> None:
    spec = TopicSpec("orders", 3, "", "")
    ensure_topics([broker.address], [spec])
    address, before = broker.address, broker.pid
    broker.restart()
    assert broker.address == address
    assert broker.pid != before
    assert ensure_topics([address], [spec]) == []


def test_a_port_that_is_taken_is_reported_with_the_address(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", broker.port))
        other.listen()
        with pytest.raises(BrokerError, match=broker.address):
            broker.start()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_parent_and_its_folder_goes_too(
    parent: subprocess.Popen[str], number: signal.Signals
) -> None:
    port, folder = broker_of(parent)
    assert accepts(port)
    assert folder.is_dir()
    parent.send_signal(number)
    wait_until(lambda: not accepts(port) and not folder.exists())
    assert parent.wait(PATIENCE_S) == -number


def test_ctrl_c_leaves_it_to_the_parent_to_stop_it(parent: subprocess.Popen[str]) -> None:
    port, folder = broker_of(parent)
    os.killpg(parent.pid, signal.SIGINT)
    output, _ = parent.communicate(timeout=PATIENCE_S)
    assert output.strip() == "still served"
    assert parent.returncode == 0
    assert not accepts(port)
    assert not folder.exists()
