"""The app stage: what alerted keys add up to."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from models.alerts.envelope import Action, Alert, AlertType, Reason, Severity, digits
from models.alerts.incidents import Incident
from models.alerts.raising import Allegation, alert_of
from models.alerts.suspects import Suspect
from models.apps.leaks import AppLeak, AppLeaks, Fill, Misuse
from models.rows import Rows
from models.score.model import Model

MANY: Final = 5  # keys from which a leak is critical


class AppStage:
    """Apps of which keys were alerted lately."""

    _fills: Iterator[Fill]  # of the batch, not heard of yet

    def __init__(self, model: Model) -> None:
        self._model = model
        self._leaks = AppLeaks(model.threshold)
        self._fills, self._heard = iter(()), 0

    def save(self) -> bytes:
        """Give what is remembered."""
        return self._leaks.save()

    def restore(self, saved: bytes) -> None:
        """Remember again what was saved."""
        self._leaks.restore(saved)

    def begin(self, rows: Rows) -> None:
        """Be told of a batch of notable fills: they tell the size of the apps."""
        orders, times = rows.orders, rows.merge_time.tolist()
        homes = orders.apps.spelled(orders.home)
        keys = [orders.keys.strings[code] for code in orders.key.tolist()]
        self._fills, self._heard = zip(homes, keys, times, strict=True), 0

    def end(self) -> None:
        """Take in what is left of the batch."""
        self._leaks.hear(self._fills)

    def misused(self, rows: Rows, row: int, suspect: Suspect, incident: Incident) -> list[Alert]:
        """Take in a key that event `row` raised an alert on; gives that of its app, if it leaks.

        Later events of the batch count for nothing yet.
        """
        self._leaks.hear(islice(self._fills, row + 1 - self._heard))
        self._heard = row + 1
        if not suspect.home:
            return []
        time = int(rows.merge_time[row])
        misuse = Misuse(time, suspect.rank, suspect.conduct, incident.since, suspect.market)
        leak = self._leaks.misuse(suspect.home, suspect.key, misuse)
        return [] if leak is None else [self._alert(rows, row, leak, incident)]

    def _alert(self, rows: Rows, row: int, leak: AppLeak, incident: Incident) -> Alert:
        severity = Severity.CRITICAL if len(leak.keys) >= MANY else Severity.HIGH
        allegation = Allegation(
            AlertType.APP_LEAK,
            leak.app,
            severity,
            leak.chance,
            self._model.threshold,
            _reasons(leak),
            Action.FREEZE_APP,
            incident.strongest(),
        )
        own = {"app": leak.app, "keys": leak.keys, "since": leak.since}
        return alert_of(allegation, self._model, rows, row, **own)


def _reasons(leak: AppLeak) -> list[Reason]:
    """Say why the app leaks: how many keys, and what they do."""
    count = len(leak.keys)
    share = leak.chance / (leak.chance + leak.conduct)
    return [
        Reason(
            "misused_keys",
            float(count),
            digits(leak.expected),
            round(share, 4),
            f"{count} keys of {leak.app} look leaked within a day, where {leak.expected:.2g} would "
            "be falsely alerted by chance.",
        ),
        Reason(
            "conduct",
            digits(leak.conduct),
            0.6,
            round(1.0 - share, 4),
            "What they do is unusual for them: in each of the two most unusual ways, "
            f"one time in {10 ** (leak.conduct / 2):,.0f} on average.",
        ),
    ]
