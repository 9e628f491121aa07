"""Which bytes of a text stand between quotes, sixty-four of them at a time: a bit a byte, the first the lowest.

A quote changes sides, so a byte is inside where the number of quotes up to it is odd. That is exact where the text is
*sound*: every opening quote follows a delimiter, a newline or a quote, every closing one precedes one, and their number
is even.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

CHUNK = 1 << 20
NEWLINE = 10
WORD = np.dtype("<u8")
ONE, TOP = np.uint64(1), np.uint64(63)


@dataclass(frozen=True)
class Outside:
    """Offsets of what stands outside quotes."""

    newlines: Offsets
    delimiters: Offsets
    inner_newlines: int
    """Number of newlines inside."""


def outside(text: npt.NDArray[np.uint8], delimiter: int, quote: int) -> Outside | None:
    """Where the newlines and delimiters outside quotes are; None where the text is not sound."""
    newlines, delimiters, all_newlines = [], [], 0
    is_inside, is_border, is_closed = False, True, False
    for at in range(0, len(text), CHUNK):
        piece = text[at : at + CHUNK]
        quotes, feeds, signs = (_words(piece == sign) for sign in (quote, NEWLINE, delimiter))
        inside = _inside(quotes, is_inside)
        border, closing = quotes | feeds | signs, quotes & ~inside
        before, after = _moved_up(border, is_border), _moved_down(border)
        last = len(piece) - 1
        # What follows the piece is seen with the next one; nothing follows the text.
        after[last // 64] |= ONE << np.uint64(last % 64)
        if (quotes & inside & ~before).any() or (closing & ~after).any() or (is_closed and not _bit(border, 0)):
            return None
        newlines.append(_offsets(feeds & ~inside) + at)
        delimiters.append(_offsets(signs & ~inside) + at)
        all_newlines += int(np.count_nonzero(piece == NEWLINE))
        is_inside, is_border, is_closed = _bit(inside, last), _bit(border, last), _bit(closing, last)
    if is_inside:
        return None
    found = np.concatenate(newlines)
    return Outside(found, np.concatenate(delimiters), all_newlines - len(found))


def _words(flags: npt.NDArray[np.bool_]) -> Words:
    packed = np.packbits(flags, bitorder="little")
    return np.concatenate([packed, np.zeros(-len(packed) % 8, dtype=np.uint8)]).view(WORD)


def _inside(quotes: Words, is_inside: bool) -> Words:
    """The parity of the quotes up to each bit, itself included: within words by halves, then from word to word."""
    parity = quotes.copy()
    for step in (1, 2, 4, 8, 16, 32):
        parity ^= parity << np.uint64(step)
    carried = np.bitwise_xor.accumulate(parity >> TOP)
    before = np.append(np.zeros(1, WORD), carried[:-1]) ^ np.uint64(is_inside)
    return parity ^ (np.uint64(0) - before)


def _moved_up(bits: Words, first: bool) -> Words:
    """For each bit the one before it."""
    moved = bits << ONE
    moved[1:] |= bits[:-1] >> TOP
    moved[0] |= np.uint64(first)
    return moved


def _moved_down(bits: Words) -> Words:
    """For each bit the one after it."""
    moved = bits >> ONE
    moved[:-1] |= bits[1:] << TOP
    return moved


def _offsets(bits: Words) -> Offsets:
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little").view(np.bool_))


def _bit(bits: Words, number: int) -> bool:
    return bool((bits[number // 64] >> np.uint64(number % 64)) & ONE)
