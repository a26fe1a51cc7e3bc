import pytest

from models.evaluation.exposure import Exposure
from models.evaluation.figures import ALL, figures_of
from models.evaluation.verdicts import Theft, Verdict

EXPOSURE = Exposure(orders=1_000, key_days=2_000.0, active_key_days=500)


def test_verdicts_of_several_tapes_are_pooled_and_split_by_kind() -> None:
    blitz = Theft("blitz", 4, 3, 100.0, 50.0, (1.0, 2.0, 9.0), (1, 2, 3))
    drip = Theft("drip", 1, 0, 10.0)
    figures = figures_of(
        [Verdict("one", EXPOSURE, [blitz], ["x"]), Verdict("two", EXPOSURE, [drip], [])]
    )
    assert list(figures.met) == [ALL, "blitz", "drip"]
    whole = figures.met[ALL]
    assert (whole.keys, whole.caught, whole.incidents, whole.noticed) == (5, 3, 2, 1)
    assert (whole.median_seconds, whole.median_orders) == (2.0, 2)
    assert (whole.rogue, whole.lost) == (110.0, 60.0)
    assert figures.met["drip"].recall.value == 0.0
    assert figures.false_per_1000_key_days.value == pytest.approx(1 / 4)
    assert figures.false_per_1000_active_key_days == 1.0
    assert figures.false_per_million_orders == 500.0
    assert figures.precision == 3 / 4


def test_where_nothing_leaked_and_nothing_was_alerted_no_figure_fails() -> None:
    figures = figures_of([Verdict("empty", Exposure(0, 0.0, 0), [], [])])
    assert figures.precision is None
    assert figures.met[ALL].median_seconds is None
    assert figures.false_per_million_orders == 0.0
