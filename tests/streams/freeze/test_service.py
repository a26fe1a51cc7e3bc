import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.exchange.mock import Fault
from streams.freeze.actions import Act, Outcome, Rule
from streams.freeze.assembly import assembled
from streams.freeze.outbox import OutboxError
from streams.freeze.requests import Ask, Desk, new_request
from streams.freeze.service import Service
from streams.kafka.broker import EmbeddedBroker
from streams.settings import ConfigError, Settings
from tests.patience import PATIENCE_S
from tests.streams.freeze.kafka_stand import entries, exchange, put, settings_for
from tests.streams.freeze.stand import leak


@pytest.fixture
def broker() -> Iterator[str]:
    with EmbeddedBroker() as started:
        yield started.address


@pytest.fixture
def stand(broker: str, tmp_path: Path) -> Iterator[tuple[Settings, Callable[[], dict[str, str]]]]:
    """Settings of a hook in auto mode, and the keys as the exchange has them."""
    with exchange() as (mock, url):
        yield settings_for(broker, url, tmp_path, mode="auto"), lambda: mock.state()["keys"]


def now(number: int, key: str) -> bytes:
    return leak(number, key, event_ts=now_ms())


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """A hook that serves in a thread of its own."""
    started = queue.Queue[Service]()

    def serve() -> None:
        with assembled(settings) as service:
            started.put(service)
            service.run()

    thread = threading.Thread(target=serve)
    thread.start()
    service = started.get(timeout=PATIENCE_S)
    try:
        yield
    finally:
        service.stop()
        thread.join()


def once(settings: Settings) -> None:
    with assembled(settings) as service:
        service.run(once=True)


def test_what_lies_on_the_topic_is_dealt_with_once_over_restarts(
    broker: str, stand: tuple[Settings, Callable[[], dict[str, str]]]
) -> None:
    settings, keys = stand
    once(settings)
    put(broker, [now(1, "a"), b"{", leak(2, "old", event_ts=1), now(3, "b"), now(3, "b")])
    once(settings)
    once(settings)
    assert keys() == {"a": "frozen", "b": "frozen"}
    told = entries(broker)
    assert [entry.seq for entry in told] == list(range(1, 7))
    assert {entry.rule for entry in told if entry.outcome == Outcome.REFUSED} == {
        Rule.MALFORMED,
        Rule.EVENT_AGE,
    }


def test_once_means_until_the_exchange_has_answered(broker: str, tmp_path: Path) -> None:
    with exchange() as (mock, url):
        settings = settings_for(broker, url, tmp_path, mode="auto", calls={"retry_at_s": [0, 0.3]})
        once(settings)
        mock.faults = [Fault("status", status=503)]
        put(broker, [now(1, "a")])
        once(settings)
        assert mock.state()["keys"] == {"a": "frozen"}


def test_a_lost_outbox_is_rebuilt_from_the_topic_and_the_chain_goes_on(
    broker: str, stand: tuple[Settings, Callable[[], dict[str, str]]]
) -> None:
    settings, keys = stand
    once(settings)
    put(broker, [now(1, "a")])
    once(settings)
    for file in settings.freeze_folder.iterdir():
        file.unlink()
    put(broker, [now(2, "a"), now(3, "b")])
    once(settings)
    told = entries(broker)
    assert [entry.seq for entry in told] == [1, 2, 3, 4, 5]
    assert told[2].rule == Rule.OPEN_CASE
    assert keys() == {"a": "frozen", "b": "frozen"}


def test_a_second_hook_elsewhere_is_found_out_when_it_writes(
    broker: str, stand: tuple[Settings, Callable[[], dict[str, str]]], tmp_path: Path
) -> None:
    settings, _ = stand
    other = settings.model_copy(update={"freeze_folder": tmp_path / "other", "app_id": "other"})
    once(settings)
    with assembled(other) as elsewhere:
        put(broker, [now(1, "a"), now(2, "b")])
        once(settings)
        with pytest.raises(OutboxError, match="freeze audit verify"):
            elsewhere.run()


def test_people_are_answered_by_the_hook(
    broker: str, stand: tuple[Settings, Callable[[], dict[str, str]]]
) -> None:
    settings, keys = stand
    with running(settings):
        put(broker, [now(1, "a")])
        with Desk([broker], Settings().topics) as desk:
            answer = None
            while answer is None or answer.rule == Rule.NO_CASE:  # not yet frozen
                request = new_request(Ask.UNFREEZE, who="eva", reason="r", subject="a")
                answer = desk.ask(request, 10)
            assert answer.outcome == Outcome.INTENDED
            stopped = desk.ask(new_request(Ask.STOP, who="eva", reason="r"), 10)
            assert stopped is not None
            assert stopped.outcome == Outcome.ON
    assert keys() == {"a": "active"}


def decided(broker: str) -> int:
    """Freezes that are done or given up."""
    ends = Outcome.DONE, Outcome.CANCELLED
    return sum(e.act == Act.FREEZE_KEY and e.outcome in ends for e in entries(broker))


@pytest.mark.slow
@pytest.mark.parametrize("by_message", [False, True])
def test_within_a_second_of_the_kill_switch_nobody_is_frozen_any_more(
    by_message: bool, broker: str, tmp_path: Path
) -> None:
    many = dict.fromkeys(("per_minute", "per_hour", "per_day"), 9999)
    with exchange() as (mock, url):
        settings = settings_for(broker, url, tmp_path, mode="auto", budget=many)
        once(settings)
        mock.faults = [Fault("slow", delay_s=0.1, count=-1)]
        put(broker, [leak(n, f"k{n}", event_ts=now_ms(), app=f"p{n}") for n in range(400)])
        with running(settings):
            while len(mock.state()["effects"]) < 8:
                time.sleep(0.01)
            if by_message:
                request = new_request(Ask.STOP, who="eva", reason="r").encode()
                put(broker, [request], "roguekey.freeze.requests")
            else:
                (settings.freeze_folder / "STOP").touch()
            stopped = time.time()
            while decided(broker) < 400:
                time.sleep(0.05)
        effects = mock.state()["effects"]
    assert max(effect["ts"] for effect in effects) < stopped + 1
    assert len(effects) < 100
    assert decided(broker) == 400
    told = entries(broker)
    assert [entry.outcome for entry in told if entry.act == Act.KILL_SWITCH] == [Outcome.ON]


def test_two_hooks_never_share_a_folder(
    stand: tuple[Settings, Callable[[], dict[str, str]]],
) -> None:
    settings, _ = stand
    with (
        assembled(settings),
        pytest.raises(OutboxError, match="another freeze hook"),
        assembled(settings),
    ):
        pass


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exchange_url": ""}, "exchange_url is not set"),
        ({"exchange_secret_file": ""}, "exchange_secret_file is not set"),
        ({"exchange_secret_file": "/nowhere"}, "exchange_secret_file: file /nowhere cannot be"),
        ({"freeze_policy": "/nowhere"}, "freeze_policy: policy /nowhere cannot be read"),
        ({"brokers": ""}, "brokers is not set"),
    ],
)
def test_a_setting_that_is_wrong_is_named_before_anything_runs(
    changes: dict[str, str], words: str, tmp_path: Path
) -> None:
    settings = settings_for("127.0.0.1:9", "http://x", tmp_path, mode="auto")
    with (
        pytest.raises(ConfigError, match=words),
        assembled(settings.model_copy(update=changes)),
    ):
        pass
