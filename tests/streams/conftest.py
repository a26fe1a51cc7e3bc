"""What the tests against a real broker share."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import faust
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from pydantic import SecretStr

from models.score.model import Model
from models.training import train
from streams.kafka.broker import TOPIC_LIMITS, EmbeddedBroker
from streams.kafka.security import kafka_security
from streams.replay.replay import AlertFile, replay
from streams.settings import Settings, load_settings
from streams.tapes.intake import Intake
from streams.tapes.produce import produce as produce_files
from streams.tapes.simulated import write_labels, write_orders
from streams.tapes.topic import TopicTape
from streams.topics import TopicSpec, changelog_specs, ensure_topics, topic_specs, worker_group
from tests.models.simulation.worlds import small_tape
from tests.patience import PATIENCE_S
from tests.streams.kafka.cluster import KafkaCluster, class_path, what_is_missing
from tests.streams.kafka.secured import Secured, secured_cluster
from tests.streams.lives import Lives

GROUP = worker_group("roguekey")
EASIER = 4.5  # strength by which the tests' model alerts sooner, so that a small tape has alerts

Running = Callable[[faust.App], AbstractAsyncContextManager[None]]
Produce = Callable[..., None]
Committed = Callable[[], dict[int, int]]


@dataclass(frozen=True)
class Trained:
    """A small tape with its labels, and a model that was trained on it."""

    tape: Path
    labels: Path
    model_dir: Path
    model: Model


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch Kafka's jars before the first test that needs them: no test is timed for a download."""
    if what_is_missing() or not any(item.get_closest_marker("kafka") for item in session.items):
        return
    with suppress(RuntimeError, subprocess.TimeoutExpired):  # the fixture will say so
        class_path()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    tape, labels, model_dir = (folder / name for name in ("orders.jsonl", "labels.json", "model"))
    write_orders(small_tape(), tape)
    write_labels(small_tape(), labels)
    model = train(lambda: Intake().read([tape]))
    replace(model, critical=model.critical - EASIER).save(model_dir, "0" * 64)
    return Trained(tape, labels, model_dir, Model.load(model_dir))


