"""The demo's freeze hook: a mock exchange, the hook in auto mode, and a backlog that it is spared.

Commands of their own, as an operator would start them; what they did is read from the audit topic.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, Self

from kafka import KafkaConsumer, TopicPartition
from typing_extensions import override

from models.alerts.envelope import decode_alert
from models.evaluation.freezes import FreezeScore, score_freezes
from models.evaluation.labels import Labels
from streams.closing import Closing
from streams.freeze.actions import Act, Entry, Outcome, Rule, decode_entry
from streams.freeze.cases import State, cases_of
from streams.kafka.children import Command
from streams.kafka.clients import connect
from streams.kafka.security import kafka_security
from streams.settings import PREFIX, Settings

LOOK_S: Final = 0.1
CONNECT_MS: Final = 5000

# A day of 2022 passes within seconds: by the hook's clock its orders are years old, and all of the
# day's freezes fall into one minute; and whoever looks at the screen takes his time to approve.
# Nothing else differs from the defaults.
DAY: Final = """\
mode = "auto"
max_event_age_s = 315360000  # default 120; the day that is played lies in 2022
approval_expires_s = 86400   # default 600
[budget]
per_minute = 200             # default 10; the day passes within a minute
per_hour = 200               # default 60
per_app_hour = 200           # default 20
"""
BACKLOG: Final = 'mode = "auto"\n'  # the age guard and all else as they are by default


class FreezeDemoError(Exception):
    """The hook or the exchange failed."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A key that was frozen."""

    key: str
    event_ts: int  # of the order that raised its alert, ms
    after_s: float  # from the alert on its topic until the exchange had confirmed


@dataclass(frozen=True, slots=True)
class Freezes:
    """What the hook did."""

    frozen: list[Freeze]
    pending: int  # cases that wait for people
    refused: dict[str, int]  # alerts by rule
    backlog_alerts: int  # read again by a hook without memory
    backlog_frozen: int
    backlog_too_old: int

    @property
    def median_after_s(self) -> float | None:
        """From an alert to its freeze."""
        return median(freeze.after_s for freeze in self.frozen) if self.frozen else None

    def score(self, labels: Labels) -> FreezeScore:
        """Hold the freezes against what truly happened.

        Played fast, a second holds an hour: so a freeze takes effect in the tape's time as long
        after its alert as it truly took.
        """
        return score_freezes(
            labels, {one.key: one.event_ts + 1000 * one.after_s for one in self.frozen}
        )


def freezes_as_result(freezes: Freezes, score: FreezeScore) -> dict[str, Any]:
    """Give what was frozen, and what that was worth, in plain values."""
    told = asdict(freezes)
    del told["frozen"]  # full keys are told by the score
    told |= {"median_after_s": freezes.median_after_s}
    return asdict(score) | {"saved": score.saved} | told


