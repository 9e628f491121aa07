"""Quotes sixty-four bytes at a time: the same as one by one, wherever a word or a piece of the text ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearer_platform.silver import parity
from clearer_platform_tests.conftest import EFFORT

fields = st.sampled_from(["", "a", "bcdefghij" * 8, '"x"', '"a,b"', '"a""b"', '"""', '"\n"', '""', 'a"', '" "b'])
texts = st.lists(st.tuples(fields, st.sampled_from([",", "\n"])), max_size=60).map(lambda t: "".join(map("".join, t)))


def one_by_one(text: bytes) -> tuple[list[int], list[int], int] | None:
    """Newlines and delimiters outside quotes, and the number of newlines inside; None where a quote is out of place."""
    inside, newlines, delimiters, inner = False, [], [], 0
    for at, byte in enumerate(text):
        if byte == ord('"'):
            neighbour = text[at + 1 : at + 2] if inside else text[max(at - 1, 0) : at]
            if neighbour not in (b"", b",", b"\n", b'"'):
                return None
            inside = not inside
        elif inside:
            inner += byte == ord("\n")
        elif byte == ord("\n"):
            newlines.append(at)
        elif byte == ord(","):
            delimiters.append(at)
    return None if inside else (newlines, delimiters, inner)


@pytest.mark.parametrize("chunk", [64, 128, 1 << 20])
@settings(max_examples=300 * EFFORT, deadline=None)
@given(
    st.one_of(texts, texts.map(lambda text: text.replace('"b', "").replace('a"', "")), st.text('a,"\n', max_size=300))
)
def test_outside(chunk: int, text: str) -> None:
    usual, parity.CHUNK = parity.CHUNK, chunk
    try:
        found = parity.outside(np.frombuffer(text.encode(), dtype=np.uint8), ord(","), ord('"')) if text else None
    finally:
        parity.CHUNK = usual
    expected = one_by_one(text.encode()) if text else None
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (found.newlines.tolist(), found.delimiters.tolist(), found.inner_newlines) == expected
