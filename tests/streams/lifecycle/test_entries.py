import msgspec
import pytest

from streams.lifecycle.entries import Entry, Kind, Reason, decode_entry, entry_id

NOTICE = Entry(
    id=entry_id(Kind.NOTICE, "k43545", 1_670_000_000_000),
    kind=Kind.NOTICE,
    ts=1_672_592_000_000,
    mode="enforce",
    text="Key k4…45 was unused for 30 days.",
    reason=Reason.INACTIVE,
    policy="binance",
    api_key="k43545",
    phase="notified",
    idle_since=1_670_000_000_000,
    removal_due=1_672_764_800_000,
)


def test_an_entry_survives_the_wire_and_says_nothing_of_what_is_unknown() -> None:
    assert decode_entry(NOTICE.encode()) == NOTICE
    assert {"account", "last_use", "actor"}.isdisjoint(msgspec.json.decode(NOTICE.encode()))


def test_a_field_of_a_later_version_is_ignored() -> None:
    later = msgspec.json.decode(NOTICE.encode()) | {"moon": "full"}
    assert decode_entry(msgspec.json.encode(later)) == NOTICE


def test_what_is_no_entry_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_entry(b'{"kind":"notice"}')


def test_ids_tell_kinds_keys_and_bases_apart() -> None:
    ids = {
        entry_id(Kind.NOTICE, "k1", 5),
        entry_id(Kind.REMOVAL, "k1", 5),
        entry_id(Kind.NOTICE, "k2", 5),
        entry_id(Kind.NOTICE, "k1", 6),
    }
    assert len(ids) == 4
