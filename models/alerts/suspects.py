"""A suspect fill as the alert stage remembers it: all that an alert on it would say."""

from dataclasses import replace

import msgspec
import numpy as np

from models.alerts.crowd import Around
from models.alerts.envelope import Place
from models.alerts.incidents import Sighting
from models.alerts.reasons import Finding
from models.market.state import ADVERSE_MOVE
from models.orders.batch import BUY, NONE, Float32s, Float64s, venue_and_symbol
from models.rows import Rows
from models.score.evidence import CONDUCT_COLUMNS


class Suspect(msgspec.Struct):
    """One notable fill, in the light of what is known of those around it."""

    key: str
    account: str
    app: str | None
    home: str  # app that the key usually uses; empty: none
    market: str
    time: int  # when the alert stage heard of it, ms
    sighting: Sighting
    notional: float  # USD
    move: float  # adverse log move
    conduct: float  # surprise in what the key does, of the two most surprising ways
    parts: list[float]  # its evidence by kind
    share: float  # of the evidence from company which counts for it
    surprises: list[float]
    finding: Finding
    noted: bool = False  # as part of its key's incident

    @property
    def rank(self) -> float:
        """-log10 of the chance that a benign key-day shows as much."""
        return self.sighting.rank

    @property
    def buys(self) -> bool:
        """Whether it is a purchase."""
        return self.finding.buys

    def seen_again(self, rank: float, rogue: Float32s) -> None:
        """Take in that more of those around it look rogue than did at the time."""
        self.sighting = replace(self.sighting, rank=rank)
        around, fellows = rogue.tolist()
        self.finding = replace(self.finding, rogue_around=around, rogue_fellows=fellows)


def suspect_of(
    rows: Rows, row: int, parts: Float64s, rank: float, around: Around, medians: Float64s
) -> Suspect:
    """Take one fill out of its batch.

    `parts`, shape (PARTS,), are its evidence, `around` tells of those around each fill of the
    batch; `medians`, shape (FEATURES,), is what is usual.
    """
    orders, extra = rows.orders, rows.extra
    market = orders.markets.strings[orders.market[row]]
    app = orders.apps.strings[orders.app[row]] if orders.app[row] != NONE else None
    place = Place(int(orders.partition[row]), int(orders.offset[row]))
    surprises: Float32s = extra["surprises"][row]
    return Suspect(
        key=orders.keys.strings[orders.key[row]],
        account=orders.accounts.strings[orders.account[row]],
        app=app,
        home=extra["home"][row].decode(),
        market=market,
        time=int(rows.merge_time[row]),
        sighting=Sighting(rank, int(orders.ts[row]), orders.event_id[row], place),
        notional=float(orders.notional[row]),
        move=max(0.0, float(extra["context"][row, ADVERSE_MOVE])),
        conduct=float(np.sort(surprises[CONDUCT_COLUMNS])[-2:].sum()),
        parts=parts.tolist(),
        share=float(around.share[row]),
        surprises=surprises.tolist(),
        finding=Finding(
            symbol=venue_and_symbol(market)[1],
            app=app,
            buys=bool(orders.side[row] == BUY),
            features=extra["features"][row].tolist(),
            values=extra["values"][row].tolist(),
            usual=extra["usual"][row].tolist(),
            median=medians.tolist(),
            rogue_around=float(around.rogue[row, 0]),
            rogue_fellows=float(around.rogue[row, 1]),
            persistence=float(np.float32(extra["persistence"][row])),
        ),
    )
