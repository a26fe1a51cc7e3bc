import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.records import RecordArray, copied, joined, taken

KIND = np.dtype([("number", "u8"), ("flag", "?")], align=True)  # seven bytes lie between two
BYTES = st.binary(max_size=5 * KIND.itemsize)


def records(written: bytes) -> RecordArray:
    """Records of which the bytes between the fields are set, too."""
    return np.frombuffer(written[: len(written) // KIND.itemsize * KIND.itemsize], KIND)


@given(st.lists(BYTES.map(records), min_size=1, max_size=4))
def test_records_are_put_together_byte_by_byte(parts: list[RecordArray]) -> None:
    together = joined(parts)
    assert together.dtype == KIND
    assert together.tobytes() == b"".join(part.tobytes() for part in parts)


@given(BYTES.map(records), st.data())
def test_records_are_taken_byte_by_byte(whole: RecordArray, data: st.DataObject) -> None:
    places = arrays.arrays(np.int64, 6, elements=st.integers(0, max(0, len(whole) - 1)))
    rows = data.draw(places)[: 6 if len(whole) else 0]
    found = taken(whole, rows)
    assert found.dtype == KIND
    assert found.tobytes() == b"".join(whole[row : row + 1].tobytes() for row in rows.tolist())


def test_a_copy_can_be_changed_and_the_original_stays() -> None:
    original = records(bytes(range(2 * KIND.itemsize)))
    with pytest.raises(ValueError, match="read-only"):
        original["number"] = 0
    copy = copied(original)
    assert copy.tobytes() == original.tobytes()
    copy["number"] = 0
    assert original["number"].all()
