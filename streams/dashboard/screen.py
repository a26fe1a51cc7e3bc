"""The parts of one dashboard, and how they are put together."""

import threading
import time
from dataclasses import dataclass, field
from typing import Self

from streams.clock import now_ms
from streams.dashboard.access import Access
from streams.dashboard.alert_list import changed_since
from streams.dashboard.alert_views import Json
from streams.dashboard.charts import Charts
from streams.dashboard.desk import Desk
from streams.dashboard.events import Bell
from streams.dashboard.feed import Feed
from streams.dashboard.handles import Handles, load_secret
from streams.dashboard.health import Health, pulse_view
from streams.dashboard.read_model import ReadModel, last_change
from streams.dashboard.records import Intake, Taken
from streams.dashboard.summary import summary
from streams.freeze.assembly import policy_of
from streams.freeze.policy import Policy
from streams.kafka.security import kafka_security
from streams.settings import Settings

SUMMARY_S = 0.5  # how long a summary is good: it is the same for everyone


@dataclass(slots=True)
class Screen:
    """Everything behind the pages."""

    settings: Settings
    model: ReadModel
    handles: Handles
    access: Access
    desk: Desk
    bell: Bell
    policy: Policy  # of the freeze hook, as this dashboard's settings name it
    feed: Feed = field(init=False)
    charts: Charts = field(init=False)
    health: Health = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _summed: tuple[float, Json] = (0.0, {})

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Put a dashboard together; nothing runs yet."""
        secret = load_secret(settings.dashboard_data / "secret")
        access = Access.checked(settings, secret)
        client = kafka_security(settings)
        model = ReadModel(settings.dashboard_data / "read_model.sqlite")
        handles = Handles(secret)
        screen = cls(
            settings, model, handles, access, Desk(settings, client), Bell(), policy_of(settings)
        )
        intake = Intake(settings.topics, handles)
        screen.charts = Charts(settings, model, client)
        screen.feed = Feed(settings, model, intake, screen.taken, client)
        screen.health = Health(settings, screen.feed, client)
        return screen

    def start(self) -> None:
        """Begin to read; call it in the event loop that serves."""
        self.bell.hang()
        self.feed.start()
        self.charts.start()

    def stop(self) -> None:
        """End the threads and close the file."""
        self.feed.stop()
        self.charts.stop()
        self.desk.close()
        self.model.close()

    def taken(self, taken: Taken) -> None:
        """Tell everyone that the read model changed."""
        self.charts.want(taken.alerts)
        self.bell.ring()

    def changes(self, known: int, most: int) -> tuple[list[Json], int]:
        """Give the alerts that changed since, and the last change; none where none are wanted."""
        with self.model.reading() as db:
            if not most:
                return [], last_change(db)
            return changed_since(db, self.handles, now_ms(), known, most)

    def pulse(self) -> Json:
        """Tell how things stand, at a glance."""
        with self._lock:
            if time.monotonic() - self._summed[0] > SUMMARY_S:
                with self.model.reading() as db:
                    self._summed = (time.monotonic(), summary(db, now_ms()))
            return {**pulse_view(self.feed), "summary": self._summed[1]}
