import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from models.alerts.envelope import (
    Action,
    AlertData,
    AlertType,
    Envelope,
    Evidence,
    Reason,
    rfc3339,
)
from models.evaluation.incidents import IncidentScore, LookAlikeScore
from streams.demo.view import View, alert_text, incident_table, look_alike_table, shown

TS = 1_670_562_611_123
HOSTILE = [
    "[red]x[/red]",
    "[link=file:///etc/passwd]x",
    "\x1b[2J\x1b]0;owned\x07",
    "a\nb\r\tc",
    "\u202egnp.exe",
    "\x9b31m",
    ":boom:",
    "x" * 5000,
    "[/]",
    "",
]
names = st.text(max_size=80) | st.sampled_from(HOSTILE)


def alert(name: str, kind: AlertType = AlertType.LEAKED_KEY) -> Envelope:
    kinds = ["surge", "pay_up", "rate", "crowd", name]  # the first two are of one kind
    data = AlertData(
        event_id=name,
        event_ts=TS,
        severity=name,
        score=0.99999996,
        threshold=0.99,
        model=name,
        config=name,
        symbol=name,
        venue=name,
        reasons=[Reason(what, 2.0, 1.0, 0.2, f"{name} {n}") for n, what in enumerate(kinds)],
        recommended_action=Action.REVIEW,
        evidence=Evidence(TS, TS, [name]),
    )
    return Envelope(id=name, type=kind, subject=name, time=rfc3339(TS), data=data)


def printed(*things: object, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=terminal, width=200, highlight=False, markup=False, emoji=False
    )
    view = View(console)
    with view.moving():
        view.progress("working")
        for thing in things:
            view.say(thing)  # type: ignore[arg-type]  # texts and tables
    return file.getvalue()


def test_the_reasons_shown_are_of_different_kinds_strongest_first() -> None:
    lines = printed(alert_text(alert("name"))).splitlines()
    assert [line[-1] for line in lines[1:]] == ["0", "2"]


@given(names, st.sampled_from([AlertType.LEAKED_KEY, AlertType.APP_LEAK]))
def test_an_alert_takes_three_printable_lines_whatever_the_names_hold(
    name: str, kind: AlertType
) -> None:
    lines = printed(alert_text(alert(name, kind))).removesuffix("\n").split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() and len(line) < 250 for line in lines)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_sends_nothing_of_its_own_to_the_terminal(name: str) -> None:
    text = printed(alert_text(alert(name)), terminal=True)
    ours = re.compile(r"\x1b\[[0-9;?]*[mhlKA]|\r")
    assert all(line.isprintable() for line in ours.sub("", text).split("\n"))
    assert "\x1b]" not in text


def test_markup_in_names_is_text() -> None:
    table = incident_table(
        [IncidentScore("[red]k", "[b]a", "v", "[/]s", 2, 1, 0, 3, 1.5, 100.0, 0.25)]
    )
    text = printed(table, alert_text(alert("[red]x[/red]", AlertType.APP_LEAK)))
    assert all(part in text for part in ("[red]k", "[b]a", "[/]s@v", "[red]x[/red]"))


def test_a_key_is_masked_and_an_app_is_named() -> None:
    assert "5bf4…64bc" in alert_text(alert("5bf46931493064bc")).plain.split("\n")[0]
    named = alert_text(alert("app77", AlertType.APP_LEAK))
    assert "app77" in named.plain.split("\n")[0]


def test_a_score_below_one_is_never_shown_as_one() -> None:
    assert alert_text(alert("k")).plain.split("\n")[0].endswith("0.999999")


def test_off_a_terminal_there_are_plain_lines_only() -> None:
    text = printed("hello", alert_text(alert("k")), look_alike_table([]))
    assert all(line.isprintable() for line in text.split("\n"))
    assert "working" not in text


def test_a_theft_that_was_missed_says_so() -> None:
    missed = IncidentScore("drip", None, "binance", "AXSUSDT", 1, 0, 0, None, None, 5e4, 0.0)
    text = printed(incident_table([missed]))
    assert all(part in text for part in ("0 of 1", "never", "0% of 50,000 USD"))


def test_look_alikes_left_alone_and_alerted_add_up() -> None:
    row = printed(look_alike_table([LookAlikeScore("signal-thin", 5, 2)])).split("\n")[-3]
    assert row.split() == ["signal-thin", "5", "3", "2"]


def test_a_long_name_is_cut() -> None:
    assert len(shown("x" * 5000)) == 24
