"""The profiteer stage: who sold what leaked keys bought."""

from collections.abc import Sequence
from typing import ClassVar, Final

from models.alerts.envelope import MAX_EVIDENCE, Action, Alert, AlertType, Severity
from models.alerts.raising import Allegation, alert_of
from models.alerts.suspects import Suspect
from models.market.state import ALL_SOLD_1H, SOLD_1H, USUAL_SHARE
from models.orders.batch import NONE
from models.profiteers.dealings import Dealings, Seller
from models.profiteers.judgement import THRESHOLD, Suspicion, reasons_of, suspect
from models.profiteers.matching import Matching, Offer, Purchase, Trade
from models.rows import Rows
from models.score.model import Model
from models.snapshot import Remembering

STEPS: Final = (2.0, 6.0)  # decades above the threshold from which a higher severity begins
LARGE: Final = 10_000.0  # USD received from which the worst is assumed
SMALL: Final = 300.0  # USD received up to which nothing is held: honest resting orders get that
TINY: Final = 100.0  # and up to which it is no more than worth a look
GROWN: Final = 4.0  # times what was last told: told again
NEWS: Final = 64  # judged again when a 64th of the sprees that it met are alerted anew


class ProfiteerStage(Remembering):
    """Accounts that sold to suspect keys lately."""

    remembered: ClassVar = {"_matching": Matching, "_dealings": Dealings}

    def __init__(self, model: Model) -> None:
        self._model = model
        self._matching = Matching()
        self._dealings = Dealings()

    def hear(self, rows: Rows, offers: Sequence[int]) -> list[Alert]:
        """Take in the offers, rows in order; gives alerts on those that sold."""
        alerts: list[Alert] = []
        for row in offers:
            offer = _offer(rows, row, int(rows.orders.account[row]))
            purchase = self._matching.purchase_for(_trade(rows, row), offer)
            if purchase is not None:
                alerts += self._credit(rows, row, offer, purchase)
        return alerts

    def bought(self, rows: Rows, row: int, buyer: Suspect, *, alerted: bool) -> list[Alert]:
        """Take in a noteworthy fill of a key, alerted or not; gives alerts on who sold."""
        alerts = self._purchase(rows, row, buyer) if buyer.buys else []
        return alerts + self.alerted(rows, row, buyer) if alerted else alerts

    def alerted(self, rows: Rows, row: int, buyer: Suspect) -> list[Alert]:
        """Take in that event `row` raised an alert on a key; gives alerts on who sold to it."""
        alerts: list[Alert] = []
        for account in self._dealings.alert(buyer.key, buyer.account, int(rows.merge_time[row])):
            seller = self._dealings.sellers[account]
            seller.news += 1
            if NEWS * seller.news >= len(seller.sprees):  # else each of thousands weighs all
                seller.news = 0
                alerts += self._judge(rows, row, account)
        return alerts

    def _purchase(self, rows: Rows, row: int, buyer: Suspect) -> list[Alert]:
        purchase = Purchase(
            buyer.key,
            buyer.account,
            buyer.market,
            buyer.time,
            float(rows.orders.price[row]),
            buyer.notional,
            buyer.sighting,
        )
        self._dealings.buy(purchase)
        seller = int(rows.orders.counterparty[row])
        if seller != NONE:
            offer: Offer | None = _offer(rows, row, seller)
        else:
            offer = self._matching.offer_for(_trade(rows, row), purchase)
        return [] if offer is None else self._credit(rows, row, offer, purchase)

    def _credit(self, rows: Rows, row: int, offer: Offer, purchase: Purchase) -> list[Alert]:
        """Credit a sale, and judge the account again when its fills are a tenth more than then."""
        spree = self._dealings.sell(offer, purchase)
        if spree is None or not spree.alerted:
            return []
        seller = self._dealings.sellers[offer.account]
        if seller.fills < seller.due:
            return []
        seller.due = seller.fills + max(1, seller.fills // 10)
        return self._judge(rows, row, offer.account)

    def _judge(self, rows: Rows, row: int, account: str) -> list[Alert]:
        suspicion = suspect(self._dealings, account, self._model.threshold)
        if suspicion is None or not suspicion.convicts:
            return []
        seller = self._dealings.sellers[account]
        severity = _severity(suspicion)
        grown = suspicion.received >= GROWN * seller.told_notional
        if seller.told is not None and severity <= seller.told and not grown:
            return []
        seller.told = severity if seller.told is None else max(severity, seller.told)
        seller.told_notional = suspicion.received
        return [self._alert(rows, row, suspicion, severity, seller)]

    def _alert(
        self, rows: Rows, row: int, suspicion: Suspicion, severity: Severity, seller: Seller
    ) -> Alert:
        held = severity >= Severity.HIGH
        strongest = sorted(seller.sightings, key=lambda s: (-s.rank, s.ts, s.event_id))
        allegation = Allegation(
            AlertType.PROFITEER,
            suspicion.account,
            severity,
            suspicion.score,
            THRESHOLD,
            reasons_of(suspicion),
            Action.HOLD_WITHDRAWALS if held else Action.REVIEW,
            strongest[:MAX_EVIDENCE],
        )
        return alert_of(
            allegation,
            self._model,
            rows,
            row,
            account=suspicion.account,
            received_notional=round(suspicion.received, 2),
            from_keys=suspicion.keys,
        )


def _severity(suspicion: Suspicion) -> Severity:
    """Rate how unlikely it is that this is honest, and how much was received."""
    if suspicion.received < TINY:
        return Severity.LOW
    steps = sum(suspicion.chance >= THRESHOLD + step for step in STEPS)
    severity = Severity(Severity.MEDIUM + steps)
    if suspicion.received < SMALL:
        return min(severity, Severity.MEDIUM)
    return severity if suspicion.received >= LARGE else min(severity, Severity.HIGH)


def _offer(rows: Rows, row: int, seller: int) -> Offer:
    dealing = rows.told["dealer"][row]
    account = rows.orders.accounts.strings[seller]
    return Offer(
        account,
        float(dealing[USUAL_SHARE]),
        float(dealing[SOLD_1H]),
        float(dealing[ALL_SOLD_1H]),
    )


def _trade(rows: Rows, row: int) -> Trade:
    orders = rows.orders
    market = orders.markets.strings[orders.market[row]]
    return market, int(orders.ts[row]), float(orders.qty[row])
