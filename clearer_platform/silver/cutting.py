"""Cutting a text into batches: every record in exactly one of them, in order, and none taken apart.

A sender cuts the file that it sends to the service, and the platform the files that land to be sent through; what a
record is, both know from the index that judging uses.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from clearer_platform.bronze import is_json_lines
from clearer_platform.contracts import Contract
from clearer_platform.errors import DeliveryError
from clearer_platform.regions import TableSource
from clearer_platform.silver import exact, json_lines, records, segments
from clearer_platform.silver.decode import decode
from clearer_platform.silver.outcome import Refusal
from clearer_platform.silver.prepare import header_of, mapped
from clearer_platform.silver.records import Buffer, Records

Written = Callable[[Sequence[bytes]], bytes]
"""Makes the text of a batch out of its records."""
RETURNS = re.compile(rb"\r+(?=\n|\Z)")
"""What is left before a line end when one return was taken off: a batch is decoded again when it is judged."""
OBJECTS = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=json_lines.no_number)


@dataclass(frozen=True)
class Piece:
    """A batch of a file."""

    number: int
    """From 1."""
    content: bytes
    lines: Sequence[int]
    """Where in the file each of its records begins."""


@dataclass(frozen=True)
class Text:
    """A text that can be cut."""

    buffer: Buffer
    records: Records
    """Without a header."""
    written: Written
    is_json: bool

    def pieces(self, size: int, done: int = 0) -> Iterator[Piece]:
        """What comes after the first `done` records, in pieces of `size` records each."""
        for number, first in enumerate(range(done, len(self.records), size), 1):
            rows = range(first, min(first + size, len(self.records)))
            content = self.written([self.records.slice(self.buffer, i) for i in rows])
            yield Piece(number, content, self.records.lines[first : rows.stop].tolist())


def delimited(buffer: bytes, delimiter: str, quote: str, *, header: bool) -> Text:
    """A delimited text of which no more is known; its header line, if it has one, goes into every piece."""
    first = exact.first_record(buffer, len(buffer) - len(buffer.lstrip(b"\n")), delimiter, quote)
    found = _indexed(buffer, delimiter, quote, first[0] if first else 1)
    head = found.slice(buffer, 0) + b"\n" if header and len(found) else b""
    return Text(buffer, _without_first(found) if head else found, _under(head), is_json=False)


def objects(buffer: Buffer) -> Text:
    """A text of JSON lines, whose pieces are arrays. Raises DeliveryError that names a line which is no JSON object."""
    found = json_lines.lines(buffer)
    for i in range(len(found)):
        if not _is_object(found.slice(buffer, i)):
            raise DeliveryError(f"line {found.lines[i]} is no JSON object", hint="nothing was sent; mend it first")
    return Text(buffer, found, _array, is_json=True)


@contextmanager
def landed(file: Path, name: str, contract: Contract, source: TableSource, limit: int) -> Iterator[Text]:
    """The text of a local `file` that landed as `name`, read as a delivery of its table would be.

    Raises DeliveryError, which names a line where it can, for what cannot be decompressed, is in another encoding, has
    a header that the contract cannot have, or holds more than `limit` bytes. `file` is named as bronze would name it;
    it is gone as soon as its text can be cut.
    """
    copy = file.with_name(f"{file.name}.text")
    is_json = is_json_lines(name)
    try:
        text = decode(file, json_lines.ENCODING if is_json else source.csv.encoding, copy, limit)
        with mapped(text.path) as buffer:
            for path in (copy, file):
                path.unlink(missing_ok=True)  # What is mapped stays, and nobody has to clear it up.
            plain = RETURNS.sub(b"", buffer) if buffer.find(b"\r") >= 0 else buffer
            yield objects(plain) if is_json else _of_table(plain, contract, source)
    except Refusal as e:
        raise DeliveryError(e.problem.message, hint="deliver a mended file") from e
    finally:
        copy.unlink(missing_ok=True)


def _of_table(buffer: Buffer, contract: Contract, source: TableSource) -> Text:
    """A delimited text of a region's table. Every piece has a header, so that all of them have the same columns."""
    sign, quote = source.csv.delimiter, source.csv.quote
    header = header_of(records.index(buffer, sign, quote), buffer, contract, source)
    found = _indexed(buffer, sign, quote, len(header.columns))
    if header.is_delivered:
        return Text(buffer, _without_first(found), _under(found.slice(buffer, 0) + b"\n"), is_json=False)
    names = [source.columns.get(column, column) for column in header.columns if column]
    line = io.StringIO()
    csv.writer(line, delimiter=sign, quotechar=quote, lineterminator="\n").writerow(names)
    return Text(buffer, found, _under(line.getvalue().encode()), is_json=False)


def _under(head: bytes) -> Written:
    """Writes records one after the other under a header line."""
    return lambda some: head + b"\n".join(some) + b"\n"


def _array(some: Sequence[bytes]) -> bytes:
    """JSON objects as an array."""
    return b"[" + b",\n".join(some) + b"]"


def _indexed(buffer: Buffer, delimiter: str, quote: str, fields: int) -> Records:
    """The records, as they are found when a piece is judged; what is no record is a line of its own."""
    return segments.checked(records.index(buffer, delimiter, quote), buffer, delimiter, quote, fields)[0]


def _without_first(found: Records) -> Records:
    return replace(found, starts=found.starts[1:], ends=found.ends[1:], lines=found.lines[1:], delimiters=None)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(OBJECTS.decode(line.decode("utf-8")), dict)
    except (ValueError, RecursionError):
        return False
