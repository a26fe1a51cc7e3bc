"""The JSON API: what the screen reads. Everything here is open to viewers."""

from collections.abc import Iterator
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from streams.clock import now_ms
from streams.dashboard.alert_list import MOST_ROWS, Filter, FilterError, list_alerts
from streams.dashboard.alert_page import alert_page
from streams.dashboard.alert_views import Json
from streams.dashboard.charts import Chart
from streams.dashboard.csv_export import as_csv
from streams.dashboard.entities import app_list, app_page, inactive, key_page, profiteers
from streams.dashboard.events import position, stream
from streams.dashboard.freeze_page import freeze_page
from streams.dashboard.guard import CurrentUser, TheScreen

MOST_EXPORTED: Final = 100_000
CHART_S: Final = 5.0  # how long a page waits for a chart that is being made

router = APIRouter(prefix="/api", tags=["read"])

Found = TypeVar("Found")


def filter_of(
    severity: Annotated[
        str, Query(description="low, medium, high, critical; comma-separated")
    ] = "",
    kind: Annotated[str, Query(description="leaked_key, app_leak, profiteer")] = "",
    status: Annotated[
        str, Query(description="open, claimed, snoozed, confirmed, false_alarm; comma-separated")
    ] = "",
    q: Annotated[
        str, Query(max_length=200, description="text in app, market or account, or a masked key")
    ] = "",
    assignee: Annotated[str, Query(max_length=100, description="who has it")] = "",
    sort: Annotated[str, Query(description="newest, severity or money")] = "newest",
) -> Filter:
    """Read the filter from the address; 400 where it names what is not there."""
    try:
        return Filter(_words(severity), _words(kind), _words(status), q.strip(), assignee, sort)
    except FilterError as error:
        raise HTTPException(400, str(error)) from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


TheFilter = Annotated[Filter, Depends(filter_of)]


@router.get("/me", summary="Who asks, and the token that changes need")
def me(user: CurrentUser, screen: TheScreen) -> Json:
    """Give name and role, and the CSRF token to send as X-CSRF-Token with every POST."""
    return {
        "name": user.name,
        "role": user.role.name.lower(),
        "csrf": screen.access.csrf_of(user),
        "can_leave": bool(screen.settings.dashboard_tokens),
    }


@router.get("/pulse", summary="How things stand, at a glance")
def pulse(user: CurrentUser, screen: TheScreen) -> Json:
    """Give the state of the brokers and a summary of what is open."""
    return screen.pulse()


@router.get("/alerts", summary="The live list, page by page")
def alerts(
    user: CurrentUser,
    screen: TheScreen,
    chosen: TheFilter,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
    cursor: Annotated[str, Query(max_length=60, description="`next` of the page before")] = "",
) -> Json:
    """Give alerts, newest first unless sorted otherwise; `next` is the cursor of the next page."""
    with screen.model.reading() as db:
        try:
            page = list_alerts(db, chosen, screen.handles, now_ms(), limit, cursor)
        except FilterError as error:
            raise HTTPException(400, str(error)) from None
    return {**page, "change": f"{screen.model.epoch}-{page['change']}"}


@router.get("/alerts.csv", summary="The live list as CSV", response_class=StreamingResponse)
def alerts_csv(user: CurrentUser, screen: TheScreen, chosen: TheFilter) -> StreamingResponse:
    """Give the alerts of a filter as CSV, keys masked."""

    def rows() -> Iterator[Json]:
        cursor, given = "", 0
        while given < MOST_EXPORTED:
            with screen.model.reading() as db:
                page = list_alerts(db, chosen, screen.handles, now_ms(), MOST_ROWS, cursor)
            yield from page["alerts"]
            given += len(page["alerts"])
            cursor = page["next"]
            if not cursor:
                return

    headers = {"Content-Disposition": 'attachment; filename="roguekey-alerts.csv"'}
    return StreamingResponse(as_csv(rows()), media_type="text/csv", headers=headers)


