"""Checkpoints of made-up states, written to a dictionary instead of a changelog."""

import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.snapshot import Records, Snapshot
from streams.worker.checkpoints import (
    AFRESH,
    LAPS,
    PART_BYTES,
    Checkpoints,
    Found,
    Identity,
    Message,
    StateError,
    find,
    layout_of,
    pack,
)

ROW = np.dtype([("hash", "u8"), ("sum", "f4")])


class State:
    """Rows that grow and change, and one value beside them."""

    def __init__(self) -> None:
        self.rows = np.zeros(0, ROW)
        self.changed = np.zeros(0, np.uint8)
        self.value = 0

    def change(self, draw: random.Random, most: int = 40) -> None:
        fresh = draw.randint(0, most)
        self.rows = np.concatenate([self.rows, np.zeros(fresh, ROW)])
        self.changed = np.concatenate([self.changed, np.ones(fresh, np.uint8)])
        for row in draw.sample(range(len(self.rows)), min(len(self.rows), draw.randint(0, most))):
            self.rows[row] = (draw.getrandbits(64), draw.random())
            self.changed[row] = 1
        self.value += 1

    def snapshot(self) -> Snapshot:
        values = msgspec.msgpack.encode(self.value)
        return Snapshot({"rows": Records(self.rows, self.changed)}, values)


IDENTITY = Identity("m1", 4, "keys", layout_of(State().snapshot().records))
Contents = dict[bytes, bytes]


def put(contents: Contents, messages: list[Message]) -> None:
    for key, value in messages:
        if value is None:
            contents.pop(key, None)
        else:
            contents[key] = value


def written(checkpoints: Checkpoints, state: State, end: int) -> tuple[list[Message], Message]:
    cut = checkpoints.cut(state.snapshot(), end, born=1)
    return checkpoints.seal(cut, pack(cut))


def save(contents: Contents, checkpoints: Checkpoints, state: State, end: int) -> None:
    records, header = written(checkpoints, state, end)
    put(contents, records)
    put(contents, [header])
    put(contents, checkpoints.needless())


def read(contents: Contents, identity: Identity = IDENTITY, **more: Any) -> Found | None:
    return find(contents, identity, State().snapshot(), **more)


def assert_is(found: Found | None, rows: np.ndarray[Any, Any], value: int, end: int) -> None:
    assert found is not None
    np.testing.assert_array_equal(found.records["rows"], rows)
    assert (msgspec.msgpack.decode(found.values), found.header.end) == (value, end)


def test_an_empty_changelog_holds_no_state() -> None:
    assert read({}) is None


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_a_state_comes_back_as_the_last_checkpoint_had_it(draw: random.Random, times: int) -> None:
    contents: Contents = {}
    state, checkpoints = State(), Checkpoints(IDENTITY)
    for end in range(times):
        state.change(draw)
        save(contents, checkpoints, state, end)
    assert_is(read(contents), state.rows, state.value, times - 1)


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_a_writer_that_dies_in_a_checkpoint_has_not_begun_it(
    draw: random.Random, lives: int
) -> None:
    contents: Contents = {}
    state, end, found = State(), 0, None
    for _ in range(lives):
        checkpoints = Checkpoints(IDENTITY, found)
        for _ in range(draw.randint(1, 3)):
            state.change(draw)
            end += 1
            save(contents, checkpoints, state, end)
        saved, value = state.rows.copy(), state.value
        state.change(draw)
        records, _ = written(checkpoints, state, end + 1)
        put(contents, records[: draw.randint(0, len(records))])
        found = read(contents)
        assert_is(found, saved, value, end)
        state.rows, state.value = saved, value
        state.changed = np.zeros(len(saved), np.uint8)


@given(st.randoms(use_true_random=False))
def test_a_writer_that_was_replaced_spoils_nothing_however_late_it_writes(
    draw: random.Random,
) -> None:
    contents: Contents = {}
    frozen_state, frozen = State(), Checkpoints(IDENTITY)
    frozen_state.change(draw)
    save(contents, frozen, frozen_state, 1)
    frozen_state.change(draw)
    records, header = written(frozen, frozen_state, 2)
    sent = draw.randint(0, len(records))
    put(contents, records[:sent])
    found = read(contents)
    assert found is not None
    state, checkpoints = State(), Checkpoints(IDENTITY, found)
    state.rows = found.records["rows"]
    state.changed, state.value = np.zeros(len(state.rows), np.uint8), 10
    late = [*records[sent:], header]
    for end in range(3, 8):
        cut = draw.randint(0, len(late))
        put(contents, late[:cut])  # what the frozen writer had in its buffers
        late = late[cut:]
        state.change(draw)
        save(contents, checkpoints, state, end)
        assert_is(read(contents), state.rows, state.value, end)
    put(contents, late)
    assert_is(read(contents), state.rows, state.value, 7)


