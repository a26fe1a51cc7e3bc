from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lifecycle.machine import KeyState
from models.lifecycle.records import (
    KeyRecord,
    RecordError,
    RecordKind,
    decode_record,
    heard,
    joined,
)

NOW = 1_700_000_000_000
RECORDS = st.builds(
    KeyRecord, st.sampled_from(RecordKind), st.just("k1"), st.integers(NOW, NOW + 9)
)


def known_after(records: list[KeyRecord]) -> KeyState:
    return reduce(joined, (heard(record, NOW + 99) for record in records), KeyState("k1"))


@given(st.lists(RECORDS), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_records_matters(
    records: list[KeyRecord], random: object
) -> None:
    mixed = [*records, *records]
    random.shuffle(mixed)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    assert known_after(mixed) == known_after(records)


def test_a_key_is_bound_as_its_latest_record_says() -> None:
    bound, freed = (
        KeyRecord(kind, "k1", NOW + at)
        for at, kind in enumerate((RecordKind.IP_BOUND, RecordKind.IP_UNBOUND))
    )
    assert known_after([bound]).ip_bound
    assert not known_after([freed, bound]).ip_bound
    assert known_after([freed]).renewed == NOW + 1  # to lift a restriction is a sign of life


def test_a_key_that_was_made_again_is_not_deleted() -> None:
    deleted = KeyRecord(RecordKind.DELETED, "k1", NOW)
    assert known_after([deleted]).is_deleted
    assert not known_after([deleted, KeyRecord(RecordKind.CREATED, "k1", NOW + 1)]).is_deleted


def test_a_time_ahead_of_now_counts_as_now() -> None:
    assert heard(KeyRecord(RecordKind.USED, "k1", NOW * 2), NOW).last_use == NOW


def test_a_record_may_send_numbers_as_strings_and_fields_that_nobody_knows() -> None:
    value = b'{"kind":"used","api_key":"k1","ts":"1700000000000","moon":"full"}'
    assert decode_record(value) == KeyRecord(RecordKind.USED, "k1", NOW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "lost"}, "kind"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": None}, "api_key"),
        ({"api_key": "k\n1"}, "api_key"),
        ({"ts": 1_700_000_000}, "ts"),  # seconds
        ({"ts": "soon"}, "ts"),
        ({"account": 7}, "account"),
    ],
)
def test_a_bad_record_is_refused_with_field_and_rule(change: dict[str, object], said: str) -> None:
    value = msgspec.json.encode({"kind": "used", "api_key": "k1", "ts": NOW} | change)
    with pytest.raises(RecordError, match=rf"\$\.{said}.*must be \{{\"kind\""):
        decode_record(value)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"not JSON", b'{"kind":"\xff"}'])
def test_what_is_no_record_is_refused(value: bytes | None) -> None:
    with pytest.raises(RecordError, match="a record of a key is wrong"):
        decode_record(value)
