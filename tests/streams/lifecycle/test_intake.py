"""What a process makes of its topics, where these or their records are not as they should be."""

from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from streams.lifecycle.entries import Reason
from streams.lifecycle.holds import Watch, acknowledge
from streams.lifecycle.store import Place
from streams.lifecycle.tally import MOST
from tests.streams.lifecycle.worlds import START, World


def test_orders_that_were_polled_before_an_error_are_read_again_after_it(world: World) -> None:
    world.use("k1")
    world.use("other", partition=1)
    world.run().after(days=29)
    world.use("k1")
    for _ in range(4):  # one more than comes with a poll
        world.use("other", partition=1)
    world.feed.fails_at = 2
    with pytest.raises(KafkaError):
        world.run()
    world.run().after(days=10)
    assert world.phase("k1") == "active"
    assert world.intake.read.events == 7


def test_a_partition_that_is_gone_after_an_error_holds_all_the_same(world: World) -> None:
    world.use("k1")
    world.run().use("k1", partition=1)
    world.feed.fails_at = 1
    with pytest.raises(KafkaError):
        world.run()
    del world.feed.logs[Place("orders", 1)]
    assert world.run().process.is_held


def test_orders_that_cannot_be_read_hold_like_orders_that_are_missing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.rules = replace(world.rules, watch=Watch(6, 30))
    world.restart()
    world.feed.put(b'{"apiKey":"k1"}', world.now - 86_400_000)
    world.use("k1")
    world.run()
    assert world.store.time("first_order") == START
    for _ in range(40):
        world.after(hours=24).feed.put(b'{"apiKey":"k1"}', world.now)
    world.run()
    assert [hold.reason for hold in world.process.holds] == [Reason.SILENCE]
    assert (world.phase("k1"), world.intake.read.unreadable) == ("active", 41)


def test_too_many_orders_of_a_day_that_cannot_be_read_hold_until_somebody_has_looked(
    world: World,
) -> None:
    world.use("k1")
    world.run().after(days=29, hours=1)
    for _ in range(MOST):
        world.feed.put(b"{", world.now)
    assert not world.run().process.is_held
    world.restart()
    world.feed.put(b"{", world.now)
    world.after(days=0.2)
    (hold,) = world.process.holds
    assert hold.reason is Reason.LOST_ORDERS
    assert hold.text == "51 of the 51 orders read since 2026-02-03 00:00 UTC could not be"
    world.after(days=9)
    assert world.phase("k1") == "active"
    world.feed.put(b"{", world.now)
    acknowledge(world.store, world.rules.watch, world.now, "ann", "a test", keep=True)
    assert not world.run().process.is_held


def test_a_small_share_of_orders_that_cannot_be_read_holds_nothing(world: World) -> None:
    for number in range(100 * MOST + 100):
        world.use(f"k{number}")
    for _ in range(MOST + 1):
        world.feed.put(b"{", world.now)
    assert not world.run().process.is_held
    for _ in range(MOST):
        world.feed.put(b"{", world.now)
    assert world.run().process.is_held
