import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.keys.state import FEATURES, TOLD, USUAL_FILLS
from models.rows import Rows
from models.score import evidence
from models.score.evidence import CONDUCT, FAMILIAR_WEIGHT, LIMIT, USUAL
from models.score.parts import (
    ACTIVITY_WEIGHT,
    APP_CROWD_WEIGHT,
    CONDUCT_WEIGHT,
    CROWD_WEIGHT,
    ENOUGH,
    FELLOWS,
    FRESH,
    MET_BY_ALL,
    MOST_COMPANY,
    PARTS,
    PERSISTENCE_WEIGHT,
    TIED,
    TIES,
    WEIGHTS,
    at_most,
    company_of,
    company_of_one,
    contributions,
    lacking,
    parts_of,
    standing,
    tied_by,
)
from tests.factories import TS, bare_order, batch_of, rows_at

N = len(FEATURES)
levels = st.floats(0.0, 6.0, width=32)
surprises = st.lists(levels, min_size=N, max_size=N).map(lambda x: np.array(x, np.float32))
activities = st.floats(-1.0, 8.0, width=32)


def fills(
    told: np.ndarray,
    activity: float = 0.0,
    persistence: float = 0.0,
    familiarity: float = 0.0,
    *,
    fresh: bool = False,
) -> Rows:
    """Rows as the key stage gives them; `told` are their surprises, shape (n, FEATURES)."""
    n = len(told)
    events = [bare_order(event_id=f"e-{row}") for row in range(n)]
    return rows_at(
        batch_of(events, TS + 10**9),
        np.full(n, TS),
        TOLD,
        surprises=told,
        activity=activity,
        persistence=persistence,
        familiarity=familiarity,
        fresh=fresh,
    )


