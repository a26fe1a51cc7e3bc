import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.texts import Texts
from models.orders.tokens import PADDING

LISTS = st.lists(st.binary(max_size=5), max_size=8)


@given(LISTS)
def test_texts_are_a_sequence_like_a_list_of_them(texts: list[bytes]) -> None:
    ours = Texts.of(texts)
    assert len(ours) == len(texts)
    assert list(ours) == texts == [ours[number] for number in range(len(texts))]
    assert ours.sizes.tolist() == [len(text) for text in texts]
    assert bytes(ours.piece) == b"".join(texts)


@given(LISTS, st.slices(8).filter(lambda part: (part.step or 1) > 0))
def test_a_part_of_them_shares_their_buffer(texts: list[bytes], part: slice) -> None:
    ours = Texts.of(texts)
    assert list(ours[part]) == texts[part]
    assert ours[part].buffer is ours.buffer


@given(st.lists(st.tuples(LISTS, st.integers(0, 8)), min_size=1, max_size=4))
def test_parts_of_several_are_joined(parts: list[tuple[list[bytes], int]]) -> None:
    joined = Texts.joined([Texts.of(texts)[start:] for texts, start in parts])
    assert list(joined) == [text for texts, start in parts for text in texts[start:]]


def test_what_lies_between_them_in_the_buffer_is_no_part_of_them() -> None:
    ours = Texts(b"..ab..c.", np.array([[2, 4], [6, 6], [6, 7]]))
    assert list(ours) == [b"ab", b"", b"c"]
    letters, places = ours.padded()
    assert [letters[begin:end].tobytes() for begin, end in places] == list(ours)
    assert len(letters) >= places[-1, 1] + PADDING
    assert not letters[-PADDING:].any()
    assert list(Texts.joined([ours, Texts.of([b"d"])])) == [b"ab", b"", b"c", b"d"]
    with pytest.raises(IndexError):
        ours[3]
