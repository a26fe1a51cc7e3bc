import numpy as np
import pytest

from models.evaluation.exposure import Exposure
from models.evaluation.figures import ALL
from models.evaluation.labels import Labels, LeakedKey
from models.evaluation.sightings import Sightings
from models.evaluation.sweep import GRID, Costs, Trial, cheapest, held_out, sweep, within_budget
from models.evaluation.verdicts import Truth

DAYS = 1_000.0  # key-days, so that one false key is one per thousand


def trial(name: str, leaked: float, *honest: float) -> Trial:
    """A tape with one leaked key and some honest ones, each sighted once at a rank."""
    labels = Labels({"leaked": LeakedKey(0, 100, [(100, 10.0), (200, 90.0)])})
    ranks = np.array([leaked, *honest])
    keys = ["leaked", *(f"honest{n}" for n in range(len(honest)))]
    key, ts = np.arange(len(ranks)), np.full(len(ranks), 150)
    sightings = Sightings(keys, key, ts, ranks, np.ones(len(ranks)))
    return Trial(Truth(name, labels, Exposure(10_000, DAYS, 500)), sightings)


def test_the_grid_runs_from_a_hundredth_to_a_hundred_without_repeating() -> None:
    assert (GRID[0], GRID[-1]) == (0.01, 100.0)
    assert list(GRID) == sorted(set(GRID))
    assert {0.1, 1.0, 10.0} <= set(GRID)


def test_a_laxer_setting_never_finds_less_nor_alerts_less_falsely() -> None:
    points = sweep([trial("tape", 2.5, 3.5, 2.9, 1.2)])
    caught = [point.figures.met[ALL].caught for point in points]
    false = [point.figures.false_keys for point in points]
    assert caught == sorted(caught)
    assert false == sorted(false)
    assert (caught[0], caught[-1], false[0], false[-1]) == (0, 1, 0, 3)
    alerted = next(point for point in points if point.figures.met[ALL].caught)
    assert alerted.setting == pytest.approx(10.0**0.5, rel=0.3)
    assert alerted.figures.met[ALL].loss_prevented.value == pytest.approx(0.9)


def test_the_budget_is_kept_as_measured_and_the_strictest_of_equals_chosen() -> None:
    points = sweep([trial("tape", 3.6, 3.5, 2.9, 1.2)], [0.1, 0.3, 1.0, 3.0, 100.0])
    chosen = within_budget(2.0)(points)
    assert chosen is not None
    assert chosen.setting == 0.3
    assert chosen.figures.false_keys == 0
    always_false = sweep([trial("tape", 3.6, 9.0, 9.0)])
    assert within_budget(1.0)(always_false) is None
    nobody = Truth("tape", Labels({}), Exposure(10_000, DAYS, 500))
    nothing_to_find = Trial(nobody, trial("tape", 3.6).sightings)
    assert within_budget(1.0)(sweep([nothing_to_find])) is None


def test_the_cheapest_setting_moves_with_what_mistakes_cost() -> None:
    points = sweep([trial("tape", 2.5, 3.5, 2.9)], [0.1, 1.0, 10.0])
    dear_alarms = cheapest(Costs(false=1e6, missed=1.0))(points)
    dear_leaks = cheapest(Costs(false=1.0, missed=1e6))(points)
    assert dear_alarms is not None
    assert dear_leaks is not None
    assert (dear_alarms.setting, dear_leaks.setting) == (0.1, 10.0)
    rare = cheapest(Costs(false=1.0, missed=1e6, leaks=1e-9))(points)
    assert rare is not None
    assert rare.setting == 0.1


def test_costs_are_per_thousand_key_days() -> None:
    strict, lax = sweep([trial("tape", 2.5, 3.5, 2.9)], [0.1, 10.0])
    costs = Costs(false=10.0, missed=500.0, lost=2.0)
    assert costs.of(strict.figures) == pytest.approx(500.0 + 2.0 * 100.0)
    assert costs.of(lax.figures) == pytest.approx(2 * 10.0 + 2.0 * 10.0)


def test_the_choice_is_judged_on_tapes_that_had_no_say() -> None:
    easy, noisy = trial("easy", 3.6), trial("noisy", 3.6, 9.0, 9.0)
    assert held_out([easy], within_budget(1.0)) is None
    figures = held_out([easy, trial("alike", 3.6)], within_budget(1.0))
    assert figures is not None
    assert figures.met[ALL].caught == 2
    assert held_out([easy, noisy], within_budget(1.0)) is None  # noisy alone allows no choice
