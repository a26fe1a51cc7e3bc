"""What analysts record: claims, snoozes and decisions; and the door."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from streams.clock import now_ms
from streams.dashboard.access import COOKIE, SESSION_S
from streams.dashboard.alert_views import Json
from streams.dashboard.desk import DeskError
from streams.dashboard.guard import Analyst, TheScreen
from streams.dashboard.related import MOST_RELATED
from streams.dashboard.screen import Screen
from streams.dashboard.triage import Step
from streams.dispositions import Outcome

MINUTE_MS: Final = 60_000
WEEK_MINUTES: Final = 7 * 24 * 60

router = APIRouter(prefix="/api", tags=["act"])

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000)]


Also = Annotated[list[str], Field(max_length=2 * MOST_RELATED)]


class Claim(BaseModel, extra="forbid"):
    """Take an alert, or give it back, and others with it."""

    step: Literal["claimed", "released"]
    also: Also = []


class Snooze(BaseModel, extra="forbid"):
    """Put an alert off; zero minutes end it."""

    minutes: Annotated[int, "minutes from now"]
    reason: Words


class Note(BaseModel, extra="forbid"):
    """Write something down for whoever looks next."""

    reason: Words


class Decision(BaseModel, extra="forbid"):
    """Say what an alert was, and others with it; each becomes a label for tuning."""

    outcome: Outcome
    reason: Words
    also: Also = []


class Token(BaseModel, extra="forbid"):
    """What opens the door."""

    token: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


@router.post("/alerts/{alert_id}/claim", status_code=202, summary="Take an alert, or give it back")
def claim(alert_id: str, asked: Claim, user: Analyst, screen: TheScreen) -> Json:
    """Record who has an alert."""
    ids = list(dict.fromkeys([alert_id, *asked.also]))
    for each in ids:
        _body_of(screen, each)
    return _recorded(
        *(partial(screen.desk.triage, each, Step(asked.step), user.name) for each in ids)
    )


@router.post("/alerts/{alert_id}/snooze", status_code=202, summary="Put an alert off")
def snooze(alert_id: str, asked: Snooze, user: Analyst, screen: TheScreen) -> Json:
    """Record until when an alert is put off."""
    if not 0 <= asked.minutes <= WEEK_MINUTES:
        raise HTTPException(400, f"minutes is {asked.minutes}; must be 0 to {WEEK_MINUTES}")
    _body_of(screen, alert_id)
    step = Step.SNOOZED if asked.minutes else Step.WOKEN
    until = now_ms() + asked.minutes * MINUTE_MS if asked.minutes else 0
    return _recorded(lambda: screen.desk.triage(alert_id, step, user.name, asked.reason, until))


@router.post("/alerts/{alert_id}/note", status_code=202, summary="Write something down")
def note(alert_id: str, asked: Note, user: Analyst, screen: TheScreen) -> Json:
    """Record a note on an alert's timeline; it changes nothing else."""
    _body_of(screen, alert_id)
    return _recorded(partial(screen.desk.triage, alert_id, Step.NOTED, user.name, asked.reason))


@router.post("/alerts/{alert_id}/decision", status_code=202, summary="Say what an alert was")
def decide(alert_id: str, asked: Decision, user: Analyst, screen: TheScreen) -> Json:
    """Record a decision on the dispositions topic, from which tuning learns."""
    bodies = [_body_of(screen, each) for each in dict.fromkeys([alert_id, *asked.also])]
    said = asked.outcome, user.name, asked.reason
    return _recorded(*(partial(screen.desk.decide, body, *said) for body in bodies))


@router.post("/enter", summary="Show a token at the door")
def enter(asked: Token, request: Request, response: Response, screen: TheScreen) -> Json:
    """Give a cookie that stands for the token."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(403, "Enter from this dashboard's own page.")
    entered = screen.access.enter(asked.token)
    if entered is None:
        raise HTTPException(401, "This token opens nothing here.")
    user, cookie = entered
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=screen.access.is_https(request),
    )
    return {"name": user.name, "role": user.role.name.lower()}


@router.post("/leave", summary="Leave")
def leave(response: Response) -> Json:
    """Forget the cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return {}


def _body_of(screen: Screen, alert_id: str) -> bytes:
    with screen.model.reading() as db:
        row = db.execute("SELECT body FROM alerts WHERE id = ?", (alert_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "There is no such alert.")
    return bytes(row["body"])


def _recorded(*records: Callable[[], None]) -> Json:
    done = 0
    try:
        for record in records:
            record()
            done += 1
    except DeskError as error:
        before = f" {done} of {len(records)} alerts were dealt with before." if done else ""
        raise HTTPException(503, f"{error}{before}") from error
    return {"recorded": done}
