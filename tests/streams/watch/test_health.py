import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing

import httpx
import pytest

from streams.settings import ConfigError, Settings
from streams.watch.health import Health, address_of, listen
from streams.watch.metrics import Metrics
from streams.watch.watchdog import Progress


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def asked(not_ready: str, ask: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Run a server while somebody asks it."""

    async def scenario() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        health = Health(listening, Metrics(Progress()), lambda: not_ready)
        serving = asyncio.create_task(health.run())
        async with httpx.AsyncClient(base_url=address_of(listening), trust_env=False) as client:
            await ask(client)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(scenario())


def test_it_lives_and_says_whether_it_is_ready() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/live")).json() == {"live": True}
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()) == (200, {"ready": True})

    asked("", ask)


def test_one_that_is_not_ready_lives_and_says_why() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/live")).status_code == 200
        ready = await client.get("/ready")
        assert ready.status_code == 503
        assert ready.json() == {"ready": False, "reason": "not recovered: wait"}

    asked("not recovered: wait", ask)


def test_metrics_are_text_for_prometheus_and_all_else_is_not_found() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        metrics = await client.get("/metrics")
        assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "\nroguekey_events_total 0.0\n" in metrics.text
        assert (await client.get("/")).status_code == 404
        assert (await client.post("/live")).status_code == 405

    asked("", ask)


def test_port_0_is_no_port() -> None:
    assert listen(Settings(http_port=0)) is None


def test_a_port_that_was_set_and_is_taken_is_refused_by_field_value_and_rule(taken: int) -> None:
    with pytest.raises(ConfigError) as caught:
        listen(Settings(http_port=taken))
    assert str(caught.value) == (
        f"http_port is {taken}; must be free on 127.0.0.1, or 0 for none: somebody else has it"
    )


def test_workers_of_one_machine_take_the_next_ports_where_none_was_set() -> None:
    first, second = listen(Settings()), listen(Settings())
    assert first is not None
    assert second is not None
    with closing(first), closing(second):
        ports = [listening.getsockname()[1] for listening in (first, second)]
    assert 8790 <= ports[0] < ports[1] < 8890


def test_a_host_that_is_not_of_this_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"http_host is '192\.0\.2\.1' and http_port 8790; must"):
        listen(Settings(http_host="192.0.2.1"))  # an address that nobody has (RFC 5737)


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    listening = listen(Settings())
    assert listening is not None
    with closing(listening):
        assert address_of(listening).startswith("http://127.0.0.1:")
