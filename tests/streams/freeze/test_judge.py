"""Budgets and bursts; each single rule is tested with the hook that applies it."""

import resource
import time
from pathlib import Path

import pytest

from streams.freeze.actions import Act, Mode, Outcome, Rule
from streams.freeze.requests import Ask
from tests.streams.freeze.stand import Stand, leak

BURST = 10_000
MIB = 1024  # of ru_maxrss, which counts KiB


def alerts(stand: Stand, first: int, last: int, app: str | None = None) -> list[bytes]:
    stamp = round(1000 * stand.now)
    return [leak(n, f"key-{n}", event_ts=stamp, app=app or f"app-{n}") for n in range(first, last)]


def test_a_full_budget_opens_the_breaker_until_somebody_resumes(tmp_path: Path) -> None:
    stand = Stand(tmp_path, budget={"per_minute": 3})
    stand.hear(*alerts(stand, 0, 5))
    assert len(stand.effects()) == 3
    rules = [entry.rule for entry in stand.entries() if entry.outcome == Outcome.PENDING]
    assert rules == [Rule.BUDGET, Rule.BREAKER]
    stand.settle(61)
    stand.hear(*alerts(stand, 5, 6))
    assert len(stand.effects()) == 3
    stand.ask(Ask.RESUME, reason="they were right")
    stand.hear(*alerts(stand, 6, 7))
    assert len(stand.effects()) == 4


@pytest.mark.parametrize(
    ("budget", "span_s"), [("per_minute", 60), ("per_hour", 3600), ("per_day", 86_400)]
)
def test_each_budget_counts_over_its_own_span(budget: str, span_s: int, tmp_path: Path) -> None:
    stand = Stand(tmp_path, budget={budget: 2}, cool_down_s=0)
    stand.hear(*alerts(stand, 0, 2))
    stand.now += span_s - 1
    stand.again(budget={budget: 2})  # over a restart, too
    stand.hear(*alerts(stand, 2, 3))
    assert stand.entries(Act.BREAKER)[-1].outcome == Outcome.ON
    stand.ask(Ask.RESUME)
    stand.now += 2
    stand.hear(*alerts(stand, 3, 4))
    assert len(stand.effects()) == 3


def test_one_app_cannot_use_up_everybody_elses_budget(tmp_path: Path) -> None:
    stand = Stand(tmp_path, budget={"per_app_hour": 2})
    stand.hear(*alerts(stand, 0, 4, "one app"), *alerts(stand, 4, 6, "another"))
    assert len(stand.effects()) == 4
    assert stand.entries(Act.BREAKER) == []


def test_what_people_approve_uses_up_no_budget(tmp_path: Path) -> None:
    stand = Stand(tmp_path, mode=Mode.APPROVE)
    stand.hear(*alerts(stand, 0, 3))
    for entry in stand.entries():
        stand.ask(Ask.APPROVE, entry.case)
    assert len(stand.effects()) == 3
    stand.again(budget={"per_minute": 1})
    stand.hear(*alerts(stand, 3, 4))
    assert len(stand.effects()) == 4


@pytest.mark.slow
def test_in_a_burst_of_ten_thousand_alerts_the_budgets_hold(tmp_path: Path) -> None:
    stand = Stand(tmp_path, most_pending=100)
    values = alerts(stand, 0, BURST)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    for first in range(0, BURST, 500):
        stand.hear(*values[first : first + 500])
    taken = time.process_time() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(stand.effects()) == 10
    outcomes = stand.story(Act.FREEZE_KEY)
    assert outcomes.count(Outcome.PENDING) == 100
    assert outcomes.count(Outcome.REFUSED) == BURST - 110
    assert len({entry.alert_id for entry in stand.entries(Act.FREEZE_KEY)}) == BURST
    assert len([alarm for alarm in stand.alarms if alarm["type"] == "freeze.approval"]) == 1
    assert grown < 64 * MIB
    assert taken < 30
