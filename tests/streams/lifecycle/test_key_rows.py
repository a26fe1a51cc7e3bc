import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lifecycle.machine import KeyState, Mode, Phase, Step, done, flagged
from models.lifecycle.policy import policy
from models.lifecycle.records import joined
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.store import SCHEMA, Store
from tests.models.lifecycle.policies import BINANCE

TIMES = st.integers(0, 4)
HEARD = st.builds(
    KeyState,
    st.just("k1"),
    account=st.just("a1"),
    last_use=TIMES,
    created=TIMES,
    renewed=TIMES,
    ip_bound=st.booleans(),
    bound_changed=st.integers(1, 4),
    deleted=TIMES,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state.sqlite3") as opened:
        yield opened


@given(st.lists(HEARD, min_size=1, max_size=5))
def test_what_is_heard_is_joined_as_the_models_say(heard: list[KeyState]) -> None:
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.executescript(SCHEMA)
        keys = KeyRows(sql, BINANCE)
        keys.join(heard)
        assert keys.get(["k1"])["k1"] == reduce(joined, heard)


def test_a_use_of_an_old_time_changes_nothing(store: Store) -> None:
    keys = KeyRows(store.sql, BINANCE)
    keys.join_uses([("k1", "a1", 5), ("k1", "a2", 4)])
    assert keys.get(["k1"])["k1"] == KeyState("k1", "a1", last_use=5, renewed=5)


def test_where_a_key_stands_is_kept_apart_from_what_is_known_of_it(store: Store) -> None:
    keys = KeyRows(store.sql, BINANCE)
    keys.join_uses([("k1", None, 5)])
    told = done(flagged(keys.get(["k1"])["k1"], 0, Mode.ENFORCE), Step.NOTICE, 9, BINANCE)
    keys.save([told])
    keys.join_uses([("k1", None, 7)])
    found = keys.get(["k1"])["k1"]
    assert (found.phase, found.notified_at, found.last_use) == (Phase.NOTIFIED, 9, 7)
    assert keys.heard_of(9) == [found]


def test_the_longest_unused_come_first_and_who_is_sheltered_never(store: Store) -> None:
    sparing = policy("binance", BINANCE.calendar, exempt=("k4", "account:a5"))
    keys = KeyRows(store.sql, sparing)
    keys.join_uses((f"k{n}", f"a{n}", 10 - n) for n in range(7))
    keys.join([KeyState("k3", ip_bound=True, bound_changed=1), KeyState("k2", deleted=8)])
    assert [key.api_key for key in keys.unused_since(9, 9)] == ["k6", "k1"]
    assert [key.api_key for key in keys.unused_since(9, 1)] == ["k6"]


@pytest.mark.parametrize("query", ["unused", "due", "heard"])
def test_who_is_next_is_found_by_an_index(store: Store, query: str) -> None:
    keys = KeyRows(store.sql, BINANCE)
    plans: list[str] = []
    store.sql.set_trace_callback(plans.append)
    {
        "unused": lambda: keys.unused_since(9, 9),
        "due": lambda: keys.notified_and_due(9, 9),
        "heard": lambda: keys.heard_of(9),
    }[query]()
    store.sql.set_trace_callback(None)
    plan = store.sql.execute(f"EXPLAIN QUERY PLAN {plans[-1]}").fetchall()
    assert query in str(plan)
