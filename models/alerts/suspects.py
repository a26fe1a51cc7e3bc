"""A suspect fill as the alert stage remembers it: all that an alert on it would say."""

from itertools import repeat

import msgspec
import numpy as np
from msgspec.structs import replace

from models.alerts.crowd import Around, Pair
from models.alerts.envelope import Place
from models.alerts.incidents import Sighting
from models.alerts.reasons import Finding
from models.market.state import ADVERSE_MOVE
from models.orders.batch import (
    BUY,
    Float32s,
    Float64s,
    Int32s,
    Int64s,
    Names,
    venue_and_symbol,
)
from models.records import taken
from models.rows import Rows
from models.score.evidence import CONDUCT_COLUMNS


class Suspect(msgspec.Struct):
    """One notable fill, in the light of what is known of those around it."""

    key: str
    account: str
    app: str | None
    home: str | None  # app that the key usually uses; None: none
    stranger: bool  # nobody knows that app
    market: str
    time: int  # when the alert stage heard of it, ms
    sighting: Sighting
    notional: float  # USD
    move: float  # adverse log move
    conduct: float  # surprise in what the key does, of the two most surprising ways
    parts: list[float]  # its evidence by kind
    share: float  # of the evidence from company which counts for it
    own: float  # what its key adds to the rogue buyers that one must expect there
    lacks: float  # evidence that company would give back (`models.score.parts.lacking`)
    surprises: list[float]
    finding: Finding
    noted: bool = False  # as part of its key's incident
    earlier: int = 0  # keys of its app that looked rogue in the market hours before

    @property
    def origin(self) -> str | None:
        """The app that its key usually uses, or else the one it used; None: none."""
        return self.home or self.app

    @property
    def rank(self) -> float:
        """-log10 of the chance that a benign key-day shows as much."""
        return self.sighting.rank

    @property
    def buys(self) -> bool:
        """Whether it is a purchase."""
        return self.finding.buys

    def seen_again(self, rank: float, rogue: Pair) -> None:
        """Take in that more of those around it look rogue than did at the time."""
        around, fellows = rogue
        self.finding = replace(self.finding, rogue_around=around, rogue_fellows=fellows)
        self.rerank(rank)

    def rerank(self, rank: float) -> None:
        """Take in another rank, and those of its app that came before."""
        self.sighting = replace(self.sighting, rank=rank)
        fellows = self.finding.rogue_fellows + self.earlier
        self.finding = replace(self.finding, rogue_fellows=fellows)


def suspects_at(
    rows: Rows,
    chosen: Int64s,
    parts: Float64s,
    ranks: Float64s,
    around: Around,
    lacks: Float64s,
    medians: Float64s,
) -> list[Suspect]:
    """Take the fills at `chosen`, shape (k,), out of their batch of n, all at once: it is cheaper.

    `parts`, shape (n, PARTS), are the evidence of each, `ranks`, shape (n,), what it comes to;
    `around` tells of those around each, `lacks`, shape (n,), what company would give back;
    `medians`, shape (FEATURES,), is what is usual.
    """
    orders, told = rows.orders, taken(rows.told, chosen)
    surprises: Float32s = told["surprises"]
    markets = _names(orders.markets, orders.market[chosen])
    apps = orders.apps.spelled(orders.app[chosen])
    places = map(Place, orders.partition[chosen].tolist(), orders.offset[chosen].tolist())
    sightings = map(
        Sighting,
        ranks[chosen].tolist(),
        orders.ts[chosen].tolist(),
        (orders.event_id[row] for row in chosen.tolist()),
        places,
    )
    findings = map(
        Finding,
        (venue_and_symbol(market)[1] for market in markets),
        apps,
        (orders.side[chosen] == BUY).tolist(),
        told["features"].tolist(),
        told["values"].tolist(),
        told["usual"].tolist(),
        repeat(medians.tolist()),
        *around.rogue[chosen].T.tolist(),
        told["persistence"].tolist(),
    )
    suspects = map(
        Suspect,
        _names(orders.keys, orders.key[chosen]),
        _names(orders.accounts, orders.account[chosen]),
        apps,
        orders.apps.spelled(orders.home[chosen]),
        told["stranger"].tolist(),
        markets,
        told["merge_time"].tolist(),
        sightings,
        orders.notional[chosen].tolist(),
        np.maximum(0.0, told["context"][:, ADVERSE_MOVE]).tolist(),
        np.sort(surprises[:, CONDUCT_COLUMNS], axis=1)[:, -2:].sum(axis=1).tolist(),
        parts[chosen].tolist(),
        around.share[chosen].tolist(),
        around.own[chosen].tolist(),
        lacks[chosen].tolist(),
        surprises.tolist(),
        findings,
    )
    return list(suspects)


def _names(table: Names, codes: Int32s) -> list[str]:
    return [table.strings[code] for code in codes.tolist()]
