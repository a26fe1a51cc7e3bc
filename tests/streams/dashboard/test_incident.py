"""An incident from the first order to the frozen key, played in a browser against all the parts."""

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from models.alerts.envelope import Action
from streams.dispositions import Disposition, Outcome
from streams.kafka.broker import free_port
from streams.kafka.children import Command
from tests.patience import wait_until
from tests.streams.conftest import Trained, everything_on
from tests.streams.dashboard.samples import alert
from tests.streams.dashboard.stand import Stand, Watched, needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]

POLICY = """
mode = "approve"
severity = "low"
score = 0.9
families = 1
max_event_age_s = 1e12
"""
SHOTS = os.environ.get("SCREENSHOTS")  # folder in which pictures of the page are kept


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Iterator[Stand]:
    """A dashboard beside a worker, a freeze hook and a mock exchange, a process each."""
    folder = tmp_path_factory.mktemp("incident")
    (folder / "freeze.toml").write_text(POLICY)
    port, secret = free_port(), folder / "secret"
    settings = {
        "MODEL": str(trained.model_dir),
        "FREEZE_POLICY": str(folder / "freeze.toml"),
        "FREEZE_FOLDER": str(folder / "hook"),
        "EXCHANGE_URL": f"http://127.0.0.1:{port}",
        "EXCHANGE_SECRET_FILE": str(secret),
    }
    with ExitStack() as stack:
        stand = Stand(folder, stack, **settings)
        arguments = ["mock-exchange", "--secret-file", str(secret), "--port", str(port)]
        stack.enter_context(Command(arguments, stand.environment, folder / "exchange.log"))
        wait_until(secret.exists)
        for name in ("worker", "freeze-hook"):
            stack.enter_context(Command([name], stand.environment, folder / f"{name}.log"))
        stand.exchange = f"http://127.0.0.1:{port}"
        yield stand


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def act(page: Page, button: str, reason: str, field: str = "Reason") -> None:
    """Press a button and give the reason that it takes."""
    page.get_by_role("group", name="Actions").get_by_role("button", name=button).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(field).fill(reason)
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_be_hidden()


def state_of(stand: Stand) -> Any:
    with urllib.request.urlopen(f"{stand.exchange}/mock/state", timeout=5) as answer:  # noqa: S310 - ours
        return json.load(answer)


def test_an_incident_is_seen_understood_decided_and_its_key_frozen(
    incident: Stand, trained: Trained, browser: Browser, tmp_path: Path
) -> None:
    with Watched(browser, incident.url) as page:
        page.goto("/")
        expect(page.get_by_text("No alerts yet")).to_be_visible()
        produce = ["produce", "--input", str(trained.tape)]
        with Command(produce, incident.environment, tmp_path / "produce.log") as produced:
            wait_until(lambda: produced.exit_code is not None)
        expect(page.locator(".row").first).to_be_visible(timeout=240_000)
        wait_until(lambda: pending(incident))
        page.goto("/?kind=leaked_key&sort=severity")
        waiting = page.locator(".row", has_text="Awaits approval").first
        expect(waiting).to_be_visible()
        shoot(page, "live")
        waiting.get_by_role("link").first.click()
        expect(page.locator(".chart canvas")).to_be_visible()
        expect(page.locator(".legend")).to_contain_text(re.compile(r"Key bought\s*[1-9]"))
        expect(page.locator(".reasons > li").first).to_be_visible()
        expect(page.locator(".evidence tbody tr").first).to_contain_text(re.compile(r"\d"))
        shoot(page, "alert")

        alert_id = page.url.rsplit("/", 1)[1]
        page.get_by_role("button", name="Claim").click()
        expect(page.locator(".alert-head .tag").first).to_have_text("Claimed")
        act(page, "Note", "Asked the owner by telephone", field="Note")
        expect(page.locator(".timeline")).to_contain_text("Asked the owner by telephone")
        act(page, "Confirm leak", "The owner did not place these orders")
        expect(page.locator(".alert-head")).to_contain_text("Confirmed")
        act(page, "Approve freeze", "Pump under way")
        expect(page.locator(".alert-head")).to_contain_text("Frozen")
        expect(page.locator(".timeline")).to_contain_text("Freeze done")
        shoot(page, "frozen")
        assert_frozen(incident, alert_id, trained)

        page.goto("/freezes")
        expect(page.get_by_text("Mode: Approve")).to_be_visible()
        expect(page.locator("tbody")).to_contain_text("Freeze done")
        shoot(page, "freezes")
        page.goto(f"/alerts/{alert_id}")
        act(page, "Unfreeze", "The owner called back")
        expect(page.locator(".alert-head")).to_contain_text("Unfrozen")


