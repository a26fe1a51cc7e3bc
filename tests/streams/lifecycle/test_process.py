from dataclasses import replace
from pathlib import Path

import pytest

from models.lifecycle.calendar import calendar
from models.lifecycle.machine import Mode
from models.lifecycle.policy import policy
from streams.lifecycle.entries import Kind, Reason
from streams.lifecycle.holds import Watch, acknowledge
from streams.lifecycle.process import MOST_ATTEMPTS
from streams.lifecycle.steps import Limits
from streams.lifecycle.store import Place, StateError
from tests.models.lifecycle.policies import ms
from tests.streams.lifecycle.worlds import BUSY, DONE, REFUSED, START, World


def notified(world: World, api_key: str = "k1") -> World:
    """A key that was used at the start and whose owner was told thirty days later."""
    world.use(api_key)
    world.run().after(days=30)
    assert world.phase(api_key) == "notified"
    return world


def test_an_unused_key_is_told_of_then_confirmed_then_removed(world: World) -> None:
    world.use("k1")
    world.run().after(days=29, hours=23)
    assert world.phase("k1") == "active"
    world.after(hours=1)  # Wednesday, 2026-02-04 10:00
    assert world.phase("k1") == "notified"
    world.after(days=1, hours=23)
    assert world.outside.removed == {}
    world.after(hours=1)
    assert world.phase("k1") == "removed"
    assert [key for _, key in world.outside.removed.values()] == ["k1"]
    assert world.kinds("k1") == ["notice", "confirmation", "removal"]
    ((_, notice),) = world.outside.letters(Kind.NOTICE, "k1")
    assert (notice.account, notice.removal_due) == ("a-k1", ms("2026-02-06 10:00"))
    assert len(world.outside.letters(Kind.CONFIRMATION, "k1")) == 1
    assert len(world.outside.letters(Kind.REMOVAL, "k1")) == 1


@pytest.mark.parametrize(
    ("used", "told", "gone"),
    [
        ("2025-11-30 12:00", "2025-12-30 12:00", "2026-01-02 12:00"),  # New Year's Day between
        ("2026-02-03 12:00", "2026-03-05 12:00", "2026-03-09 12:00"),  # a weekend
        ("2026-06-02 12:00", "2026-07-02 12:00", "2026-07-07 12:00"),  # Thursday before the 3rd
        ("2028-01-29 12:00", "2028-02-28 12:00", "2028-03-01 12:00"),  # the leap day
        ("2026-02-05 12:00", "2026-03-07 13:00", "2026-03-11 00:00"),  # a Saturday; clock forward
    ],
)
def test_business_days_are_those_of_the_place(
    tmp_path: Path, used: str, told: str, gone: str
) -> None:
    zone = "America/New_York"
    world = World(tmp_path, policy("binance", calendar(zone, "US")))
    world.now = ms(used, zone)
    world.use("k1")
    world.run().at(told, zone)
    assert world.phase("k1") == "notified"
    world.now = ms(gone, zone) - 1
    assert world.run().phase("k1") == "notified"
    assert world.at(gone, zone).phase("k1") == "removed"


@pytest.mark.parametrize("status", ["new", "canceled", "rejected", "expired", "filled"])
def test_any_event_of_a_notified_key_rescues_it(world: World, status: str) -> None:
    notified(world).use("k1", status=status)
    world.after(days=1)
    assert world.phase("k1") == "active"
    world.after(days=5)
    assert world.outside.removed == {}
    assert world.kinds("k1") == ["notice", "rescue"]
    assert len(world.outside.letters(Kind.RESCUE, "k1")) == 1


def test_a_use_of_the_last_moment_is_read_before_anything_is_done(world: World) -> None:
    notified(world)
    world.now = ms("2026-02-06 10:00")
    world.use("k1", world.now - 1)
    assert world.run().phase("k1") == "active"
    assert world.outside.removed == {}


