import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.freeze.actions import Entry, Outcome, hash_of
from streams.freeze.audit import Kind, verify
from tests.streams.freeze.entries import chain, entry

CHAIN = chain(*(entry(Outcome.REFUSED, why=f"why {number}", ts=number) for number in range(8)))
LINES = [one.encode() for one in CHAIN]
HEAD = (8, CHAIN[-1].hash)

Edit = Callable[[list[bytes]], None]


def kinds(lines: list[bytes], head: tuple[int, str] | None = None) -> set[Kind]:
    return {finding.kind for finding in verify(enumerate(lines), head).findings}


def rewritten(line: bytes, **changes: object) -> bytes:
    """The same entry with other content and, to be cleverer, a hash that fits it."""
    fields = json.loads(line) | changes
    fields["hash"] = hash_of(fields)
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def test_an_untouched_chain_is_sound() -> None:
    found = verify(enumerate(LINES), HEAD)
    assert found.is_sound
    assert (found.entries, found.head_seq, found.head_hash) == (8, *HEAD)
    assert verify([]).is_sound


def test_an_entry_that_was_delivered_twice_is_no_harm() -> None:
    found = verify(enumerate([*LINES[:4], LINES[3], *LINES[4:], *LINES[:2]]))
    assert found.is_sound
    assert found.repeated == 3


def _change(lines: list[bytes]) -> None:
    lines[3] = lines[3].replace(b"why 3", b"why 7")


def _change_cleverly(lines: list[bytes]) -> None:
    lines[3] = rewritten(lines[3], why="something else")


def _change_the_last_cleverly(lines: list[bytes]) -> None:
    lines[7] = rewritten(lines[7], why="something else")


def _write_a_field_twice(lines: list[bytes]) -> None:
    lines[3] = lines[3][:-1] + b',"why":"why 3"}'


def _remove(lines: list[bytes]) -> None:
    del lines[3]


def _remove_the_first(lines: list[bytes]) -> None:
    del lines[0]


def _cut_off_the_end(lines: list[bytes]) -> None:
    del lines[6:]


def _swap(lines: list[bytes]) -> None:
    lines[3], lines[4] = lines[4], lines[3]


def _add(lines: list[bytes]) -> None:
    lines.insert(4, rewritten(lines[3], why="another"))


def _scribble(lines: list[bytes]) -> None:
    lines.insert(4, b"not an entry")


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (_change, Kind.CHANGED),
        (_change_cleverly, Kind.CHANGED),
        (_change_the_last_cleverly, Kind.CHANGED),
        (_write_a_field_twice, Kind.CHANGED),
        (_remove, Kind.MISSING),
        (_remove_the_first, Kind.MISSING),
        (_cut_off_the_end, Kind.MISSING),
        (_swap, Kind.REORDERED),
        (_add, Kind.FORKED),
        (_scribble, Kind.UNREADABLE),
    ],
)
def test_whatever_was_done_to_it_is_found_and_named(edit: Edit, kind: Kind) -> None:
    lines = LINES.copy()
    edit(lines)
    assert kind in kinds(lines, HEAD)


@given(st.integers(0, 7), st.data())
def test_a_single_changed_byte_is_found_wherever_it_is(number: int, data: st.DataObject) -> None:
    line = LINES[number]
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    lines = LINES.copy()
    lines[number] = line[:at] + bytes([other]) + line[at + 1 :]
    assert kinds(lines, HEAD)


@given(st.permutations(range(8)))
def test_any_other_order_is_found(order: list[int]) -> None:
    assert bool(kinds([LINES[number] for number in order])) is (order != sorted(order))


def test_a_gap_is_named_by_what_is_missing() -> None:
    [finding] = verify(enumerate(LINES[:2] + LINES[5:])).findings
    assert (finding.kind, finding.seq) == (Kind.MISSING, 3)
    assert finding.text == "entries 3 to 5 should lie before this"


def test_entries_are_what_the_hook_writes() -> None:
    assert isinstance(CHAIN[0], Entry)
    assert CHAIN[1].previous == CHAIN[0].hash
