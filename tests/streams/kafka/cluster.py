"""An Apache Kafka of the tests' own: one node, broker and controller in KRaft mode, on loopback.

Java and Maven are all it needs. Maven resolves the jars that `kafka/pom.xml` pins; where they lie
is kept in `.kafka/`.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from streams.kafka.broker import HOST, free_port
from streams.kafka.children import end, start

POM: Final = Path(__file__).parent / "pom.xml"
CACHE: Final = Path(__file__).parents[3] / ".kafka"
RESOLVE_SECONDS: Final = 900.0
START_SECONDS: Final = 180.0
STOP_SECONDS: Final = 30.0
STARTED: Final = "Kafka Server started"  # what a broker says when it serves

# The first compiler only: a broker of seconds never gets back what the second one costs.
JAVA: Final = ("java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOGGING: Final = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)

# One node can hold one copy. All else is what a cluster has by default, but for topics, which only
# we shall make, for the first rebalance of a group, which waits for nobody, and for a killed
# broker's own session with its controller, which would keep it out for nine seconds.
SINGLE_NODE: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}


class KafkaCluster:
    """A broker on free loopback ports; they and the data stay the same when it starts again.

    `protocols` are those of its listeners (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL), `properties`
    further broker settings, `users` what the storage tool takes as `--add-scram`, `beside` the node
    of which it is a second one, `where` the folder of its data, if not that of temporary files. It
    ends with this process, also when that is killed.
    """

    def __init__(
        self,
        protocols: Sequence[str] = ("PLAINTEXT",),
        properties: Mapping[str, str] | None = None,
        users: Sequence[str] = (),
        beside: "KafkaCluster | None" = None,
        where: Path | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="roguekey-kafka-", dir=where)
        self._ports = {name: free_port() for name in (*protocols, "CONTROLLER")}
        self._users = users
        self._id: str = beside._id if beside else _new_id()
        second = beside._as_second(self.address) if beside else {}
        self._properties = {**SINGLE_NODE, **self._listeners(), **second, **(properties or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`host:port` of the first listener, as Kafka clients take it."""
        return self.address_of(next(iter(self._ports)))

    def address_of(self, protocol: str) -> str:
        """`host:port` of the listener with this protocol."""
        return f"{HOST}:{self._ports[protocol]}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> Self:
        """Start the broker, if it does not run, and wait until it serves."""
        if self.pid is not None:
            return self
        if not self._configuration.exists():
            self._format()
        command = [*JAVA, *LOGGING, "-cp", class_path(), "kafka.Kafka", str(self._configuration)]
        self._process, self._guard = start(command, self._log, self._folder.name)
        self._wait_until_it_serves(self._process)
        return self

    def stop(self) -> None:
        """End the broker in good order; harmless when it does not run."""
        for process in (self._guard, self._process):
            if process:
                end(process, STOP_SECONDS)
        self._process = self._guard = None

    def kill(self) -> None:
        """End the broker on the spot, as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self.stop()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self._folder.cleanup()
            raise

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._folder.cleanup()

    @property
    def _configuration(self) -> Path:
        return Path(self._folder.name) / "server.properties"

    @property
    def _log(self) -> Path:
        return Path(self._folder.name) / "broker.log"

    def _listeners(self) -> dict[str, str]:
        """Name each listener like its protocol."""
        addresses = {name: f"{name}://{HOST}:{port}" for name, port in self._ports.items()}
        served = [name for name in self._ports if name != "CONTROLLER"]
        return {
            "controller.quorum.voters": f"1@{HOST}:{self._ports['CONTROLLER']}",
            "listeners": ",".join(addresses.values()),
            "advertised.listeners": ",".join(addresses[name] for name in served),
            "inter.broker.listener.name": served[0],
            "listener.security.protocol.map": ",".join(
                ["CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in served)]
            ),
            "log.dirs": f"{self._folder.name}/data",
        }

    def _as_second(self, address: str) -> dict[str, str]:
        """Tell a second node at an address who controls it."""
        return {
            "process.roles": "broker",
            "node.id": "2",
            "controller.quorum.voters": self._properties["controller.quorum.voters"],
            "listeners": f"PLAINTEXT://{address}",
        }

    def _format(self) -> None:
        """Write the configuration, and make the storage of a new cluster."""
        properties = "".join(f"{name}={value}\n" for name, value in self._properties.items())
        unformatted = self._configuration.with_suffix(".unformatted")
        unformatted.write_text(properties)
        command = [*JAVA, *LOGGING, "-cp", class_path(), "kafka.tools.StorageTool", "format"]
        command += ["--config", str(unformatted), f"--cluster-id={self._id}"]
        for user in self._users:
            command += ["--add-scram", user]
        _run(command, START_SECONDS)
        unformatted.rename(self._configuration)

    def _wait_until_it_serves(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if STARTED in self._log.read_text(errors="replace"):
                return
            time.sleep(0.02)
        self.stop()
        said = self._log.read_text(errors="replace").strip().splitlines()[-5:]
        raise RuntimeError(f"Kafka did not start at {self.address}: {' | '.join(said)}")


def _new_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def what_is_missing() -> str:
    """Say which programs a cluster of our own lacks here; empty where all are there."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    return " or ".join(missing)


def class_path() -> str:
    """Give the jars of Kafka, resolved by Maven the first time and when the pom has changed."""
    resolved = CACHE / f"{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}.classpath"
    if resolved.exists():
        jars = resolved.read_text()
        if all(Path(jar).exists() for jar in jars.split(os.pathsep)):
            return jars
    CACHE.mkdir(exist_ok=True)
    fresh = resolved.with_suffix(f".{os.getpid()}")
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(POM)]
    _run([*command, "dependency:build-classpath", f"-Dmdep.outputFile={fresh}"], RESOLVE_SECONDS)
    fresh.replace(resolved)  # at once, since test processes may run side by side
    return resolved.read_text()


def _run(command: Sequence[str], seconds: float) -> None:
    done = subprocess.run(  # noqa: S603 - no shell, and nothing from outside
        command, capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-5:]
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {' | '.join(said)}")
