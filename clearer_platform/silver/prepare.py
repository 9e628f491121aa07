"""From a delivery to a text that the engine reads without a surprise: every record known, only good ones in it."""

import mmap
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clearer_platform import storage
from clearer_platform.bronze import Decision, Delivery, check_intact, is_json_lines
from clearer_platform.contracts import Contract
from clearer_platform.regions import TableSource
from clearer_platform.silver import exact, json_lines, records, segments
from clearer_platform.silver.decode import UNDECODABLE, Text, decode
from clearer_platform.silver.header import Header, no_header, read_header, split
from clearer_platform.silver.outcome import Refusal
from clearer_platform.silver.parity import Offsets
from clearer_platform.silver.records import Buffer, Flags, Records

ORDINARY_LINE = 1_000_000
"""Bytes of a record above which the engine must be told so."""


@dataclass(frozen=True)
class Prepared:
    """A delivery ready to be judged. Its numbers come from the index, never from the reader."""

    delivery: Delivery
    text: Text
    readable: Path
    """What the engine reads: well-formed records only, under a header line if the delivery has one."""
    header: Header
    records: Records
    """The data records, without the header."""
    good: Flags | None
    """Which of them are well-formed; None where all are."""
    undecodable: Flags | None
    size: int
    """Bytes of text that the engine reads, or somewhat more."""
    longest: int
    """Bytes of the longest record in it."""

    @property
    def count(self) -> int:
        """Records delivered."""
        return len(self.records)

    @property
    def readable_count(self) -> int:
        """Records that the engine must find."""
        return self.count if self.good is None else int(self.good.sum())

    @property
    def first_line(self) -> int | None:
        """The line of the first record, where every record is one line and none is missing; None otherwise."""
        if self.good is not None or self.records.is_multiline or self.records.has_blanks or not self.count:
            return None
        return int(self.records.lines[0])

    @property
    def in_batches(self) -> bool:
        """Whether the delivery was sealed from batches."""
        return self.delivery.manifest.series is not None

    @property
    def batches(self) -> Offsets | None:
        """The number, in its series, of the batch that each record came in; None where it came in none."""
        series = self.delivery.manifest.series
        return np.searchsorted(series.ends, self.records.lines) if series else None

    @property
    def rejected(self) -> Flags | None:
        """Which records came in a batch that was rejected as a whole; None where no batch was."""
        series, batches = self.delivery.manifest.series, self.batches
        if series is None or batches is None:
            return None
        flags = np.array([batch.decision is Decision.REJECTED for batch in series.batches])
        return flags[batches] if flags.any() else None

    def remove(self) -> None:
        """Remove what was written for it."""
        if self.text.is_copy:
            self.text.path.unlink(missing_ok=True)
        if self.readable != self.text.path:
            self.readable.unlink(missing_ok=True)


def prepare(delivery: Delivery, contract: Contract, source: TableSource, work: Path, limit: int) -> Prepared:
    """Decode a delivery, index its records, check its header. Raises Refusal where it cannot be judged.

    Raises DamagedDelivery where bronze no longer has the bytes that were delivered.
    """
    name = uuid.uuid4().hex
    fetched = work / f"{storage.PARTIAL}fetched-{name}{delivery.content.suffix}"
    copy, rendered = work / f"{storage.PARTIAL}text-{name}", work / f"{storage.PARTIAL}rendered-{name}"
    is_json, series = is_json_lines(delivery.slot), delivery.manifest.series
    local = storage.fetch(delivery.content, fetched)
    try:
        check_intact(delivery, local)
        encoding = json_lines.ENCODING if is_json else source.csv.encoding
        text = decode(local, encoding, copy, limit, is_exact=bool(source.is_exact))
        if text.path == fetched:
            text = replace(text, path=fetched.rename(copy), is_copy=True)
        with mapped(text.path) as buffer:
            if is_json:
                return _rendered(delivery, text, buffer, contract, source, rendered, limit)
            prepared = (_segmented if series else _indexed)(delivery, text, buffer, contract, source)
            return _cut(prepared, buffer, source.csv.delimiter, work) if _must_cut(prepared) else prepared
    except Refusal:
        copy.unlink(missing_ok=True)
        rendered.unlink(missing_ok=True)
        raise
    finally:
        fetched.unlink(missing_ok=True)


@contextmanager
def mapped(path: Path) -> Iterator[Buffer]:
    """The bytes of a file, without reading them all at once."""
    with path.open("rb") as f:
        if not path.stat().st_size:
            yield b""
            return
        # Not closed by hand: arrays may still look at it, and it goes with the last of them.
        yield mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)


def original(prepared: Prepared, buffer: Buffer, i: int) -> str:
    """The text of record `i` as delivered; undecodable bytes as backslash escapes."""
    raw = prepared.records.slice(buffer, i)
    if prepared.text.is_reencoded:
        pieces = raw.split(bytes([UNDECODABLE]))
        return pieces[0].decode() + "".join(f"\\x{p[:2].decode()}{p[2:].decode()}" for p in pieces[1:])
    return raw.decode("utf-8", "backslashreplace")


