"""What is asked of the freeze hook: about an alert, a key, a case, or all freezing."""

import sqlite3
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from streams.dashboard.access import Role, User
from streams.dashboard.actions import Words
from streams.dashboard.alert_views import Json
from streams.dashboard.desk import DeskError
from streams.dashboard.freeze_page import answer_to
from streams.dashboard.guard import Analyst, Approver, CurrentUser, TheScreen, must_be
from streams.dashboard.handles import key_of
from streams.dashboard.screen import Screen
from streams.freeze.actions import Act
from streams.freeze.requests import Ask

BY_HAND: Final = (Ask.FREEZE, Ask.PROPOSE)

router = APIRouter(prefix="/api", tags=["freeze"])


class FreezeAsk(BaseModel, extra="forbid"):
    """Freeze or unfreeze a key, or hold an account's withdrawals; analysts can only propose."""

    ask: Literal["freeze", "propose", "approve", "reject", "unfreeze"]
    reason: Words


class CaseAsk(BaseModel, extra="forbid"):
    """Decide on a case."""

    ask: Literal["approve", "reject", "unfreeze"]
    reason: Words


class SwitchAsk(BaseModel, extra="forbid"):
    """Stop all freezing, or take that back."""

    ask: Literal["stop", "resume"]
    reason: Words


def may_ask(asked: FreezeAsk, user: Analyst) -> User:
    """Let analysts propose; all else takes an approver."""
    if Ask(asked.ask) is not Ask.PROPOSE:
        must_be(Role.APPROVER, user)
    return user


Asker = Annotated[User, Depends(may_ask)]


@router.post("/alerts/{alert_id}/freeze", status_code=202, summary="Freeze, approve, unfreeze …")
def freeze_of_alert(alert_id: str, asked: FreezeAsk, user: Asker, screen: TheScreen) -> Json:
    """Ask about the key or account of an alert; approve, reject and unfreeze need a case."""
    with screen.model.reading() as db:
        row = db.execute(
            "SELECT id, kind, api_key, account, app, symbol FROM alerts WHERE id = ?", (alert_id,)
        ).fetchone()
        if row is None:
            raise HTTPException(404, "There is no such alert.")
        case = _last_case(db, alert_id, row["api_key"])
    if Ask(asked.ask) not in BY_HAND:
        return _about_case(screen, asked, user, case)
    about = {name: row[name] for name in ("account", "app", "symbol")} | {"alert_id": row["id"]}
    if row["kind"] == "app_leak":
        raise HTTPException(409, "An app is frozen by approving its case; its keys, one by one.")
    if row["kind"] == "profiteer":
        about |= {"account": None, "what": Act.HOLD_WITHDRAWALS.value}
    return _by_hand(screen, asked, user, row["api_key"] or row["account"], **about)


@router.post("/keys/{handle}/freeze", status_code=202, summary="Freeze, approve, unfreeze a key")
def freeze_of_key(handle: str, asked: FreezeAsk, user: Asker, screen: TheScreen) -> Json:
    """Ask about a key, whether or not it was ever alerted."""
    with screen.model.reading() as db:
        api_key = key_of(db, handle)
        if api_key is None:
            raise HTTPException(404, "There is no such key.")
        case = _last_case(db, "", api_key)
        row = db.execute(
            "SELECT account, app, symbol, id AS alert_id FROM alerts WHERE api_key = ?"
            " ORDER BY n DESC LIMIT 1",
            (api_key,),
        ).fetchone()
        owner = db.execute(
            "SELECT account FROM lifecycle WHERE api_key = ? AND account IS NOT NULL"
            " ORDER BY n DESC LIMIT 1",
            (api_key,),
        ).fetchone()
    if Ask(asked.ask) not in BY_HAND:
        return _about_case(screen, asked, user, case)
    return _by_hand(screen, asked, user, api_key, **dict(row or owner or {}))


@router.post("/freezes/cases/{case}", status_code=202, summary="Approve, reject, unfreeze a case")
def freeze_case(case: str, asked: CaseAsk, user: Approver, screen: TheScreen) -> Json:
    """Ask the freeze hook about a case."""
    return _asked(screen, Ask(asked.ask), user, asked.reason, case)


@router.post("/freezes/switch", status_code=202, summary="Stop all freezing, or take that back")
def switch(asked: SwitchAsk, user: Approver, screen: TheScreen) -> Json:
    """Throw the kill switch, or take it back."""
    return _asked(screen, Ask(asked.ask), user, asked.reason, "")


@router.get("/freezes/requests/{request}", summary="What the freeze hook answered")
def answer(request: str, user: CurrentUser, screen: TheScreen) -> Json:
    """Give the hook's answer to a request and how its case stands; null while there is none."""
    with screen.model.reading() as db:
        return answer_to(db, request)


def _last_case(db: sqlite3.Connection, alert_id: str, api_key: str | None) -> str | None:
    row = db.execute(
        "SELECT case_id FROM freezes WHERE case_id != '' AND (alert_id = ? OR api_key = ?)"
        " AND outcome NOT IN ('refused', 'would')"
        " ORDER BY seq DESC LIMIT 1",
        (alert_id, api_key),
    ).fetchone()
    return row["case_id"] if row else None


def _about_case(screen: Screen, asked: FreezeAsk, user: User, case: str | None) -> Json:
    if case is None:
        raise HTTPException(409, "The freeze hook has no case that this could be about.")
    return _asked(screen, Ask(asked.ask), user, asked.reason, case)


def _by_hand(screen: Screen, asked: FreezeAsk, user: User, whom: str, **about: Any) -> Json:
    known = {name: value for name, value in about.items() if value}
    return _asked(screen, Ask(asked.ask), user, asked.reason, whom, **known)


def _asked(screen: Screen, ask: Ask, user: User, reason: str, subject: str, **about: Any) -> Json:
    try:
        return {"request": screen.desk.ask(ask, user.name, reason, subject, **about)}
    except DeskError as error:
        raise HTTPException(503, str(error)) from error
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
