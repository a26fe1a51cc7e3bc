"""When quiet partitions are told of."""

from streams.worker.telling import KEPT_MS, Telling


def test_nobody_is_told_before_the_moment_that_rows_wait_for() -> None:
    telling = Telling()
    assert telling.is_calm()
    telling.wait_for(100)
    assert not telling.is_calm()
    assert [telling.is_due(0, now) for now in (99, 100, 101)] == [False, True, True]


def test_a_moment_is_told_of_once_by_each_partition() -> None:
    telling = Telling()
    telling.wait_for(100)
    telling.told(0, 103)
    assert not telling.is_due(0, 110)
    assert telling.is_due(1, 110)
    telling.wait_for(120)
    assert [telling.is_due(0, now) for now in (119, 120)] == [False, True]


def test_a_moment_far_ahead_holds_up_no_earlier_one() -> None:
    telling = Telling()
    for moment in (900_000, 100, 100, 50):
        telling.wait_for(moment)
    telling.told(0, 60)
    assert [telling.is_due(0, now) for now in (99, 100)] == [False, True]


def test_moments_long_past_are_given_up() -> None:
    telling = Telling()
    telling.wait_for(100)
    telling.forget_before(99 + KEPT_MS)
    assert not telling.is_calm()
    telling.forget_before(100 + KEPT_MS)
    assert telling.is_calm()
    assert not telling.is_due(0, 100 + KEPT_MS)
