"""JSON lines (`.jsonl`): one JSON object a line, always UTF-8, written out as the delimited text of the table's format.

From there on a delivery is judged like any other. Its header is the union of the keys in order of first appearance. A
value is what stands in the file: strings and numbers by their text, booleans by the format's words, what is nested as
compact JSON; null and an absent key are no value. A file without records is a delivery of none, published with 0 rows
(an empty CSV is refused: it lacks even its header), because a service that had nothing to tell for a day has said so.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from clearer_platform.contracts import Contract
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.silver import records
from clearer_platform.silver.header import Header, read_header
from clearer_platform.silver.outcome import Refusal
from clearer_platform.silver.records import Buffer, Flags, Records

ENCODING = "utf-8"
MALFORMED = (
    "not one JSON object: a bracket, quote or comma out of place, a key twice, "
    "NaN or Infinity, NUL, or half a surrogate pair"
)
"""What is wrong with a malformed line."""
MOST_UNKNOWN = 500
"""Keys unknown to the contract above which values must have been taken for keys."""
DEEPEST = 100
"""Levels of nested values; more are malformed, lest it depend on the interpreter's stack how a record is judged."""
SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""Escapes of what is no text: NUL, and a surrogate, which may or may not have its other half."""
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

Cells = dict[str, str]


class RepeatedKey(ValueError):
    """An object has a key twice: one of the two values would be lost."""


class Number(str):
    """A number by the text that it was written with."""

    __slots__ = ()


@dataclass
class Rendered:
    """What was found in a text of JSON lines, and written out of it."""

    records: Records
    """`is_multiline` says whether a record spans lines as it was written out."""
    good: Flags
    undecodable: Flags | None
    names: dict[str, None] = field(default_factory=dict)
    """The keys of the well-formed records, in order of first appearance."""
    size: int = 0
    """Bytes written out."""
    longest: int = 0
    """Bytes of the longest record as written out."""
    is_ragged: bool = False
    """Whether a key came up when records without it had been written already."""


def render(
    buffer: Buffer,
    contract: Contract,
    source: TableSource,
    readable: Path,
    limit: int,
    expected: Iterable[str] = (),
) -> tuple[Header, Rendered]:
    """Index the lines, and write the well-formed ones to `readable` without a header line.

    Keys that are `expected` have a field even where no record has them. Raises Refusal where the keys do not fit the
    contract, or more than `limit` bytes would be written.
    """
    found = lines(buffer)
    good, undecodable = np.zeros(len(found), dtype=np.bool_), records.undecodable(buffer, found)
    rendered = Rendered(found, good, undecodable, dict.fromkeys(expected))
    _write(buffer, rendered, contract, source.csv, readable, limit)
    if rendered.is_ragged:
        # Now that every key is known.
        rendered = Rendered(found, good, undecodable, rendered.names)
        _write(buffer, rendered, contract, source.csv, readable, limit)
    # Where no record can be read there are no keys to judge by, and its lines say what is wrong.
    names = list(rendered.names) if good.any() else [source.columns.get(c.name, c.name) for c in contract.columns]
    return replace(read_header(names, None, contract, source), is_delivered=False), rendered


def lines(buffer: Buffer) -> Records:
    """The lines that are not empty."""
    newlines = records.positions(buffer, records.NEWLINE)
    starts, ends = np.append(0, newlines + 1), np.append(newlines, len(buffer))
    filled = ends > starts
    numbers = np.flatnonzero(filled) + 1
    has_blanks = bool(len(numbers)) and int(numbers[-1]) != len(numbers)
    return Records(starts[filled], ends[filled], numbers, is_multiline=False, has_blanks=has_blanks)


def _write(buffer: Buffer, rendered: Rendered, contract: Contract, csv: CsvFormat, readable: Path, limit: int) -> None:
    """Write the well-formed records, with a field for each key known by then; notes on the way what is to be known."""
    writers, names, found = _writers(csv), rendered.names, rendered.records
    absent, is_multiline = writers[NoneType](None), False
    with readable.open("wb") as f:
        for i in range(len(found)):
            cells = _cells(found.slice(buffer, i), writers)
            if cells is None:
                continue
            rendered.good[i] = True
            if not cells.keys() <= names.keys():
                rendered.is_ragged = rendered.size > 0
                names.update(dict.fromkeys(cells))
                _check_number(len(names), contract)
            row = csv.delimiter.join([cells.get(name, absent) for name in names]).encode() + b"\n"
            rendered.size += len(row)
            if rendered.size > limit:
                message = f"more than {limit:,} bytes when written out field by field (CLEARER_MAX_DELIVERY_BYTES)"
                raise Refusal("too_large", message)
            f.write(row)
            rendered.longest = max(rendered.longest, len(row))
            is_multiline = is_multiline or row.find(b"\n") < len(row) - 1
    rendered.records = replace(found, is_multiline=is_multiline)


def _check_number(keys: int, contract: Contract) -> None:
    if keys > len(contract.columns) + MOST_UNKNOWN:
        message = f"more than {MOST_UNKNOWN} keys that the contract does not know; are values used as keys?"
        raise Refusal("unknown_column", message)


def _cells(line: bytes, writers: dict[type, Callable[[Any], str]]) -> Cells | None:
    """The values of a record by key, each as a field of delimited text; None where the line is malformed."""
    try:
        text = line.decode(ENCODING)
        record = DECODER.decode(text)
        if type(record) is not dict:
            return None
        check_escapes(text, record)
        return {name: writers[type(value)](value) for name, value in record.items()}
    except (ValueError, RecursionError):
        return None


def check_escapes(text: str, record: dict[str, Any]) -> None:
    """Raise ValueError where the `record` that `text` holds has a string with NUL or half a surrogate pair."""
    if not SUSPECT.search(text):
        return
    if NUL.search(text):
        raise ValueError("NUL in a string")
    compact(record, DEEPEST + 1).encode(ENCODING)


def _writers(csv: CsvFormat) -> dict[type, Callable[[Any], str]]:
    """What makes a field of each kind of value. Every field is quoted, so that none is taken for anything else."""
    quote = csv.quote

    def quoted(text: str) -> str:
        return f"{quote}{text.replace(quote, quote * 2)}{quote}"

    def nested(value: Any) -> str:
        return quoted(compact(value))

    # Without a text for null, one that no record can hold, as `query` has it.
    absent = quoted(csv.nulls[0] if csv.nulls else "\0")
    flags = {flag: quoted(next(iter(words), compact(flag))) for flag, words in ((True, csv.true), (False, csv.false))}
    return {
        NoneType: lambda _: absent,
        str: quoted,
        Number: lambda number: quoted(number.replace(".", csv.decimal)),
        bool: flags.__getitem__,
        dict: nested,
        list: nested,
    }


def compact(value: Any, levels: int = DEEPEST) -> str:
    """A value as JSON without spaces, its numbers as they were written."""
    if not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return f"{{{','.join([f'{compact(k)}:{compact(v, levels - 1)}' for k, v in value.items()])}}}"
    if isinstance(value, list):
        return f"[{','.join([compact(v, levels - 1) for v in value])}]"
    return value if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, none of whose keys is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedKey
    return found


def no_number(name: str) -> None:
    """What JSON has no word for."""
    raise ValueError(f"{name} is no JSON number")


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=Number, parse_int=Number, parse_constant=no_number, strict=True
)