def _rendered(
    delivery: Delivery, text: Text, buffer: Buffer, contract: Contract, source: TableSource, readable: Path, limit: int
) -> Prepared:
    """A delivery of JSON lines, its well-formed ones written out as delimited text."""
    readable.parent.mkdir(parents=True, exist_ok=True)
    # Lest it depend on its neighbours how a batch is judged, one that lacks a key is as one in which it is null.
    expected = [column.name for column in contract.columns] if delivery.manifest.series else []
    header, found = json_lines.render(buffer, contract, source, readable, limit, expected)
    good = None if found.good.all() else found.good
    return Prepared(delivery, text, readable, header, found.records, good, found.undecodable, found.size, found.longest)


def _indexed(delivery: Delivery, text: Text, buffer: Buffer, contract: Contract, source: TableSource) -> Prepared:
    csv = source.csv
    found = records.index(buffer, csv.delimiter, csv.quote)
    header = header_of(found, buffer, contract, source)
    found, good = segments.checked(found, buffer, csv.delimiter, csv.quote, len(header.columns))
    return _prepared(delivery, text, buffer, header, found, good)


def _prepared(delivery: Delivery, text: Text, buffer: Buffer, header: Header, found: Records, good: Flags) -> Prepared:
    bad_bytes = records.undecodable(buffer, found)
    if bad_bytes is not None:
        good &= ~bad_bytes
    longest = int((found.ends - found.starts).max()) if len(found) else 0
    return _without_header(Prepared(delivery, text, text.path, header, found, good, bad_bytes, len(buffer), longest))


def _segmented(delivery: Delivery, text: Text, buffer: Buffer, contract: Contract, source: TableSource) -> Prepared:
    """A delivery of delimited text that was sealed from batches: the records of each, found in its own lines."""
    series, csv = delivery.manifest.series, source.csv
    assert series is not None
    header = replace(read_header(list(series.columns), None, contract, source), is_delivered=False)
    found, good = segments.index(buffer, series.ends, csv.delimiter, csv.quote, len(header.columns))
    return _prepared(delivery, text, buffer, header, found, good)


def header_of(found: Records | None, buffer: Buffer, contract: Contract, source: TableSource) -> Header:
    """The header of a delimited text, whose records `found` are if it is sound. Raises Refusal."""
    csv = source.csv
    at = _first_filled(buffer) if found is None else int(found.starts[0]) if len(found) else len(buffer)
    if at >= len(buffer):
        if csv.header:
            raise Refusal("empty", "empty: not even a header", line=1)
        return no_header(len(contract.columns), contract)
    line = buffer[:at].count(b"\n") + 1
    first = exact.first_record(buffer, at, csv.delimiter, csv.quote)
    if first is None:
        what = "header" if csv.header else "first record"
        raise Refusal(
            "malformed_header", f"the {what} (line {line}) is not a well-formed record: check the quotes", line=line
        )
    fields, end = first
    if not csv.header:
        return no_header(fields, contract)
    try:
        names = split(buffer[at:end].decode("utf-8"), csv.delimiter, csv.quote)
    except UnicodeDecodeError:
        raise Refusal("undecodable", f"the header is not {csv.encoding} text (line {line})", line=line) from None
    return read_header(names, line, contract, source)


def _first_filled(buffer: Buffer) -> int:
    at = 0
    while buffer[at : at + 1] == b"\n":
        at += 1
    return at


def _without_header(prepared: Prepared) -> Prepared:
    """The same with the data records alone, and None for flags that say nothing."""
    first = 1 if prepared.header.is_delivered else 0
    r = prepared.records
    assert prepared.good is not None
    data = replace(r, starts=r.starts[first:], ends=r.ends[first:], lines=r.lines[first:], delimiters=None)
    good = prepared.good[first:]
    bad_bytes = None if prepared.undecodable is None else prepared.undecodable[first:]
    return replace(prepared, records=data, good=None if good.all() else good, undecodable=bad_bytes)


def _must_cut(prepared: Prepared) -> bool:
    """Whether the text has anything but a one-line header and well-formed records."""
    r, header_lines = prepared.records, 1 if prepared.header.is_delivered else 0
    starts_late = bool(len(r)) and int(r.lines[0]) != header_lines + 1
    return prepared.good is not None or r.has_blanks or starts_late


def _cut(prepared: Prepared, buffer: Buffer, delimiter: str, work: Path) -> Prepared:
    """Write the well-formed records, and nothing else, to a file of their own (under a header to be skipped)."""
    r = prepared.records
    good = np.arange(len(r)) if prepared.good is None else np.flatnonzero(prepared.good)
    starts, ends = r.starts[good], r.ends[good]
    # Neighbours are written in one piece; a piece ends where something was left out.
    last = np.flatnonzero(np.append(starts[1:] != ends[:-1] + 1, np.ones(min(len(good), 1), dtype=np.bool_)))
    first = np.append([0], last[:-1] + 1)[: len(last)]
    readable = work / f"{storage.PARTIAL}cut-{uuid.uuid4().hex}"
    work.mkdir(parents=True, exist_ok=True)
    view = memoryview(buffer)
    with readable.open("wb") as f:
        if prepared.header.is_delivered:
            f.write(delimiter.join("-" * len(prepared.header.columns)).encode() + b"\n")
        for a, b in zip(starts[first].tolist(), ends[last].tolist(), strict=True):
            f.write(view[a:b])
            f.write(b"\n")
    return replace(prepared, readable=readable)
