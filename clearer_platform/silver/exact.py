"""The records of a text that is not sound (bad quoting, stray carriage returns, NUL), one by one.

A record is well-formed when it matches the grammar exactly; anything else is one malformed physical line, after which
reading takes up again at the next. Slower than `records`, and rarely taken.
"""

import re

import numpy as np

from clearer_platform.silver.parity import Offsets
from clearer_platform.silver.records import Buffer, Flags, Records


def index(buffer: Buffer, delimiter: str, quote: str, fields: int) -> tuple[Records, Flags]:
    """The records of any text (a header too), and which of them are well-formed records of `fields` fields."""
    pattern = _record(delimiter, quote, fields)
    starts: list[int] = []
    ends: list[int] = []
    good: list[bool] = []
    at, size = 0, len(buffer)
    while at < size:
        if buffer[at : at + 1] == b"\n":
            at += 1
            continue
        found = pattern.match(buffer, at)
        newline = buffer.find(b"\n", at) if found is None else found.end()
        end = size if newline < 0 else newline
        starts.append(at)
        ends.append(end)
        good.append(found is not None)
        at = end + 1
    return _records(buffer, starts, ends), np.array(good, dtype=np.bool_)


def first_record(buffer: Buffer, at: int, delimiter: str, quote: str) -> tuple[int, int] | None:
    """Number of fields and end of the well-formed record at `at`; None where it is not well-formed."""
    found = _record(delimiter, quote, None).match(buffer, at)
    if found is None:
        return None
    field = re.compile(_field(delimiter, quote))
    fields, end = 1, _end(field, buffer, at)
    while end < found.end():
        fields, end = fields + 1, _end(field, buffer, end + len(delimiter.encode()))
    return fields, end


def _end(pattern: re.Pattern[bytes], buffer: Buffer, at: int) -> int:
    found = pattern.match(buffer, at)
    assert found is not None
    return found.end()


def _record(delimiter: str, quote: str, fields: int | None) -> re.Pattern[bytes]:
    field, between = _field(delimiter, quote), re.escape(delimiter.encode())
    more = b"*+" if fields is None else b"{%d}+" % (fields - 1)
    return re.compile(b"%b(?:%b%b)%b(?=\n|\\Z)" % (field, between, field, more))


def _field(delimiter: str, quote: str) -> bytes:
    """A quoted field (a quote in it doubled; no NUL), or an unquoted one (no quote, delimiter, line end or NUL)."""
    sign, inside = re.escape(quote.encode()), _none_of(quote, b"\\x00")
    quoted = b"%b(?:%b|%b%b)*+%b" % (sign, inside, sign, sign, sign)
    return b"(?:%b|%b*+)" % (quoted, _none_of(quote + delimiter, b"\\n\\r\\x00"))


def _none_of(signs: str, controls: bytes) -> bytes:
    """A pattern for one byte that starts none of `signs` and is none of `controls`."""
    if signs.isascii():
        return b"[^%b%b]" % (re.escape(signs.encode()), controls)
    return b"(?:(?!%b)[^%b])" % (b"|".join(re.escape(sign.encode()) for sign in signs), controls)


def _records(buffer: Buffer, starts: list[int], ends: list[int]) -> Records:
    first, last = np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)
    newlines: Offsets = np.flatnonzero(np.frombuffer(buffer, dtype=np.uint8) == 10)
    lines = np.searchsorted(newlines, first) + 1
    is_multiline = bool((np.searchsorted(newlines, last) + 1 > lines).any())
    return Records(first, last, lines, is_multiline, has_blanks=True)
