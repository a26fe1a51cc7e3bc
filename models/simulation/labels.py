"""What the simulator knows: incidents, the keys that leaked in them, and the look-alikes."""

from dataclasses import dataclass, field

from models.orders.batch import Int64s


@dataclass(slots=True)
class Incident:
    """One theft: who was robbed of what, when, and who sold."""

    kind: str
    app: int | None  # None: the keys have no app in common
    market: int
    victims: list[int]  # actors
    sellers: list[int]  # actors
    sweeps: dict[int, int] = field(default_factory=dict)  # actor: ts of its first liquidation


@dataclass(slots=True)
class LookAlike:
    """Something that a bad detector takes for a theft."""

    kind: str
    actors: list[int]
    market: int | None
    ts: int


@dataclass(slots=True)
class Labels:
    """Incidents and look-alikes, in terms of actors and markets."""

    incidents: list[Incident] = field(default_factory=list)
    lookalikes: list[LookAlike] = field(default_factory=list)
    leaked: set[int] = field(default_factory=set)

    def open(self, incident: Incident) -> int:
        """Record an incident and give its number."""
        self.incidents.append(incident)
        self.leaked.update(incident.victims)
        return len(self.incidents) - 1

    def note(self, kind: str, actors: Int64s | list[int], market: int | None, ts: int) -> None:
        """Record a look-alike."""
        self.lookalikes.append(LookAlike(kind, [int(a) for a in actors], market, int(ts)))