def test_a_long_outage_of_the_process_removes_no_key_that_was_used_meanwhile(world: World) -> None:
    notified(world)
    for day in range(1, 60):
        world.use("k1", START + (30 + day) * 86_400_000)
    world.now += 60 * 86_400_000
    world.restart()
    assert world.run().phase("k1") == "active"
    assert world.outside.removed == {}


def test_an_event_from_the_future_makes_no_key_immortal(world: World) -> None:
    world.use("k1", START * 2)
    world.run().after(days=30)
    assert world.phase("k1") == "notified"


def test_a_late_event_never_turns_back_the_last_use(world: World) -> None:
    world.use("k1")
    world.use("k1", START - 86_400_000)
    world.run().after(days=29.5)
    assert world.phase("k1") == "active"


def test_a_restriction_to_addresses_rescues_and_its_end_starts_the_days_anew(world: World) -> None:
    notified(world).record("ip_bound", "k1")
    world.after(days=1)
    assert world.phase("k1") == "active"
    assert world.kinds("k1") == ["notice", "rescue"]
    world.after(days=100)
    assert world.phase("k1") == "active"
    world.record("ip_unbound", "k1")
    assert world.run().after(days=29).phase("k1") == "active"
    assert world.after(days=1).phase("k1") == "notified"


def test_a_key_that_was_never_used_counts_from_its_creation(world: World) -> None:
    world.use("other")
    world.run().after(hours=1).record("created", "k1")
    world.run().after(days=29.9)
    assert world.phase("k1") == "active"
    assert world.after(hours=3).phase("k1") == "notified"


def test_days_before_the_first_order_that_was_read_do_not_count(world: World) -> None:
    world.record("created", "k1", START - 300 * 86_400_000)
    world.use("other")
    assert world.run().after(days=29).phase("k1") == "active"
    assert world.after(days=1).phase("k1") == "notified"


def test_an_operator_can_vouch_for_an_earlier_beginning(world: World) -> None:
    world.rules = replace(world.rules, observed_since=START - 60 * 86_400_000)
    world.restart()
    world.record("created", "k1", START - 50 * 86_400_000)
    assert world.run().phase("k1") == "notified"


def test_a_deleted_or_exempt_key_is_left_alone(tmp_path: Path) -> None:
    sparing = policy("binance", calendar(), exempt=("k2", "account:a-k3"))
    world = World(tmp_path, sparing)
    for key in ("k1", "k2", "k3", "k4"):
        world.use(key)
    world.record("deleted", "k1", START + 1)
    world.run().after(days=40).after(days=10)
    assert [world.phase(f"k{n}") for n in (1, 2, 3, 4)] == ["active"] * 3 + ["removed"]
    assert {key for _, key in world.outside.removed.values()} == {"k4"}


def test_a_notice_that_fails_starts_no_clock(world: World) -> None:
    world.use("k1")
    world.outside.notifier = BUSY
    world.run()
    world.after(days=30)
    for _ in range(40):
        world.after(hours=6)
    assert world.phase("k1") == "idle"
    assert set(world.kinds("k1")) == {"notice_failed"}
    world.outside.notifier = DONE
    world.after(hours=2)
    assert world.phase("k1") == "notified"
    told = world.outside.letters(Kind.NOTICE, "k1")[0][0]
    world.after(days=1)
    assert world.outside.removed == {}
    world.after(days=6)
    removed = next(iter(world.outside.removed.values()))[0]
    assert removed >= world.rules.policy.removal_due(told)


def test_a_refused_notice_is_told_once_a_day_and_tried_each_hour(world: World) -> None:
    world.use("k1")
    world.outside.notifier = REFUSED
    world.run().after(days=30)
    before = world.outside.calls
    for _ in range(23):
        world.after(hours=1)
    assert world.outside.calls - before == 23
    assert world.kinds("k1") == ["notice_failed"]