@router.get("/alerts/{alert_id}", summary="Everything about one alert")
def alert(alert_id: str, user: CurrentUser, screen: TheScreen) -> Json:
    """Give an alert with its reasons, its surroundings and its timeline."""
    with screen.model.reading() as db:
        return _found(alert_page(db, alert_id, screen.handles, now_ms()), "alert")


@router.get("/alerts/{alert_id}/chart", summary="The market around an alert")
def chart(alert_id: str, user: CurrentUser, screen: TheScreen) -> Json:
    """Give bars, the suspect keys' fills, and the sells of those who sold to them."""
    with screen.model.reading() as db:
        row = db.execute("SELECT n, raised_ts FROM alerts WHERE id = ?", (alert_id,)).fetchone()
    row = _found(row, "alert")
    drawn = screen.charts.look_at(row["n"], row["raised_ts"], CHART_S)
    return _as_json(_found(drawn, "chart"))


def _as_json(chart: Chart) -> Json:
    built: Json = msgspec.to_builtins(chart)
    return built


@router.get("/apps", summary="Apps whose keys were alerted")
def apps(user: CurrentUser, screen: TheScreen) -> list[Json]:
    """Give the apps, those said to leak first."""
    with screen.model.reading() as db:
        return app_list(db)


@router.get("/app", summary="One app")
def app(name: str, user: CurrentUser, screen: TheScreen) -> Json:
    """Give an app with its keys and its alerts."""
    with screen.model.reading() as db:
        return _found(app_page(db, name, screen.handles, now_ms()), "app")


@router.get("/profiteers", summary="Accounts that sold into what leaked keys bought")
def profiteer_list(user: CurrentUser, screen: TheScreen) -> list[Json]:
    """Give the accounts, those who received most first."""
    with screen.model.reading() as db:
        return profiteers(db, screen.handles, now_ms())


@router.get("/keys/{handle}", summary="One key")
def key(handle: str, user: CurrentUser, screen: TheScreen) -> Json:
    """Give a key's alerts, freezes and lifecycle, by its handle."""
    with screen.model.reading() as db:
        return _found(key_page(db, handle, screen.handles, now_ms()), "key")


@router.get("/inactive", summary="Keys that nobody uses")
def inactive_keys(user: CurrentUser, screen: TheScreen) -> Json:
    """Give the keys about which the inactive-key policy said something."""
    with screen.model.reading() as db:
        return inactive(db, screen.handles)


@router.get("/freezes", summary="Mode, pending approvals and audit of the freeze hook")
def freezes(
    user: CurrentUser,
    screen: TheScreen,
    before: Annotated[int, Query(ge=0, description="entries before this number")] = 0,
) -> Json:
    """Give what the freeze hook decided, newest first."""
    with screen.model.reading() as db:
        return freeze_page(db, screen.handles, screen.policy, now_ms(), before)


@router.get("/health", summary="Brokers, lag, workers, model")
def health(user: CurrentUser, screen: TheScreen) -> Json:
    """Give all that is known of the system's health."""
    with screen.model.reading() as db:
        return screen.health.page(db)


@router.get("/events", summary="What changes, as server-sent events")
async def events(
    request: Request,
    user: CurrentUser,
    screen: TheScreen,
    after: Annotated[str, Query(max_length=60, description="`change` of a page of alerts")] = "",
) -> StreamingResponse:
    """Send `alerts` (rows that came or changed), `pulse`, and `reset` (read the list anew).

    Give the last id that you saw as Last-Event-ID or `after`, and nothing is missed.
    """
    known = position(request.headers.get("last-event-id") or after, screen.model.epoch)

    def may_listen() -> bool:
        return screen.access.user_of(request) is not None

    epoch = screen.model.epoch
    body = stream(screen.bell, screen.changes, screen.pulse, epoch, known, may_listen)
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


def _found(what: Found | None, name: str) -> Found:
    if what is None:
        raise HTTPException(404, f"There is no such {name}.")
    return what
