"""When quiet partitions are told of."""

from streams.worker.quiet_moments import KEPT_MS, QuietMoments


def test_nobody_is_told_before_the_moment_that_rows_wait_for() -> None:
    quiet = QuietMoments()
    assert quiet.is_calm()
    quiet.wait_for(100)
    assert not quiet.is_calm()
    assert [quiet.is_due(0, now) for now in (99, 100, 101)] == [False, True, True]


def test_a_moment_is_told_of_once_by_each_partition() -> None:
    quiet = QuietMoments()
    quiet.wait_for(100)
    quiet.told(0, 103)
    assert not quiet.is_due(0, 110)
    assert quiet.is_due(1, 110)
    quiet.wait_for(120)
    assert [quiet.is_due(0, now) for now in (119, 120)] == [False, True]


def test_a_moment_far_ahead_holds_up_no_earlier_one() -> None:
    quiet = QuietMoments()
    for moment in (900_000, 100, 100, 50):
        quiet.wait_for(moment)
    quiet.told(0, 60)
    assert [quiet.is_due(0, now) for now in (99, 100)] == [False, True]


def test_moments_long_past_are_given_up() -> None:
    quiet = QuietMoments()
    quiet.wait_for(100)
    quiet.forget_before(99 + KEPT_MS)
    assert not quiet.is_calm()
    quiet.forget_before(100 + KEPT_MS)
    assert quiet.is_calm()
    assert not quiet.is_due(0, 100 + KEPT_MS)