def test_what_an_owner_cannot_be_told_is_given_up_in_the_end_with_a_word(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    notified(world).use("k1")
    world.outside.notifier = BUSY
    for _ in range(MOST_ATTEMPTS + 1):
        world.after(hours=1)
    assert caplog.messages[-1].startswith("rescue of key ")
    assert caplog.messages[-1].endswith(": its owner is not told: HTTP 503")
    world.outside.notifier = DONE
    assert world.after(hours=1).outside.letters(Kind.RESCUE, "k1") == []


def test_nothing_is_removed_while_the_owner_cannot_be_told_that_it_goes_now(world: World) -> None:
    notified(world)
    world.outside.notifier = BUSY
    for _ in range(48):
        world.after(hours=6)
    assert (world.phase("k1"), world.outside.removed) == ("notified", {})


def test_a_removal_that_fails_is_tried_again_under_the_same_id(world: World) -> None:
    notified(world)
    world.outside.exchange = BUSY
    world.after(days=2)
    assert world.phase("k1") == "confirmed"
    for _ in range(12):
        world.after(hours=0.01)
    assert "removal_failed" in world.kinds("k1")
    world.outside.exchange = DONE
    world.after(hours=2)
    assert len(world.outside.removed) == 1
    assert world.phase("k1") == "removed"


def test_a_use_rescues_a_key_whose_removal_the_exchange_has_not_answered(world: World) -> None:
    notified(world)
    world.outside.exchange = BUSY
    world.after(days=2)
    world.use("k1")
    world.outside.exchange = DONE
    assert world.after(days=3).phase("k1") == "active"
    assert world.outside.removed == {}
    rescue = next(entry for entry in world.feed.told if entry.kind is Kind.RESCUE)
    assert "look there" in rescue.text


def test_a_use_that_comes_to_light_after_the_removal_is_told(world: World) -> None:
    notified(world).after(days=2)
    world.use("k1", START + 31 * 86_400_000)
    world.run()
    assert world.phase("k1") == "removed"
    assert world.kinds("k1")[-1] == "late_use"
    assert world.last_reason() == Reason.USED
    world.after(hours=1).use("k1")  # and it still works
    world.run()
    assert world.phase("k1") == "active"
    assert world.last_reason() == Reason.USED_AFTER_REMOVAL


def test_no_more_is_removed_in_a_day_than_the_budget_allows(tmp_path: Path) -> None:
    world = World(tmp_path, limits=Limits(1000, 2))
    for number in range(5):
        world.use(f"k{number}", START + number)
    world.run().after(days=31).after(days=4)
    assert len(world.outside.removed) == 2
    assert [hold.reason for hold in world.process.holds] == [Reason.BUDGET]
    assert world.feed.told[-1].kind in {Kind.HOLD, Kind.REMOVAL}
    world.after(hours=23)
    assert len(world.outside.removed) == 2
    world.after(hours=2)
    assert len(world.outside.removed) == 4
    world.after(days=1, hours=1)
    assert len(world.outside.removed) == 5
    assert world.process.holds == []


def test_no_more_notices_go_out_in_a_day_than_allowed(tmp_path: Path) -> None:
    world = World(tmp_path, limits=Limits(2, 1000))
    for number in range(3):
        world.use(f"k{number}", START + number)
    world.run().after(days=31)
    assert [world.phase(f"k{n}") for n in range(3)] == ["notified", "notified", "active"]
    assert world.after(days=1, hours=1).phase("k2") == "notified"


def test_a_dry_run_tells_the_topic_alone(tmp_path: Path) -> None:
    world = World(tmp_path, mode=Mode.DRY_RUN)
    world.use("k1")
    world.run().after(days=30).after(days=2)
    assert world.kinds("k1") == ["notice", "confirmation", "removal"]
    assert {entry.mode for entry in world.feed.told} == {"dry-run"}


def test_what_a_dry_run_pretended_counts_for_nothing_in_earnest(tmp_path: Path) -> None:
    world = World(tmp_path, mode=Mode.DRY_RUN)
    for key in ("k1", "k2"):
        world.use(key)
    world.run().after(days=30).after(days=1)
    world.rules = replace(world.rules, mode=Mode.ENFORCE)
    world.restart()
    world.outside.mail.clear()
    assert world.after(days=1).phase("k1") == "notified"
    assert len(world.outside.letters(Kind.NOTICE, "k1")) == 1
    assert world.outside.removed == {}
    world.after(days=2)
    assert world.outside.removed == {}  # a Friday's notice, over the weekend
    assert world.after(days=2).phase("k1") == "removed"


def test_lost_orders_hold_everything_until_somebody_has_looked(world: World) -> None:
    notified(world)
    world.feed.lost[Place("orders", 0)] = 5
    world.feed.logs[Place("orders", 0)] += [(b"", 0)] * 9
    world.after(days=10)
    assert world.process.is_held
    assert world.outside.removed == {}
    assert world.feed.told[-1].kind is Kind.HOLD
    assert world.feed.told[-1].reason is Reason.LOST_ORDERS
    world.restart()
    assert world.after(days=1).process.is_held
    assert acknowledge(world.store, world.rules.watch, world.now, "ann", "outage", keep=False)
    world.run()
    assert world.phase("k1") == "active"  # it may have been used
    assert [e.reason for e in world.feed.told[-2:]] == [Reason.NOT_OBSERVED, Reason.ACKNOWLEDGED]
    assert world.feed.told[-1].actor == "ann"
    assert world.after(days=29).phase("k1") == "active"
    assert world.after(days=1).phase("k1") == "notified"


def test_clocks_can_be_kept_by_who_knows_that_no_use_was_missed(world: World) -> None:
    notified(world)
    world.feed.lost[Place("orders", 0)] = 5
    world.feed.logs[Place("orders", 0)] += [(b"", 0)] * 9
    world.after(days=3)
    acknowledge(world.store, world.rules.watch, world.now, "ann", "nothing traded", keep=True)
    assert world.run().phase("k1") == "removed"


@pytest.mark.parametrize("change", ["made anew", "gone"])
def test_a_topic_that_was_made_anew_or_is_gone_holds_too(world: World, change: str) -> None:
    notified(world)
    place = Place("orders", 0)
    if change == "gone":
        del world.feed.logs[place]
    else:
        world.feed.logs[place].clear()
    world.after(days=10)
    assert world.process.is_held
    assert world.outside.removed == {}


def test_silence_of_the_orders_holds_and_a_backlog_that_fills_it_lifts_the_hold(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    notified(world)
    world.rules = replace(world.rules, watch=Watch(6, 30))
    world.store.add_hours(range(START // 3_600_000, world.now // 3_600_000))
    world.restart()
    assert not world.run().process.is_held
    world.after(days=3)
    assert world.last_reason() == Reason.SILENCE
    assert world.outside.removed == {}
    for hour in range(72):  # the exchange's producer comes back, with all that it had
        world.use("other", world.now - hour * 3_600_000)
    world.run()
    assert not world.process.is_held
    assert Reason.RECOVERED in {entry.reason for entry in world.feed.told}
    assert world.phase("k1") == "removed"


def test_a_clock_that_went_back_is_refused(world: World) -> None:
    world.after(days=1)
    world.now -= 3_600_000
    with pytest.raises(StateError, match="to try other times, use another state file"):
        world.restart()


def test_with_another_time_for_now_later_orders_wait_for_theirs(tmp_path: Path) -> None:
    world = World(tmp_path, mode=Mode.DRY_RUN, stops_at_now=True)
    for day in (0, 31, 70):
        world.use("k1", START + day * 86_400_000)
    world.feed.put(b'{"api_key":"k2","ts":"soon"}', START * 2, "orders", 1)
    world.run().after(days=30)
    assert world.phase("k1") == "notified"
    assert world.intake.read.left == 1
    world.restart()
    assert world.after(days=1).phase("k1") == "active"
    assert world.after(days=30).phase("k1") == "notified"
    assert world.after(days=9).phase("k1") == "active"
    assert world.kinds("k1").count("rescue") == 2
