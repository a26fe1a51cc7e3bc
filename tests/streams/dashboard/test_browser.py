"""The page in a real browser: what analysts see, and what attackers would like them to."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from models.alerts.envelope import AlertType
from tests.patience import wait_until
from tests.streams.dashboard.samples import HOSTILE, KEY, NOW, alert
from tests.streams.dashboard.stand import Stand, Watched, needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]

NEW = re.compile(r"\d+ new")
PAGES = ("/", "/apps", "/app?name=app-1", "/profiteers", "/inactive", "/freezes", "/health", "/api")


@pytest.fixture(scope="module")
def filled(stand: Stand) -> Stand:
    """A stand with some alerts of each kind."""
    severities = ("low", "medium", "high", "critical")
    stand.put(
        *(alert(n, severity=severities[n % 4], symbol=f"COIN{n % 3}") for n in range(1, 41)),
        alert(41, type=AlertType.APP_LEAK, keys=[f"{KEY}1", f"{KEY}2"]),
        alert(42, type=AlertType.PROFITEER, from_keys=[f"{KEY}1"]),
    )
    wait_until(lambda: stand.ask("/api/alerts?limit=1")["total"] >= 42)
    return stand


def settle(page: Page) -> None:
    """Wait until the page shows what it is about."""
    page.wait_for_selector(".row, main .card")
    expect(page.locator(".bones")).to_have_count(0)


def row_places(page: Page) -> dict[str, float]:
    places: dict[str, float] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.row')]"
        ".map(row => [row.dataset.id, row.getBoundingClientRect().top]))"
    )
    return places


def test_new_alerts_wait_within_two_seconds_and_move_nothing(
    filled: Stand, browser: Browser
) -> None:
    with Watched(browser, filled.url) as page:
        page.goto("/")
        expect(page.locator(".row").first).to_be_visible()
        expect(page.locator(".state.ok, .state.warn")).to_be_visible()
        before = row_places(page)
        started = time.monotonic()
        filled.put(alert(101))
        expect(page.get_by_role("button", name="Show 1 new alerts")).to_be_visible()
        assert time.monotonic() - started < 2
        filled.put(*(alert(n) for n in range(102, 112)))
        expect(page.locator(".pill")).to_have_text("11 new")
        assert row_places(page) == before
        page.keyboard.press("n")
        expect(page.locator(".row").first).to_contain_text("account-111")
        expect(page.locator(".pill")).to_be_hidden()


def test_the_list_is_driven_by_keys(filled: Stand, browser: Browser) -> None:
    with Watched(browser, filled.url) as page:
        page.goto("/")
        chosen = page.locator(".row.chosen")
        expect(chosen).to_have_attribute("aria-rowindex", "2")
        for key, row in (("j", "3"), ("j", "4"), ("k", "3"), ("End", None), ("Home", "2")):
            page.keyboard.press(key)
            if row:
                expect(chosen).to_have_attribute("aria-rowindex", row)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("next alert")
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/alerts/[0-9a-f]{32}$"))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page).to_have_url(f"{filled.url}/")
        expect(chosen).to_have_attribute("aria-rowindex", "2")


def test_filters_live_in_the_address(filled: Stand, browser: Browser) -> None:
    with Watched(browser, filled.url) as page:
        page.goto("/?severity=critical&q=coin1")
        expect(page.locator(".row").first).to_contain_text("COIN1")
        assert page.locator(".row .sev:not(.critical)").count() == 0
        page.get_by_role("searchbox").fill("nobody")
        expect(page.get_by_text("Nothing matches")).to_be_visible()
        expect(page).to_have_url(f"{filled.url}/?severity=critical&q=nobody")
        page.get_by_role("button", name="Clear the filters").click()
        expect(page).to_have_url(f"{filled.url}/")
        page.get_by_role("button", name="App leak").click()
        expect(page.locator(".row")).to_have_count(1)
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        assert Path(download.value.path()).read_text().count("\n") == 2


LISTEN = """() => {
  window.heard = 0;
  const told = new EventSource("/api/events");
  told.addEventListener("alerts", (event) => { window.heard += JSON.parse(event.data).length; });
  return new Promise((done) => { told.onopen = () => done(); });
}"""


def test_an_alert_that_comes_while_the_list_is_on_its_way_is_not_lost(
    filled: Stand, browser: Browser
) -> None:
    with Watched(browser, filled.url) as page:
        page.goto("/")
        settle(page)
        page.evaluate(LISTEN)
        held: list[tuple[Route, APIResponse]] = []
        page.route("**/api/alerts?limit=200*", lambda route: held.append((route, route.fetch())))
        page.get_by_role("button", name="Leaked key").click()
        wait_until(lambda: page.evaluate("1") and held)  # each call lets the browser be heard
        rows = filled.ask("/api/alerts?limit=1&kind=leaked_key")["total"]
        filled.put(alert(201))
        wait_until(lambda: page.evaluate("window.heard"))
        route, before = held[0]
        route.fulfill(response=before)
        expect(page.locator(".list")).to_have_attribute("aria-rowcount", str(rows + 1))
        expect(page.locator(".pill")).to_be_visible()


def test_nothing_that_attackers_name_runs_or_breaks_the_page(
    filled: Stand, browser: Browser
) -> None:
    nasty = [
        alert(200 + n, app=name, symbol=name, venue=name, account=name)
        for n, name in enumerate(HOSTILE)
    ]
    leaks = [alert(300 + n, type=AlertType.APP_LEAK, app=name) for n, name in enumerate(HOSTILE)]
    thieves = [
        alert(400 + n, type=AlertType.PROFITEER, account=name) for n, name in enumerate(HOSTILE)
    ]
    filled.put(*nasty, *leaks, *thieves)
    wait_until(lambda: filled.ask("/api/alerts?q=HYPERLINK")["total"] >= 3)
    with Watched(browser, filled.url) as page:
        for path in (
            "/",
            *PAGES,
            *(f"/alerts/{each.id}" for each in [*nasty, leaks[0], thieves[0]]),
        ):
            page.goto(path)
            settle(page)
            width = page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert width[0] <= width[1], path
            assert page.locator("img:not(.brand img)").count() == 0
        for name in HOSTILE:
            page.goto(f"/app?{urlencode({'name': name})}")
            page.wait_for_selector(".figures")
        assert page.evaluate("window.pwned") is None
        assert "\u202e" not in page.locator("body").inner_text()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_passes_the_accessibility_check(
    filled: Stand, browser: Browser, theme: Any
) -> None:
    shown = alert(4).id
    with Watched(browser, filled.url, color_scheme=theme) as page:
        key = filled.ask(f"/api/alerts/{shown}")["key"]["handle"]
        for path in (*PAGES, f"/alerts/{shown}", f"/keys/{key}", "/enter"):
            page.goto(path)
            settle(page)
            found = Axe().run(page).response["violations"]
            told = [(v["id"], [node["html"][:160] for node in v["nodes"][:3]]) for v in found]
            assert told == [], path


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_no_page_is_wider_than_a_small_screen_or_a_phone(
    filled: Stand, browser: Browser, width: int, height: int
) -> None:
    size: Any = {"width": width, "height": height}
    with Watched(browser, filled.url, viewport=size) as page:
        for path in (*PAGES, f"/alerts/{alert(4).id}"):
            page.goto(path)
            settle(page)
            within = page.evaluate(
                "[...document.querySelectorAll('main, .page, .card')]"
                ".every(box => box.getBoundingClientRect().right <= innerWidth + 1)"
            )
            assert within, path
        page.goto("/")
        expect(page.locator(".row .subject").first).to_be_visible()
        expect(page.locator(".row .money").first).to_be_visible()


@pytest.fixture
def guarded(filled: Stand, tmp_path: Path) -> Iterator[Stand]:
    """The same, and it takes a token."""
    tokens = tmp_path / "tokens"
    tokens.write_text("vera viewer 0123456789abcdef\n")
    filled.stop()
    name = "ROGUEKEY_DASHBOARD_TOKENS"
    filled.environment[name] = str(tokens)
    try:
        filled.start()
        yield filled
    finally:
        filled.stop()
        del filled.environment[name]
        filled.start()


def enter(page: Page) -> None:
    page.goto("/")
    page.wait_for_url("**/enter")
    page.get_by_label("Token").fill("0123456789abcdef")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator(".row").first).to_be_visible()


def test_a_viewer_can_look_and_do_nothing(guarded: Stand, browser: Browser) -> None:
    with Watched(browser, guarded.url) as page:
        enter(page)
        page.goto(f"/alerts/{alert(4).id}")
        expect(page.get_by_role("button", name="Confirm leak")).to_be_disabled()
        expect(page.get_by_role("button", name="Claim")).to_be_disabled()
        expect(page.locator(".who")).to_contain_text("viewer")


def test_a_page_whose_session_has_ended_says_so_and_goes_on_when_one_has_entered_again(
    guarded: Stand, browser: Browser
) -> None:
    with Watched(browser, guarded.url) as page:
        enter(page)
        guarded.stop()
        expect(page.locator(".state.bad")).to_contain_text("Dashboard unreachable since")
        page.context.clear_cookies()  # as the browser does when their time is over
        guarded.start()
        expect(page.locator(".state.bad")).to_have_text("Your session has ended")
        expect(page.locator(".row").first).to_be_visible()
        elsewhere = page.context.new_page()
        enter(elsewhere)
        expect(page.locator(".state.bad")).to_be_hidden()
        expect(page.get_by_role("link", name="Enter again")).to_be_hidden()
        elsewhere.close()


def test_no_alert_is_lost_when_dashboard_or_broker_go_and_come_back(
    filled: Stand, browser: Browser
) -> None:
    with Watched(browser, filled.url) as page:
        page.goto("/")
        expect(page.locator(".row").first).to_be_visible()
        filled.stop()
        expect(page.locator(".state.bad")).to_contain_text("Dashboard unreachable since")
        filled.put(*(alert(n) for n in range(501, 504)))
        filled.start()
        expect(page.locator(".pill")).to_have_text("3 new")
        filled.stop_broker()
        expect(page.locator(".state.bad")).to_contain_text("Brokers unreachable since")
        filled.broker.start()
        expect(page.locator(".state.bad")).to_be_hidden()
        filled.put(*(alert(n) for n in range(504, 509)))
        expect(page.locator(".pill")).to_have_text("8 new")
        page.locator(".pill").click()
        listed = filled.ask("/api/alerts?limit=8")["alerts"]
        assert {row["account"] for row in listed} == {f"account-{n}" for n in range(501, 509)}
        for number in range(501, 509):
            expect(page.locator(".list")).to_contain_text(f"account-{number}")


def test_one_decision_settles_all_alerts_of_a_key(filled: Stand, browser: Browser) -> None:
    escalated = [alert(n, key="escalated-key", symbol="STAIRS") for n in range(601, 604)]
    filled.put(*escalated)
    wait_until(lambda: filled.ask("/api/alerts?q=stairs")["total"] == 3)
    with Watched(browser, filled.url) as page:
        page.goto(f"/alerts/{escalated[0].id}")
        page.get_by_role("button", name="Confirm leak").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("and the 2 other alerts on this key")).to_be_checked()
        dialog.get_by_label("Reason").fill("The owner did not place these orders")
        dialog.get_by_role("button", name="Confirm leak").click()
        expect(page.locator(".alert-head")).to_contain_text("Confirmed")
        wait_until(lambda: filled.ask("/api/alerts?q=stairs&status=confirmed")["total"] == 3)


def test_where_no_worker_runs_the_health_page_says_what_is_known(
    filled: Stand, browser: Browser
) -> None:
    with Watched(browser, filled.url) as page:
        page.goto("/health")
        banner = page.locator(".banner")
        expect(banner).to_contain_text("No worker is running")
        expect(banner).to_contain_text("no alert is raised until then")
        expect(page.get_by_text("Nothing answers at this address.")).to_be_visible()


STATES: dict[str, tuple[dict[str, Any], int | None]] = {
    "Dashboard unreachable since 08:00:00": ({}, NOW),
    "Brokers unreachable since 08:00:00": ({"reachable": False}, None),
    "Catching up…": ({"read_up": False}, None),
    "No event for 41 s": ({"orders_moved": NOW - 41_000}, None),
    "Live · 1,234 events/s": ({"orders_rate": 1234.4}, None),
    "Live": ({}, None),
}


def test_it_says_how_fresh_all_is(filled: Stand, browser: Browser) -> None:
    usual: dict[str, Any] = {
        "reachable": True, "since": NOW, "read_up": True, "orders_moved": NOW, "orders_rate": 0,
    }  # fmt: skip
    with Watched(browser, filled.url) as page:
        page.goto("/")
        for words, (changes, lost) in STATES.items():
            told = page.evaluate(
                "([pulse, lost, now]) => import('/static/js/standing.js')"
                ".then(module => module.standing(pulse, lost, now)[1])",
                [usual | changes, lost, NOW],
            )
            assert told == words
