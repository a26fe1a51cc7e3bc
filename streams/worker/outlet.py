"""What a worker sends, as records of its topics, in order."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import faust
import msgspec
from faust.types import TP

from models.alerts.envelope import PLACES_HEADER, Alert
from streams.dead.letters import Letter
from streams.settings import TopicNames
from streams.worker.row_frames import Word, pack_words
from streams.worker.stages import DeadLetter, Part, frames_of

CONTENT_TYPE: Final = b"application/cloudevents+json"

Sent = list[Awaitable[Any]]  # records on their way to the brokers
Words = dict[int, list[Word]]  # by partition of the next stage
Headers = tuple[tuple[str, bytes], ...]


class Outlet:
    """Hands records to the producer; each method gives what to wait for until they are there."""

    def __init__(self, app: faust.App, names: TopicNames) -> None:
        self._app = app
        self._names = names

    async def rows(self, topic: str, parts: Iterable[Part]) -> Sent:
        """Send rows to the partitions of the next stage."""
        return [await self._send(topic, frame, target) for target, frame in frames_of(parts)]

    async def words(self, topic: str, words: Words) -> Sent:
        """Send words."""
        return [
            await self._send(topic, pack_words(said), target)
            for target, said in words.items()
            if said
        ]

    async def letters(self, source: TP, letters: Iterable[DeadLetter]) -> Sent:
        """Send refused events byte for byte, with where they lay and why."""
        sent: Sent = []
        for letter in letters:
            reason, field = letter.refusal.reason, letter.refusal.field
            at = source.topic, source.partition, letter.offset
            headers = Letter(letter.value, reason, field, *at).headers()
            sent.append(await self._send(self._names.dead, letter.value, headers=tuple(headers)))
        return sent

    async def alerts(self, alerts: Iterable[Alert], is_news: Callable[[bytes], bool]) -> Sent:
        """Send those alerts that are news, each with where the events lie that it speaks of."""
        sent: Sent = []
        for alert in alerts:
            value = alert.encode()
            if is_news(value):
                places = {"topic": self._names.orders, "events": alert.places}
                headers = (
                    ("content-type", CONTENT_TYPE),
                    (PLACES_HEADER, msgspec.json.encode(places)),
                )
                key = alert.subject.encode()
                sent.append(await self._send(self._names.alerts, value, key=key, headers=headers))
        return sent

    async def _send(
        self,
        topic: str,
        value: bytes,
        partition: int | None = None,
        *,
        key: bytes | None = None,
        headers: Headers = (),
    ) -> Awaitable[Any]:
        producer = self._app.producer
        return await producer.send(topic, key, value, partition, None, [*headers])
