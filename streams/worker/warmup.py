"""Warm-up of a worker: stages that know the past before the first event arrives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient

from models.alerts.stage import AlertStage
from models.bounds import BOUNDS, Bounds
from models.detector import suspects_of
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.merge import Merge
from models.score.model import Model
from streams.kafka.clients import connect
from streams.kafka.partitioning import by_key, by_partition
from streams.tapes.ahead import read_ahead
from streams.tapes.intake import Intake, Progress

CONNECT_MS = 5000


@dataclass(slots=True)
class Stages:
    """Stages by partition; each can be taken once, and whoever comes later starts with none."""

    model: Model
    bounds: Bounds = BOUNDS
    markets: dict[int, MarketStage] = field(default_factory=dict)
    keys: dict[int, KeyStage] = field(default_factory=dict)
    alerts: AlertStage | None = None

    def market(self, partition: int) -> MarketStage:
        """Give the market stage of a partition of orders."""
        return self.markets.pop(partition, None) or MarketStage(self.bounds)

    def key(self, partition: int) -> KeyStage:
        """Give the key stage of a partition of keys."""
        return self.keys.pop(partition, None) or KeyStage(self.model.scale, self.bounds)

    def alert(self) -> AlertStage:
        """Give the one alert stage."""
        warm, self.alerts = self.alerts, None
        return warm or AlertStage(self.model)


def warm_stages(
    model: Model,
    history: Sequence[Path],
    partitions: int,
    progress: Progress = lambda _: None,
    bounds: Bounds = BOUNDS,
) -> Stages:
    """Run files through the stages of all partitions, divided as they would be on the topics.

    Raises
    ------
    TapeError
        If a file cannot be read or breaks off.
    """
    numbers = range(partitions)
    stages = Stages(
        model,
        bounds,
        {number: MarketStage(bounds) for number in numbers},
        {number: KeyStage(model.scale, bounds) for number in numbers},
    )
    merge, by_alert, alerts = Merge(partitions), Merge(1), AlertStage(model)

    def go_on() -> None:
        ready = merge.ready()
        if ready is not None:
            for number, part in by_key(ready, partitions):
                by_alert.hold(suspects_of(stages.keys[number].assess(part)))
        by_alert.add(0, None, merge.watermark)
        due = by_alert.ready()
        if due is not None:
            alerts.learn(due)

    for batch in read_ahead(Intake().read(history, progress)):
        for number, part in by_partition(batch, partitions):
            market = stages.markets[number]
            merge.add(number, market.observe(part), market.clock)
        go_on()
    for number in numbers:
        merge.idle(number)
        stages.markets[number].duplicates = stages.markets[number].ahead = 0
    go_on()
    stages.alerts = AlertStage(model, alerts.followers)
    return stages


def is_first_start(
    bootstrap_servers: list[str],
    group: str,
    topic: str,
    client: Mapping[str, Any] | None = None,
) -> bool:
    """Whether the group has not committed any offset of the topic yet.

    `client` holds further settings of the Kafka client, such as credentials.
    """
    admin = connect(
        KafkaAdminClient,
        bootstrap_servers=bootstrap_servers,
        bootstrap_timeout_ms=CONNECT_MS,
        **(client or {}),
    )
    try:
        offsets = admin.list_group_offsets(group)[group]
    finally:
        admin.close()
    return not any(tp.topic == topic and found.offset >= 0 for tp, found in offsets.items())
