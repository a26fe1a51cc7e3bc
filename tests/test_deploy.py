"""What `deploy/` says of the program, held to the program: there is no engine to try it on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streams.cli import COMMANDS
from streams.settings import PREFIX, Settings
from streams.watch.metrics import Metrics
from streams.watch.watchdog import Progress

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
YAMLS: Final = sorted(path for path in DEPLOY.rglob("*.y*ml"))
METRIC: Final = re.compile(r"\b(roguekey_[a-z_]+)")

Json = dict[str, Any]


def documents(path: Path) -> list[Json]:
    return list(yaml.safe_load_all(path.read_text()))


def kubernetes(kind: str) -> list[Json]:
    everything = [each for path in (DEPLOY / "kubernetes").iterdir() for each in documents(path)]
    return [each for each in everything if each["kind"] == kind]


def pods() -> dict[str, Json]:
    """Give the pods by the name of what makes them."""
    found = kubernetes("Deployment")
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in found}


def containers() -> Iterator[tuple[list[str], dict[str, str]]]:
    """Give command and environment of every container of ours."""
    [shared] = [each["data"] for each in kubernetes("ConfigMap")]
    for pod in pods().values():
        [box] = pod["containers"]
        yield box["args"], shared | {each["name"]: each["value"] for each in box["env"]}
    [compose] = documents(DEPLOY / "compose.yaml")
    for service in compose["services"].values():
        if "build" in service:
            yield service["command"], service["environment"]


def settings_of(environment: dict[str, str]) -> Settings:
    assert all(name.startswith(PREFIX) for name in environment)
    values = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()}
    return Settings.model_validate(values)


@pytest.fixture(scope="module")
def told() -> set[str]:
    """Give the names of all metrics that a worker tells."""
    text = Metrics(Progress()).exposition().decode()
    families = list(text_string_to_metric_families(text))
    names = {sample.name for family in families for sample in family.samples}
    for family in families:  # those without a sample yet
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


def test_there_is_yaml_to_read() -> None:
    assert len(YAMLS) > 8
    assert all(all(documents(path)) for path in YAMLS)


def test_every_container_runs_a_command_with_settings_that_are_valid() -> None:
    started = list(containers())
    assert len(started) == 8
    for command, environment in started:
        assert command[0] in COMMANDS
        assert settings_of(environment).brokers


def test_no_more_workers_than_partitions() -> None:
    [deployment] = [d for d in kubernetes("Deployment") if d["metadata"]["name"].endswith("worker")]
    partitions = {settings_of(environment).partitions for _, environment in containers()}
    [scaled] = kubernetes("ScaledObject")
    assert deployment["spec"]["replicas"] <= scaled["spec"]["maxReplicaCount"]
    assert {scaled["spec"]["maxReplicaCount"]} == partitions


def test_probes_and_scrapes_ask_where_the_worker_answers() -> None:
    [box] = pods()["roguekey-worker"]["containers"]
    [port] = box["ports"]
    for probe, path in {"startup": "/live", "liveness": "/live", "readiness": "/ready"}.items():
        assert box[f"{probe}Probe"]["httpGet"] == {"path": path, "port": port["name"]}
    [prometheus] = documents(DEPLOY / "prometheus" / "prometheus.yml")
    [found] = prometheus["scrape_configs"][0]["dns_sd_configs"]
    workers = [settings_of(told) for command, told in containers() if command == ["worker"]]
    assert {worker.http_port for worker in workers} == {port["containerPort"], found["port"]}
    assert {worker.http_host for worker in workers} == {"0.0.0.0"}  # noqa: S104 - of a container


def test_dashboards_read_metrics_where_the_workers_tell_them() -> None:
    told = [settings_of(found) for command, found in containers() if command == ["dashboard"]]
    asked = [urlsplit(each.dashboard_metrics) for each in told]
    assert {(url.port, url.path) for url in asked} == {(8790, "/metrics")}
    [compose] = documents(DEPLOY / "compose.yaml")
    services = {each["metadata"]["name"]: each["spec"] for each in kubernetes("Service")}
    [in_pods, in_compose] = [url.hostname for url in asked]
    assert in_compose == "worker"
    assert in_compose in compose["services"]
    [worker] = [d["spec"] for d in kubernetes("Deployment") if d["metadata"]["name"] == in_pods]
    service = services[in_pods]
    assert service["selector"] == worker["selector"]["matchLabels"]
    assert service["clusterIP"] == "None"  # the port is that of the pods
    assert [port["port"] for port in service["ports"]] == [8790]


def test_no_pod_gets_variables_that_would_be_refused_as_settings() -> None:
    assert all(pod["enableServiceLinks"] is False for pod in pods().values())


def test_nothing_runs_as_root_or_writes_where_it_need_not() -> None:
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"]
        assert all(box["securityContext"]["readOnlyRootFilesystem"] for box in pod["containers"])
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", dockerfile, re.MULTILINE)
    assert "--verify-hashes --constraint deploy/requirements.lock" in dockerfile


def test_every_volume_that_is_mounted_is_there() -> None:
    claims = {claim["metadata"]["name"] for claim in kubernetes("PersistentVolumeClaim")}
    for pod in pods().values():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounted = {mount["name"] for box in pod["containers"] for mount in box["volumeMounts"]}
        assert mounted == volumes.keys()
        asked = [volume.get("persistentVolumeClaim") for volume in volumes.values()]
        assert {claim["claimName"] for claim in asked if claim} <= claims
    [compose] = documents(DEPLOY / "compose.yaml")
    for service in compose["services"].values():
        sources = {volume.partition(":")[0] for volume in service["volumes"]}
        assert {source for source in sources if source[0] != "."} <= compose["volumes"].keys()


def test_every_image_is_pinned_and_kafka_is_that_of_the_tests() -> None:
    [compose] = documents(DEPLOY / "compose.yaml")
    images = {each["image"] for each in compose["services"].values() if "image" in each}
    images |= {box["image"] for pod in pods().values() for box in pod["containers"]}
    images |= set(re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    assert all(re.search(r":v?\d+\.\d+\.\d+", image) for image in images)
    pom = (ROOT / "tests" / "streams" / "kafka" / "pom.xml").read_text()
    version = re.search(r"kafka_2.13</artifactId>\s*<version>([\d.]+)<", pom)
    assert version is not None
    assert f"apache/kafka:{version[1]}" in images


def test_rules_and_dashboard_ask_for_metrics_that_a_worker_tells(told: set[str]) -> None:
    [rules] = documents(DEPLOY / "prometheus" / "rules.yml")
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboard = json.loads((DEPLOY / "grafana" / "roguekey.json").read_text())
    asked += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [
        each["spec"]["triggers"][0]["metadata"]["query"] for each in kubernetes("ScaledObject")
    ]
    assert len(asked) > 20
    for expression in asked:
        names = set(METRIC.findall(expression))
        assert names, expression  # `up` goes by names of jobs, which each Prometheus gives anew
        assert names <= told, expression
