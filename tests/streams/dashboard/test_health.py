import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from streams.dashboard import health
from streams.dashboard.health import behind, scrape, worker_state
from streams.dashboard.screen import Screen
from streams.settings import Settings
from tests.patience import PATIENCE_S, wait_until

METRICS = b"""# HELP roguekey_events_total Events.
# TYPE roguekey_events_total counter
roguekey_events_total{partition="0"} 12.0
# HELP python_info Platform.
# TYPE python_info gauge
python_info 1.0
"""


class Worker(BaseHTTPRequestHandler):
    """Answers with metrics or nonsense; `/together` once all that the gate awaits have come."""

    gate = threading.Barrier(1)

    def do_GET(self) -> None:
        if self.path.startswith("/together"):
            self.gate.wait(PATIENCE_S)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{{{ nonsense" if self.path == "/odd" else METRICS)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def worker() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Worker)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_worker_behind_one_name_is_asked() -> None:
    def two(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert (host, port) == ("workers", 8790)
        return [
            (socket.AF_INET, 1, 6, "", ("10.0.0.2", port)),
            (socket.AF_INET, 1, 6, "", ("10.0.0.1", port)),
            (socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0)),
        ]

    both = ["http://10.0.0.1:8790/metrics", "http://10.0.0.2:8790/metrics"]
    assert behind("http://workers:8790/metrics", two) == both
    assert behind("https://workers:8790/metrics", two) == ["https://workers:8790/metrics"]


@pytest.mark.parametrize(
    "address", ["http://localhost:1/metrics", "http://[::1]:1/metrics", "http://a..b/", "no:\nurl"]
)
def test_a_name_of_one_worker_or_of_none_is_asked_as_it_is(address: str) -> None:
    assert behind(address) == [address]


def test_a_workers_own_metrics_are_read(worker: str) -> None:
    told = scrape(f"{worker}/metrics")
    assert told["up"]
    assert [(m["name"], m["labels"], m["value"]) for m in told["metrics"]] == [
        ("roguekey_events_total", {"partition": "0"}, 12.0)
    ]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/metrics", "nonsense", "{worker}/odd"])
def test_a_worker_that_does_not_answer_well_is_said_to_be_down(worker: str, address: str) -> None:
    told = scrape(address.format(worker=worker))
    assert (told["up"], told["metrics"]) == (False, [])


def screen_of(folder: Path, stack: ExitStack, *workers: str) -> Screen:
    metrics = ",".join(workers)
    screen = Screen.of(
        Settings(brokers="127.0.0.1:9", dashboard_data=folder, dashboard_metrics=metrics)
    )
    stack.callback(screen.model.close)
    return screen


def page_of(screen: Screen) -> list[bool]:
    with screen.model.reading() as db:
        return [told["up"] for told in screen.health.page(db)["workers"]]


def test_workers_are_asked_side_by_side(
    worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "METRICS_S", PATIENCE_S)
    monkeypatch.setattr(Worker, "gate", threading.Barrier(8))
    with ExitStack() as stack:
        screen = screen_of(tmp_path, stack, *(f"{worker}/together/{n}" for n in range(8)))
        assert page_of(screen) == [True] * 8


def test_whoever_looks_while_another_asks_gets_the_last_answer(
    worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "METRICS_S", PATIENCE_S)
    monkeypatch.setattr(health, "FRESH_S", 0.0)
    with ExitStack() as stack:
        screen = screen_of(tmp_path, stack, f"{worker}/together")
        assert page_of(screen) == [True]
        gate = threading.Barrier(2)
        monkeypatch.setattr(Worker, "gate", gate)
        asking = threading.Thread(target=page_of, args=(screen,))
        asking.start()
        wait_until(lambda: gate.n_waiting == 1)
        assert page_of(screen) == [True]
        assert asking.is_alive()
        gate.wait(PATIENCE_S)
        asking.join()


UP, DOWN = {"up": True}, {"up": False}


@pytest.mark.parametrize(
    ("members", "workers", "state"),
    [
        (1, [UP, DOWN], "running"),
        (0, [UP], "running"),  # the group is being made
        (1, [], "running"),  # nobody said where its metrics are
        (2, [DOWN], "unseen"),
        (0, [DOWN], "none"),
        (None, [DOWN], "unknown"),
    ],
)
def test_what_is_known_of_the_workers_is_said_in_one_word(
    members: int | None, workers: list[dict[str, bool]], state: str
) -> None:
    groups = None if members is None else {"worker": {"members": members}}
    assert worker_state(groups, workers) == state
