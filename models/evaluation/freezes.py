"""What freezes were worth: the rogue orders that came after them, and who was frozen wrongly."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.evaluation.labels import Labels


@dataclass(frozen=True, slots=True)
class FreezeScore:
    """Freezes held against labels."""

    leaked: list[str]  # keys that were frozen when, or after, they were misused
    honest: list[str]  # keys that were not being misused
    rogue_notional: float  # USD, of all leaked keys
    saved_notional: float  # USD, of orders that a frozen key could not place

    @property
    def saved(self) -> float | None:
        """Share of the rogue orders' value; None where there were none."""
        return self.saved_notional / self.rogue_notional if self.rogue_notional else None


def score_freezes(labels: Labels, frozen: Mapping[str, float]) -> FreezeScore:
    """Hold freezes, each a key and the time (ms) at which it took effect, to labels."""
    leaked, honest = labels.caught(frozen.items())
    rogue = sum(leak.notional for leak in labels.leaked.values())
    saved = sum(labels.leaked[key].after(at) for key, at in leaked.items())
    return FreezeScore(sorted(leaked), sorted(honest), round(rogue, 2), round(saved, 2))