@pytest.fixture(scope="session")
def replayed(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The alerts of an undisturbed replay of the tape, as they were raised."""
    out = tmp_path_factory.mktemp("replayed") / "alerts.jsonl"
    with AlertFile(out) as alerts:
        replay([trained.tape], trained.model, alerts, Intake())
    found = out.read_bytes().splitlines()
    assert found
    return found


@pytest.fixture(scope="session")
def expected(replayed: list[bytes]) -> set[bytes]:
    """The alerts of the tape, for workers that may tell them in any order."""
    return set(replayed)


@pytest.fixture(scope="module")
def lives(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    with Lives(trained.model_dir, tmp_path_factory.mktemp("lives") / "log") as started:
        yield started


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker per test, since it starts in 50 ms and serves only one worker."""
    with EmbeddedBroker() as started:
        yield started


@pytest.fixture
def orders(broker: EmbeddedBroker) -> str:
    """Name of an empty topic of four partitions."""
    ensure_topics([broker.address], [TopicSpec("orders", 4, "", "")])
    return "orders"


@pytest.fixture
def produce(broker: EmbeddedBroker) -> Produce:
    """Put values on a partition; with `commit_every`, in transactions, which leave holes."""

    def send(topic: str, partition: int, values: list[bytes], commit_every: int = 0) -> None:
        options = {"transactional_id": f"{topic}-{partition}"} if commit_every else {}
        producer = KafkaProducer(
            bootstrap_servers=broker.address, max_request_size=1 << 24, **options
        )
        if commit_every:
            producer.init_transactions()
        for start in range(0, len(values), commit_every or len(values)):
            if commit_every:
                producer.begin_transaction()
            chunk = values[start : start + (commit_every or len(values))]
            for sent in [producer.send(topic, value, partition=partition) for value in chunk]:
                sent.get(timeout=PATIENCE_S)
            if commit_every:
                producer.commit_transaction()
        producer.close()

    return send


@pytest.fixture
def committed(broker: EmbeddedBroker) -> Committed:
    """Offsets that the worker's group has committed, by partition of `orders`."""

    def ask() -> dict[int, int]:
        admin = KafkaAdminClient(bootstrap_servers=broker.address)
        try:
            offsets = admin.list_group_offsets(GROUP)[GROUP]
        finally:
            admin.close()
        return {
            tp.partition: found.offset
            for tp, found in offsets.items()
            if tp.topic == "orders" and found.offset >= 0
        }

    return ask


@pytest.fixture
def running() -> Running:
    """Run an app while the block runs."""

    @asynccontextmanager
    async def run(app: faust.App) -> AsyncIterator[None]:
        async with asyncio.timeout(PATIENCE_S):
            await app.start()
            try:
                yield
            finally:
                await app.stop()

    return run


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[KafkaCluster]:
    """An Apache Kafka for all tests of this process; skips where it cannot run."""
    if missing := what_is_missing():
        pytest.skip(f"no {missing} here to run Apache Kafka with; ROGUEKEY_BROKERS names another")
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def kafka_cluster(shared_cluster: KafkaCluster) -> KafkaCluster:
    """The shared Apache Kafka, running, to be stopped, killed and started at will."""
    return shared_cluster.start()


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """An Apache Kafka that lets in only who proves to be somebody; skips where it cannot run."""
    if missing := what_is_missing():
        pytest.skip(f"no {missing} here to run a secured Apache Kafka with")
    with secured_cluster(tmp_path_factory.mktemp("secured")) as cluster:
        yield cluster


@pytest.fixture
def kafka_settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings with topics and a group of this test's own.

    They are on the cluster that ROGUEKEY_BROKERS names, or else on our Apache Kafka. The topics are
    not made yet; what was made is deleted when the test is over.
    """
    own = names_of_its_own()
    if not os.environ.get("ROGUEKEY_BROKERS"):
        own["brokers"] = request.getfixturevalue("kafka_cluster").address
    settings = load_settings(own)
    yield settings
    servers = settings.bootstrap_servers()
    admin = KafkaAdminClient(bootstrap_servers=servers, **kafka_security(settings))
    try:
        names = [topic["name"] for topic in admin.describe_topics()]
        admin.delete_topics([name for name in names if name.startswith(settings.app_id)])
    finally:
        admin.close()


@pytest.fixture
def own_cluster(kafka_cluster: KafkaCluster, kafka_settings: Settings) -> KafkaCluster:
    """The cluster of `kafka_settings`, to be stopped, frozen or joined; skips on another's."""
    if kafka_settings.brokers != kafka_cluster.address:
        pytest.skip("a broker that is not ours is left alone")
    return kafka_cluster


def names_of_its_own() -> dict[str, str]:
    """Give settings by which topics and groups bear names that nobody else has."""
    prefix = f"test-{secrets.token_hex(4)}"
    topics = Settings().topic_names().items()
    return {"app_id": prefix} | {f"{kind}_topic": f"{prefix}.{name}" for kind, name in topics}


def as_values(settings: Settings) -> dict[str, str]:
    """Give what was set, as a command is told it."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }


def values_on(settings: Settings, topic: str) -> list[bytes]:
    """All values of a topic, partition by partition, from brokers of whatever kind."""
    servers, security = settings.bootstrap_servers(), kafka_security(settings)
    with TopicTape(servers, topic, client=security) as tape:
        return all_values(tape)


def variables(values: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a command: this one's, with no settings but these."""
    others = {name: value for name, value in os.environ.items() if "ROGUEKEY" not in name}
    return others | {f"ROGUEKEY_{name.upper()}": value for name, value in values.items()}


def run_command(*arguments: str, values: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a `roguekey` command to its end, with these settings."""
    program = "from streams.cli import main; main()"
    return subprocess.run(  # noqa: S603 - this interpreter, and arguments of the tests
        [sys.executable, "-c", program, *arguments],
        env=variables(values),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def put_on_topic(broker: EmbeddedBroker, tape: Path, partitions: int) -> None:
    """Make all topics and put a tape on that of orders, as `roguekey produce` does."""
    specs = [
        *topic_specs(Settings().topics, partitions),
        *changelog_specs(GROUP, partitions),
    ]
    ensure_topics([broker.address], specs, limits=TOPIC_LIMITS)
    asyncio.run(produce_files([tape], [broker.address], "orders"))


def everything_on(address: str, topic: str) -> list[bytes]:
    """All values of a topic, partition by partition, from a broker that asks for no proof."""
    with TopicTape([address], topic) as tape:
        return all_values(tape)


def all_values(tape: TopicTape) -> list[bytes]:
    """What is left of a topic, partition by partition."""
    values: list[bytes] = []
    for partition in range(tape.partitions):
        while chunk := tape.next(partition):
            values += chunk[0]
    return values
