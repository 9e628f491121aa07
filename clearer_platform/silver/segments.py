"""The records of a text that was sealed from several: each is indexed in its own lines, whatever its neighbours hold.

An unpaired quote in one batch would otherwise pair with one in the next, and both would be read as something else than
when they came.
"""

from collections.abc import Sequence

import numpy as np

from clearer_platform.silver import exact, records
from clearer_platform.silver.records import Buffer, Flags, Records


def index(buffer: Buffer, ends: Sequence[int], delimiter: str, quote: str, fields: int) -> tuple[Records, Flags]:
    """The records of any text whose parts end with the lines `ends`, and which are well-formed ones of `fields`."""
    if buffer.find(quote.encode()) < 0 and (found := records.index(buffer, delimiter, quote)) is not None:
        # Without quotes every line is a record, and no part can reach into another.
        return found, records.has_fields(buffer, found, delimiter, fields)
    newlines = records.positions(buffer, records.NEWLINE)
    offsets = [0, *(newlines[np.array(ends, dtype=np.int64) - 1] + 1).tolist()]
    parts, flags = [], []
    for start, end, line in zip(offsets, offsets[1:], [0, *ends], strict=False):
        text = buffer[start:end]
        part, good = checked(records.index(text, delimiter, quote), text, delimiter, quote, fields)
        parts.append((part.starts + start, part.ends + start, part.lines + line, part.is_multiline))
        flags.append(good)
    starts, stops, lines, multiline = zip(*parts, strict=True)
    whole = Records(
        np.concatenate(starts), np.concatenate(stops), np.concatenate(lines), any(multiline), has_blanks=True
    )
    return whole, np.concatenate(flags)


def checked(found: Records | None, buffer: Buffer, delimiter: str, quote: str, fields: int) -> tuple[Records, Flags]:
    """The records of one text, of which `found` is the index, and which are well-formed ones of `fields` fields."""
    if found is not None:
        good = records.has_fields(buffer, found, delimiter, fields)
        # A record of several lines may be an unterminated quote that swallowed its neighbours.
        if good.all() or not found.is_multiline:
            return found, good
    return exact.index(buffer, delimiter, quote, fields)
