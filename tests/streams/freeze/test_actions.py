import json
from hashlib import sha256

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.freeze.actions import (
    GENESIS,
    POLICY,
    Act,
    Entry,
    Mode,
    Outcome,
    Rule,
    decode_entry,
    hash_of,
    sealed,
)

texts = st.text(max_size=20)
entries = st.builds(
    Entry,
    seq=st.just(0),
    ts=st.integers(0, 2**53),
    act=st.sampled_from(Act),
    outcome=st.sampled_from(Outcome),
    rule=st.none() | st.sampled_from(Rule),
    why=texts,
    who=texts | st.just(POLICY),
    mode=st.sampled_from(Mode),
    case=texts,
    api_key=st.none() | texts,
    score=st.none() | st.floats(0, 1),
    approvers=st.lists(texts, max_size=2),
)


@given(entries)
def test_an_entry_comes_back_from_the_topic_as_it_was(entry: Entry) -> None:
    assert decode_entry(sealed(entry, 1, GENESIS).encode()) == sealed(entry, 1, GENESIS)


@given(entries)
def test_anybody_can_compute_the_hash_with_plain_json_and_sha256(entry: Entry) -> None:
    there = json.loads(sealed(msgspec.structs.replace(entry, score=0.75), 7, "ab").encode())
    claimed = there.pop("hash")
    canonical = json.dumps(there, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert claimed == sha256(canonical.encode()).hexdigest()


@given(entries, entries)
def test_entries_that_differ_have_different_hashes(one: Entry, other: Entry) -> None:
    same = one == other
    assert (sealed(one, 1, GENESIS).hash == sealed(other, 1, GENESIS).hash) is same


def test_fields_of_a_newer_version_are_part_of_the_hash() -> None:
    fields = {"seq": 1, "new": "x", "hash": "whatever"}
    assert hash_of(fields) != hash_of({"seq": 1, "hash": "whatever"})
    assert hash_of(fields) == hash_of(fields | {"hash": "else"})