def test_a_new_writer_removes_nothing_before_it_has_written_a_header_of_its_own() -> None:
    contents: Contents = {}
    state = State()
    state.change(random.Random(7))
    save(contents, Checkpoints(IDENTITY), state, 5)
    put(contents, [(b"rows/dead/1/0", b"of one who never wrote a header")])
    later = Checkpoints(IDENTITY, read(contents))
    assert later.needless() == []
    save(contents, later, state, 6)
    assert_is(read(contents), state.rows, state.value, 6)
    assert b"rows/dead/1/0" not in contents
    assert sum(key.startswith(b"header/") for key in contents) == 1


def test_of_two_complete_states_the_one_that_has_read_further_counts() -> None:
    contents: Contents = {}
    ahead, behind = State(), State()
    for state, end in ((ahead, 9), (behind, 5)):
        state.change(random.Random(end))
        save(contents, Checkpoints(IDENTITY), state, end)
    assert_is(read(contents), ahead.rows, ahead.value, 9)


def test_the_changelog_holds_little_more_than_twice_the_state_however_often_it_is_written() -> None:
    draw = random.Random(5)
    contents: Contents = {}
    state, checkpoints = State(), Checkpoints(IDENTITY)
    state.change(draw, most=4000)
    whole = state.rows.nbytes
    for end in range(3 * LAPS):
        for row in draw.sample(range(len(state.rows)), draw.choice([1, 30, 300])):
            state.rows[row]["sum"] = draw.random()
            state.changed[row] = 1
        save(contents, checkpoints, state, end)
    found = read(contents)
    assert_is(found, state.rows, state.value, 3 * LAPS - 1)
    assert found is not None
    assert len(found.header.rows) <= LAPS + 1
    assert sum(map(len, contents.values())) < 4 * whole
    assert len(contents) < 3 * LAPS


def test_parts_are_of_bounded_size() -> None:
    state, checkpoints = State(), Checkpoints(IDENTITY)
    state.rows, state.changed = np.zeros(200_000, ROW), np.ones(200_000, np.uint8)
    cut = checkpoints.cut(state.snapshot(), 0, born=0)
    noise = pack(cut)
    assert len(noise.rows) > 1
    assert max(map(len, noise.rows)) < 2 * PART_BYTES


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Identity("m2", 4), "belongs to the model m1, the worker has m2: start it with"),
        (Identity("m1", 8), "is that of 4 partitions, where there are now 8: set partitions to 4"),
    ],
)
def test_a_state_that_belongs_to_something_else_is_refused_with_what_to_do(
    other: Identity, said: str
) -> None:
    contents: Contents = {}
    save(contents, Checkpoints(IDENTITY), State(), 0)
    wanted = msgspec.structs.replace(other, kind="keys", layout=IDENTITY.layout)
    with pytest.raises(StateError, match=said) as refused:
        read(contents, wanted)
    assert AFRESH in str(refused.value)


def test_the_state_of_another_model_is_taken_over_when_that_is_wanted() -> None:
    contents: Contents = {}
    save(contents, Checkpoints(IDENTITY), State(), 3)
    other = msgspec.structs.replace(IDENTITY, model="m2")
    assert_is(read(contents, other, adopt=True), State().rows, 0, 3)


def test_records_of_another_form_are_refused() -> None:
    contents: Contents = {}
    save(contents, Checkpoints(IDENTITY), State(), 0)
    other = msgspec.structs.replace(IDENTITY, layout="other")
    with pytest.raises(StateError, match="written by another version of roguekey"):
        read(contents, other)


def test_a_header_that_cannot_be_read_is_refused_by_name() -> None:
    with pytest.raises(StateError, match="the header/x of the state cannot be read"):
        read({b"header/x": b"?"})


def test_a_state_of_which_parts_are_missing_is_no_state() -> None:
    contents: Contents = {}
    state = State()
    state.change(random.Random(3))
    save(contents, Checkpoints(IDENTITY), state, 0)
    del contents[next(key for key in contents if key.startswith(b"values/"))]
    with pytest.raises(StateError, match="parts of the state are missing"):
        read(contents)
