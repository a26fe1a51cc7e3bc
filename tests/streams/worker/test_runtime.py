import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from operator import attrgetter, methodcaller
from pathlib import Path

import faust
import pytest
import trustme
from faust.auth import SASLCredentials, SSLCredentials
from faust.types import StreamT
from faust.types.enums import ProcessingGuarantee
from kafka import codec

from streams.kafka.broker import EmbeddedBroker, free_port
from streams.settings import Settings, load_settings
from streams.signals import ended_by_sigterm
from streams.watch.watchdog import EXIT_HUNG
from streams.worker.runs import Run
from streams.worker.runtime import (
    EXIT_FAILED,
    build_app,
    faust_credentials,
    run_worker,
)
from streams.worker.transport import coalesced_topic
from tests.patience import PATIENCE_S
from tests.streams.conftest import Committed, Produce

WORKER = """
import logging, os, signal, sys, time
from streams.worker.runtime import build_app, run_worker
from streams.worker.transport import coalesced_topic

logging.basicConfig(level=logging.CRITICAL)
app = build_app([sys.argv[1]])

@app.agent(coalesced_topic(app, "orders"))
async def tell(stream):
    async for run in stream:
        os.kill(os.getpid(), signal.SIGTERM)

@app.on_before_shutdown.connect
async def hang(*args, **kwargs):
    time.sleep(float(sys.argv[2]))

sys.exit(run_worker(app, stop_seconds=1))
"""


def with_agent(app: faust.App, act: Callable[[Run], None]) -> faust.App:
    @app.agent(coalesced_topic(app, "orders", max_records=10))
    async def agent(stream: StreamT[Run]) -> None:
        async for run in stream:
            act(run)

    return app


def run_process(address: str, hang: float) -> subprocess.CompletedProcess[str]:
    """A worker that stops at its first run, and hangs for so many seconds then."""
    command = [sys.executable, "-c", WORKER, address, str(hang)]
    return subprocess.run(  # noqa: S603 - our own script
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_the_configuration_is_the_safe_one() -> None:
    conf = build_app(["127.0.0.1:9092", "127.0.0.2:9093"]).conf
    assert [str(url) for url in conf.broker] == [
        "coalesced://127.0.0.1:9092",
        "coalesced://127.0.0.2:9093",
    ]
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert conf.topic_disable_leader
    assert str(conf.processing_guarantee) == str(ProcessingGuarantee.AT_LEAST_ONCE)
    assert not attrgetter("autodiscover")(conf)  # whose annotation in Faust is a method's
    assert conf.key_serializer == conf.value_serializer == "raw"


def test_it_writes_what_kafka_python_reads_without_further_packages() -> None:
    written = build_app(["127.0.0.1:9092"]).conf.producer_compression_type
    assert methodcaller(f"has_{written}")(codec)


def test_further_settings_go_to_faust() -> None:
    conf = build_app(["127.0.0.1:9092"], offset_reset="latest", broker_client_id="w1").conf
    assert conf.consumer_auto_offset_reset == "latest"
    assert conf.broker_client_id == "w1"


def test_credentials_go_to_faust_in_its_own_terms(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    assert faust_credentials(Settings()) is None
    tls = Settings(security_protocol="SSL", ssl_cafile=authority)
    assert isinstance(faust_credentials(tls), SSLCredentials)
    user = {"sasl_username": "desk", "sasl_password": "correct-horse", "ssl_cafile": str(authority)}
    credentials = faust_credentials(load_settings({"security_protocol": "SASL_SSL", **user}))
    assert isinstance(credentials, SASLCredentials)
    assert (credentials.protocol.value, credentials.mechanism.value) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
    )
    assert (credentials.username, credentials.password) == ("desk", "correct-horse")
    assert "correct-horse" not in repr(credentials)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_stops_it_cleanly(
    broker: EmbeddedBroker,
    orders: str,
    produce: Produce,
    committed: Committed,
    number: signal.Signals,
) -> None:
    produce(orders, 0, [b"a", b"b"])

    def tell(_: Run) -> None:
        os.kill(os.getpid(), number)

    assert run_worker(with_agent(build_app([broker.address]), tell)) == 0
    assert committed() == {0: 2}


def test_a_sigterm_that_was_dropped_before_the_worker_ran_is_heeded(
    broker: EmbeddedBroker,
) -> None:
    with ended_by_sigterm():
        with contextlib.suppress(SystemExit):  # as a finalizer would
            signal.raise_signal(signal.SIGTERM)
        assert run_worker(with_agent(build_app([broker.address]), lambda _: None)) == 0


def test_an_error_in_an_agent_ends_the_worker_and_commits_nothing_of_it(
    broker: EmbeddedBroker,
    orders: str,
    produce: Produce,
    committed: Committed,
    caplog: pytest.LogCaptureFixture,
) -> None:
    produce(orders, 0, [b"good"] * 10 + [b"bad"] * 10)

    def refuse(run: Run) -> None:
        if b"bad" in run.values:
            raise ValueError("bad batch")

    with caplog.at_level(logging.CRITICAL):
        assert run_worker(with_agent(build_app([broker.address]), refuse)) == EXIT_FAILED
    critical = [line.message for line in caplog.records if line.levelno == logging.CRITICAL]
    assert critical == ["worker ends: ValueError: bad batch"]
    assert committed().get(0, 0) <= 10


@pytest.mark.slow
def test_a_broker_that_is_not_there_ends_the_worker() -> None:
    done = run_process(f"127.0.0.1:{free_port()}", hang=0)
    assert done.returncode == EXIT_FAILED
    assert "worker ends: KafkaConnectionError" in done.stderr


@pytest.mark.slow
def test_a_worker_that_hangs_at_stopping_is_ended_after_its_deadline(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 0, [b"a"])
    done = run_process(broker.address, hang=60)
    assert done.returncode == EXIT_HUNG
    assert "worker did not stop within 1 s" in done.stderr
