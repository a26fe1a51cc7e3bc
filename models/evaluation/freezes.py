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
    leaked = {
        key
        for key, at in frozen.items()
        if key in labels.leaked and at >= labels.leaked[key].first_rogue_ts
    }
    saved = sum(
        notional for key in leaked for ts, notional in labels.leaked[key].rogue if ts > frozen[key]
    )
    rogue = sum(notional for leak in labels.leaked.values() for _, notional in leak.rogue)
    return FreezeScore(
        sorted(leaked), sorted(frozen.keys() - leaked), round(rogue, 2), round(saved, 2)
    )
