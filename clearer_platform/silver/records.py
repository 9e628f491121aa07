"""Where the records of a text are: an index by numpy that owes nothing to the reader, so that nothing can be lost.

A newline outside quotes ends a record. Where a text is not sound, as `parity` has it, that means nothing: it goes to
`exact`.
"""

import mmap
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clearer_platform.silver.parity import Offsets, outside

Flags = npt.NDArray[np.bool_]
Buffer = bytes | mmap.mmap

CHUNK = 1 << 20
NEWLINE, RETURN, NUL = 10, 13, 0


@dataclass(frozen=True)
class Records:
    """The non-blank records of a text in order, the header among them."""

    starts: Offsets
    ends: Offsets
    """Without the newline."""
    lines: Offsets
    """Physical line on which each starts; the first is 1."""
    is_multiline: bool
    has_blanks: bool
    delimiters: Offsets | None = None
    """The delimiters outside quotes, in a text that has quotes."""

    def __len__(self) -> int:
        return len(self.starts)

    def slice(self, buffer: Buffer, i: int) -> bytes:
        """The original text of record `i`."""
        return buffer[self.starts[i] : self.ends[i]]


def positions(buffer: Buffer, byte: int) -> Offsets:
    """Offsets of every occurrence of `byte`."""
    everything = np.frombuffer(buffer, dtype=np.uint8)
    found = [
        np.flatnonzero(everything[at : at + CHUNK] == byte) + at for at in range(0, max(len(everything), 1), CHUNK)
    ]
    return found[0] if len(found) == 1 else np.concatenate(found)


def index(buffer: Buffer, delimiter: str, quote: str) -> Records | None:
    """The records of a sound text; None where it is not sound."""
    if not (delimiter.isascii() and quote.isascii()):
        return None
    if buffer.find(b"\r") >= 0 or buffer.find(b"\0") >= 0:
        return None
    if buffer.find(quote.encode()) < 0:
        newlines = positions(buffer, NEWLINE)
        return _records(buffer, newlines, newlines)
    found = outside(np.frombuffer(buffer, dtype=np.uint8), ord(delimiter), ord(quote))
    if found is None:
        return None
    newlines = positions(buffer, NEWLINE) if found.inner_newlines else found.newlines
    return replace(_records(buffer, newlines, found.newlines), delimiters=found.delimiters)


def _records(buffer: Buffer, newlines: Offsets, ends: Offsets) -> Records:
    size, is_multiline = len(buffer), len(newlines) > len(ends)
    if size and (not len(ends) or ends[-1] != size - 1):
        # The last record has no newline of its own.
        ends = np.append(ends, size)
    starts = np.empty_like(ends)
    if len(ends):
        starts[0], starts[1:] = 0, ends[:-1] + 1
    lines = np.searchsorted(newlines, starts) + 1 if is_multiline else np.arange(1, len(ends) + 1)
    filled = ends > starts
    if has_blanks := not filled.all():
        starts, ends, lines = starts[filled], ends[filled], lines[filled]
    return Records(starts, ends, lines, is_multiline, has_blanks)


def has_fields(buffer: Buffer, records: Records, delimiter: str, count: int) -> Flags:
    """Which records of a sound text have exactly `count` fields."""
    delimiters = positions(buffer, ord(delimiter)) if records.delimiters is None else records.delimiters
    between, number = count - 1, len(records)
    if len(delimiters) == between * number:
        if not between:
            return np.ones(number, dtype=np.bool_)
        # The usual case, without a search: each record's share of the delimiters lies within it.
        first, last = delimiters[::between], delimiters[between - 1 :: between]
        if bool((first >= records.starts).all() and (last < records.ends).all()):
            return np.ones(number, dtype=np.bool_)
    if not number:
        return np.ones(0, dtype=np.bool_)
    # Between two records there are newlines alone.
    found = np.diff(np.searchsorted(delimiters, records.ends), prepend=np.searchsorted(delimiters, records.starts[0]))
    return np.asarray(found == between)


def undecodable(buffer: Buffer, records: Records) -> Flags | None:
    """Which records are not UTF-8; None where the whole text is."""
    if is_utf8(buffer):
        return None
    flags = np.zeros(len(records), dtype=np.bool_)
    foreign = np.flatnonzero(np.frombuffer(buffer, dtype=np.uint8) > 127)
    suspects = np.unique(np.searchsorted(records.starts, foreign, side="right") - 1)
    for i in suspects[suspects >= 0]:
        try:
            records.slice(buffer, int(i)).decode("utf-8")
        except UnicodeDecodeError:
            flags[i] = True
    return flags


def is_utf8(buffer: Buffer) -> bool:
    """Whether the whole text is UTF-8."""
    if not len(buffer):
        return True
    offsets = pa.py_buffer(np.array([0, len(buffer)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(buffer)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
