from dataclasses import replace
from pathlib import Path

from models.lifecycle.calendar import calendar
from models.lifecycle.policy import policy
from streams.lifecycle.entries import Kind
from tests.streams.lifecycle.worlds import BUSY, DONE, World


def with_days(world: World, days: int) -> None:
    """Go on with another number of idle days."""
    world.rules = replace(world.rules, policy=policy("binance", calendar(), idle_days=days))
    world.restart()


def idle(folder: Path) -> World:
    """A key whose owner could not be told after thirty days, and has to be idle for sixty now."""
    world = World(folder)
    world.use("k1")
    world.outside.notifier = BUSY
    world.run().after(days=30)
    assert world.phase("k1") == "idle"
    with_days(world, 60)
    world.outside.notifier = DONE
    return world


def test_a_notice_that_waits_goes_out_later_where_the_idle_days_were_raised(tmp_path: Path) -> None:
    world = idle(tmp_path)
    world.after(days=1).after(days=28, hours=23)
    assert (world.phase("k1"), world.outside.mail) == ("idle", {})
    world.after(hours=1)
    assert world.phase("k1") == "notified"
    assert len(world.outside.letters(Kind.NOTICE, "k1")) == 1
    world.after(days=4)
    assert world.phase("k1") == "removed"


def test_a_notice_that_was_put_off_goes_out_when_the_idle_days_are_fewer_again(
    tmp_path: Path,
) -> None:
    world = idle(tmp_path)
    world.after(hours=2)
    with_days(world, 30)
    assert world.after(hours=1).phase("k1") == "notified"


def test_a_use_rescues_a_key_whose_notice_was_put_off(tmp_path: Path) -> None:
    world = idle(tmp_path)
    world.after(hours=2).use("k1")
    assert world.run().phase("k1") == "active"
    world.after(days=59)
    assert (world.phase("k1"), world.outside.letters(Kind.NOTICE, "k1")) == ("active", [])
    assert world.after(days=1).phase("k1") == "notified"