def test_a_key_that_the_hook_left_alone_is_frozen_by_hand(
    incident: Stand, browser: Browser
) -> None:
    watched = alert(700, key="watched-key-of-nobody", recommended_action=Action.REVIEW)
    incident.put(watched)
    wait_until(
        lambda: (
            incident.ask("/api/alerts?q=account-700")["alerts"]
            and incident.ask(f"/api/alerts/{watched.id}")["freeze"] == "refused"
        )
    )
    with Watched(browser, incident.url) as page:
        page.goto(f"/alerts/{watched.id}")
        expect(page.locator(".alert-head")).to_contain_text("Not frozen")
        page.get_by_role("group", name="Actions").get_by_role("button", name="Freeze").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("goes on record under your name")
        dialog.get_by_role("button", name="Freeze").click()
        expect(dialog).to_be_visible()  # it takes a reason
        dialog.get_by_label("Reason").fill("The owner called: it was not him")
        dialog.get_by_role("button", name="Freeze").click()
        expect(page.locator(".alert-head")).to_contain_text("Frozen")
        expect(page.locator(".toast")).to_contain_text("the exchange confirmed")
        expect(page.locator(".timeline")).to_contain_text("The owner called: it was not him")
        shoot(page, "by-hand")
        assert state_of(incident)["keys"]["watched-key-of-nobody"] == "frozen"

        page.locator(".alert-head h1 a").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Key")
        act(page, "Unfreeze", "He found the order in his own program")
        expect(page.locator(".page-head")).to_contain_text("Unfrozen")
        act(page, "Freeze", "He was wrong")
        expect(page.locator(".page-head")).to_contain_text("Frozen")
        assert state_of(incident)["keys"]["watched-key-of-nobody"] == "frozen"


def test_a_refused_request_says_why(incident: Stand, browser: Browser) -> None:
    with Watched(browser, incident.url) as page:
        page.goto("/freezes")
        page.get_by_role("button", name="Stop all freezing").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("Too many at once")
        dialog.get_by_role("button", name="Stop all freezing").click()
        expect(page.locator(".banner")).to_contain_text("Stopped: nothing is frozen")
        waiting = page.locator(".lines li").first
        waiting.get_by_role("button", name="Approve").click()
        dialog.get_by_label("Reason").fill("Pump under way")
        dialog.get_by_role("button", name="Approve").click()
        expect(page.locator(".toast.bad")).to_contain_text("the kill switch is on")
        page.get_by_role("button", name="Resume").click()
        dialog.get_by_label("Reason").fill("Looked into it")
        dialog.get_by_role("button", name="Resume").click()
        expect(page.locator(".banner")).to_contain_text("Mode: Approve")


def pending(stand: Stand) -> int:
    return int(stand.ask("/api/pulse")["summary"]["pending"])


def assert_frozen(stand: Stand, alert_id: str, trained: Trained) -> None:
    """The exchange froze this key, and what was decided lies on its topic as a label."""
    with ThreadPoolExecutor() as elsewhere:  # Playwright holds this thread's event loop
        topic = "alerts.dispositions"
        records = elsewhere.submit(everything_on, stand.broker.address, topic).result()
    decisions = {each.alert_id: each for each in map(Disposition.decode, records)}
    decision = decisions[alert_id]
    assert {each.disposition for each in decisions.values()} == {Outcome.CONFIRMED}
    assert {each.subject for each in decisions.values()} == {decision.subject}  # all its alerts
    assert decision.note == "The owner did not place these orders"
    assert decision.analyst == "local"
    assert decision.subject in trained.tape.read_text()
    text = json.dumps(state_of(stand))
    assert decision.subject in text
    assert "frozen" in text