class FreezeDemo:
    """A mock exchange and a freeze hook before it, while the block runs."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], folder: Path, patience_s: float
    ) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._folder = folder / "freeze"
        self._patience_s = patience_s
        self._stack = ExitStack()
        self._hook: Command | None = None

    def settle(self, alert_ids: set[str]) -> list[Entry]:
        """Wait until the hook has dealt with these alerts; gives the audit."""
        with _Audit(self._settings, self._settings.freezes_topic) as audit:
            self._wait_until(lambda: _is_settled(audit.read(), alert_ids))
            return audit.entries

    def replay_backlog(self) -> list[Entry]:
        """Let a hook without memory, with the default age guard, read all alerts again."""
        topic = f"{self._settings.freezes_topic}.backlog"
        log = self._folder / "backlog.log"
        environment = self._environment | {
            f"{PREFIX}FREEZE_POLICY": str(self._write("backlog.toml", BACKLOG)),
            f"{PREFIX}FREEZE_FOLDER": str(self._folder / "backlog"),
            f"{PREFIX}FREEZES_TOPIC": topic,
            f"{PREFIX}APP_ID": f"{self._settings.app_id}-backlog",
        }
        with Command(["freeze-hook", "--once"], environment, log) as hook:
            self._wait_until(lambda: hook.exit_code is not None)
            if hook.exit_code:
                raise FreezeDemoError(f"{hook.name}: {hook.last_words()}")
        with _Audit(self._settings, topic) as audit:
            return audit.read_up()

    def told(
        self, entries: list[Entry], backlog: list[Entry], alert_ms: Mapping[str, int]
    ) -> Freezes:
        """Sum up; `alert_ms` is when each alert came to lie on its topic."""
        done = [e for e in entries if (e.act, e.outcome) == (Act.FREEZE_KEY, Outcome.DONE)]
        refused = Counter(e.rule for e in entries if e.outcome == Outcome.REFUSED and e.rule)
        return Freezes(
            frozen=[
                Freeze(e.api_key or "", e.event_ts or 0, (e.ts - alert_ms[e.alert_id or ""]) / 1000)
                for e in done
            ],
            pending=sum(case.state == State.PENDING for case in cases_of(entries).values()),
            refused={str(rule): count for rule, count in refused.items()},
            backlog_alerts=len({entry.alert_id for entry in backlog}),
            backlog_frozen=sum(entry.outcome == Outcome.DONE for entry in backlog),
            backlog_too_old=sum(entry.rule == Rule.EVENT_AGE for entry in backlog),
        )

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text, "utf-8")
        return path

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._patience_s
        while not condition():
            hook = self._hook
            if hook is not None and hook.exit_code is not None:
                raise FreezeDemoError(f"{hook.name} ended by itself: {hook.last_words()}")
            if time.monotonic() > deadline:
                raise FreezeDemoError(f"the freeze hook is not done after {self._patience_s:g} s")
            time.sleep(LOOK_S)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.rglob("*.sqlite*"):  # of a demo before
            old.unlink()
        with self._stack:
            secret = self._folder / "secret"
            arguments = ["mock-exchange", "--secret-file", str(secret)]
            arguments += ["--state", str(self._folder / "exchange.sqlite")]
            exchange = self._stack.enter_context(
                Command(arguments, self._environment, self._folder / "exchange.log")
            )
            self._wait_until(lambda: exchange.log.read_text().endswith("\n"))
            self._environment |= {
                f"{PREFIX}EXCHANGE_URL": exchange.last_words(),
                f"{PREFIX}EXCHANGE_SECRET_FILE": str(secret),
                f"{PREFIX}FREEZE_POLICY": str(self._write("policy.toml", DAY)),
                f"{PREFIX}FREEZE_FOLDER": str(self._folder / "hook"),
            }
            self._hook = self._stack.enter_context(
                Command(["freeze-hook"], self._environment, self._folder / "hook.log")
            )
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()


def _reader(settings: Settings, place: TopicPartition) -> KafkaConsumer:
    """Read a partition from its beginning."""
    consumer: KafkaConsumer = connect(
        KafkaConsumer,
        bootstrap_servers=settings.bootstrap_servers(),
        bootstrap_timeout_ms=CONNECT_MS,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **kafka_security(settings),
    )
    consumer.assign([place])
    return consumer


class _Audit(Closing):
    """The entries on an audit topic, as they come."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self.entries: list[Entry] = []
        self._place = TopicPartition(topic, 0)
        self._consumer = _reader(settings, self._place)

    def read(self) -> list[Entry]:
        """Give all entries so far."""
        for record in self._consumer.poll(timeout_ms=0).get(self._place, ()):
            self.entries.append(decode_entry(record.value))
        return self.entries

    def read_up(self) -> list[Entry]:
        """Give all entries that are there now."""
        end = self._consumer.end_offsets([self._place])[self._place]
        while self._consumer.position(self._place) < end:
            self.read()
            time.sleep(LOOK_S)
        return self.entries

    @override
    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()


def alert_times(settings: Settings) -> dict[str, int]:
    """When each alert came to lie on its topic, ms, by its id."""
    place = TopicPartition(settings.alerts_topic, 0)
    consumer = _reader(settings, place)
    try:
        end = consumer.end_offsets([place])[place]
        found: dict[str, int] = {}
        while consumer.position(place) < end:
            for record in consumer.poll(timeout_ms=100).get(place, ()):
                found.setdefault(decode_alert(record.value).id, record.timestamp)
        return found
    finally:
        consumer.close()


def _is_settled(entries: list[Entry], alert_ids: set[str]) -> bool:
    waiting = {State.FREEZING, State.UNFREEZING}
    decided = {entry.alert_id for entry in entries}
    return alert_ids <= decided and not any(
        case.state in waiting for case in cases_of(entries).values()
    )