def alone(n: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((n, 2), np.float32), np.ones(n, np.float32)


@given(
    surprises,
    activities,
    st.floats(0.0, 4.0, width=32),
    st.floats(0.0, 1.0, width=32),
    st.floats(0.0, 1.0, width=32),
)
def test_the_parts_equal_their_restatement(
    told: np.ndarray, activity: float, persistence: float, share: float, familiarity: float
) -> None:
    crowd = np.array([[0.5, 0.25]], np.float32)
    counts = np.array([share], np.float32)
    parts = parts_of(fills(told[None], activity, persistence, familiarity), crowd, counts)[0]
    by_name = dict(zip(FEATURES, told.tolist(), strict=True))
    own = sum(weight * min(LIMIT, by_name[name]) for name, weight in WEIGHTS.items())
    own += CONDUCT_WEIGHT * min(USUAL, max(by_name[name] for name in CONDUCT))
    own -= ACTIVITY_WEIGHT * (activity - np.log(USUAL_FILLS))
    own -= FAMILIAR_WEIGHT * familiarity
    expected = [max(0.0, own), share * 0.5 * CROWD_WEIGHT, share * 0.25 * APP_CROWD_WEIGHT]
    assert parts.tolist() == pytest.approx(
        [*expected, PERSISTENCE_WEIGHT * persistence], rel=1e-5, abs=1e-5
    )


@given(surprises, st.integers(0, N - 1), levels)
def test_more_surprise_never_speaks_for_a_key(told: np.ndarray, which: int, more: float) -> None:
    raised = told.copy()
    raised[which] += np.float32(more)
    less, greater = parts_of(fills(np.stack([told, raised])), *alone(2))[:, 0]
    assert greater >= less - 1e-9


@given(surprises, activities, st.floats(0.0, 3.0, width=32))
def test_a_key_with_more_fills_a_day_needs_more_evidence(
    told: np.ndarray, activity: float, more: float
) -> None:
    quiet, busy = (
        parts_of(fills(told[None], a), *alone())[0, 0] for a in (activity, activity + more)
    )
    assert busy <= quiet
    if busy > 0.0:
        assert quiet - busy == pytest.approx(ACTIVITY_WEIGHT * more, abs=1e-4)


@given(st.floats(0.0, 9.0, width=32), st.floats(0.0, 9.0, width=32))
def test_the_company_of_a_fill_never_gives_more_than_its_bound(all_keys: float, app: float) -> None:
    parts = parts_of(
        fills(np.zeros((1, N))), np.array([[all_keys, app]], np.float32), np.ones(1, np.float32)
    )[0]
    crowd, app_crowd = parts[PARTS.index("crowd")], parts[PARTS.index("app_crowd")]
    wanted = all_keys * CROWD_WEIGHT + app * APP_CROWD_WEIGHT
    assert crowd + app_crowd == pytest.approx(min(wanted, MOST_COMPANY), rel=1e-5)
    assert min(crowd, app_crowd) >= 0.0


@given(st.floats(0.0, 9.0), st.floats(0.0, 9.0), st.floats(0.0, 1.0))
def test_one_fill_has_the_company_that_it_has_in_a_batch(
    crowd: float, app: float, share: float
) -> None:
    [both] = company_of(np.array([[crowd, app]]), np.array([share])).tolist()
    assert company_of_one((crowd, app), share) == tuple(both)


def test_parts_do_not_depend_on_the_rows_beside_them() -> None:
    told = np.random.default_rng(4).random((300, N)).astype(np.float32) * 4
    at_once = parts_of(fills(told), *alone(300))
    one_by_one = np.concatenate([parts_of(fills(row[None]), *alone()) for row in told])
    assert at_once.tobytes() == one_by_one.tobytes()


def test_every_weight_is_of_a_feature_and_speaks_against_the_key() -> None:
    assert WEIGHTS.keys() <= set(FEATURES)
    assert min(WEIGHTS.values()) > 0.0


@given(surprises)
def test_a_feature_contributes_what_it_added_in_both_weighings(told: np.ndarray) -> None:
    for name, value, added in zip(
        FEATURES, told.tolist(), contributions(told).tolist(), strict=True
    ):
        weight = WEIGHTS.get(name, 0.0) + evidence.WEIGHTS.get(name, 0.0)
        assert added == pytest.approx(weight * min(LIMIT, value), abs=1e-5)


@given(surprises, activities)
def test_company_counts_by_what_the_key_shows_itself(told: np.ndarray, activity: float) -> None:
    rows = fills(told[None], activity)
    by_name = dict(zip(FEATURES, told.tolist(), strict=True))
    own = sum(w * min(LIMIT, by_name[of]) for of, w in WEIGHTS.items() if of not in MET_BY_ALL)
    own += CONDUCT_WEIGHT * min(USUAL, max(by_name[name] for name in CONDUCT))
    own -= ACTIVITY_WEIGHT * (activity - np.log(USUAL_FILLS))
    share = standing(rows)
    assert share[0] == pytest.approx(min(1.0, max(0.0, own / ENOUGH)), abs=1e-5)
    crowd = np.full((1, 2), 100.0, np.float32)
    company = parts_of(rows, crowd, share.astype(np.float32))[0, [1, 2]].sum()
    assert company <= max(0.0, own) * MOST_COMPANY / ENOUGH + 1e-4


def test_what_all_buyers_of_a_market_have_alike_brings_a_key_no_company() -> None:
    told = np.array([[4.0 if name in MET_BY_ALL else 0.0 for name in FEATURES]])
    assert standing(fills(told, activity=float(np.log(USUAL_FILLS))))[0] == 0.0


@given(surprises, activities, st.floats(0.0, 2.0, width=32))
def test_a_fresh_key_lacks_evidence_until_a_sweep_a_loss_or_fellows_tie_it_to_a_theft(
    told: np.ndarray, activity: float, fellows: float
) -> None:
    crowd = np.array([[0.0, fellows]], np.float32), np.ones(1, np.float32)
    known = parts_of(fills(told[None], activity), *crowd)[0]
    fresh = parts_of(fills(told[None], activity, fresh=True), *crowd)[0]
    ties = sum(float(told[FEATURES.index(name)]) for name in TIES)
    lacks = min(known[0], FRESH * max(0.0, 1.0 - ties / TIED))
    given_back = min(1.0, fellows / FELLOWS) * lacks
    assert fresh[0] == pytest.approx(known[0] - lacks, abs=1e-4)
    assert fresh[2] == pytest.approx(known[2] + given_back, abs=1e-4)
    assert given_back == pytest.approx(tied_by(fellows) * lacks)
    assert fresh.sum() <= known.sum() + 1e-9


@given(
    surprises,
    st.booleans(),
    st.floats(0.0, 9.0, width=32),
    st.floats(0.0, 9.0, width=32),
    st.floats(0.0, 1.0, width=32),
)
def test_no_company_gives_a_fill_more_than_the_worst(
    told: np.ndarray, fresh: bool, around: float, fellows: float, share: float
) -> None:
    rows, counts = fills(told[None], fresh=fresh), np.array([share], np.float32)
    alone_there = parts_of(rows, np.zeros((1, 2), np.float32), counts)
    worst = at_most(alone_there, counts, lacking(rows))
    parts = parts_of(rows, np.array([[around, fellows]], np.float32), counts)
    assert parts.sum() <= worst.sum() + 1e-5
